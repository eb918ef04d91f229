"""``python -m lungscan_gui``."""

import sys

from lungscan_gui.main import main

if __name__ == "__main__":
    sys.exit(main())
