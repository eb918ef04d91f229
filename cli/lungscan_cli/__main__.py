"""``python -m lungscan_cli`` is the same as ``lungscan``."""

import sys

from lungscan_cli.main import main

sys.exit(main())
