"""Where the frozen program begins: a part of itself as a process, the window, or the shell."""

import sys
from pathlib import Path

from restored import restore_environment

from lungscan.processes import run_if_asked

restore_environment()
if not run_if_asked(sys.argv[1:]):
    if Path(sys.executable).stem == "lungscan-gui":
        sys.argv.insert(1, "gui")
    from lungscan_cli.main import main

    sys.exit(main())
