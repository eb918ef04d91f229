"""Where the frozen ``lungscan-gui`` begins. Its runs and readers are started by ``lungscan``."""

import sys

from restored import restore_environment

from lungscan_gui.main import main

restore_environment()
sys.exit(main())
