"""What PyInstaller's start has changed for its own sake must not reach the programs we call."""

import os


def restore_environment() -> None:
    """Give ``LD_LIBRARY_PATH`` back its former value.

    Else a browser or viewer that we open would load our libraries instead of the system's. Ours are
    found all the same: the loader of this process read the variable when it began.
    """
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
        former = os.environ.pop(f"{name}_ORIG", None)
        if former is not None:
            os.environ[name] = former
        else:
            os.environ.pop(name, None)
