"""Where the frozen ``lungscan`` begins: a part of itself as a process, or the shell."""

import sys

from restored import restore_environment

from lungscan.processes import run_if_asked

restore_environment()
if not run_if_asked(sys.argv[1:]):
    from lungscan_cli.main import main

    sys.exit(main())
