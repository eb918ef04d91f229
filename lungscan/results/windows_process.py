"""Whether a process of Windows still lives: ``os.kill`` would not ask there, but end it.

Written after Microsoft's description of these three calls; nobody has run it on Windows yet.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

_QUERY = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION
_NO_SUCH_PROCESS = 87  # ERROR_INVALID_PARAMETER: what OpenProcess says of a number nobody has
_STILL_ACTIVE = 259


def is_gone(pid: int) -> bool:
    """Whether no process has this number any more; where Windows does not tell, False."""
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.argtypes = (ctypes.c_ulong, ctypes.c_int, ctypes.c_ulong)
        kernel.OpenProcess.restype = ctypes.c_void_p
        kernel.GetExitCodeProcess.argtypes = (ctypes.c_void_p, ctypes.POINTER(ctypes.c_ulong))
        kernel.CloseHandle.argtypes = (ctypes.c_void_p,)
        return has_ended(pid, kernel, ctypes.get_last_error)
    else:  # noqa: RET505  so that types are checked for either system
        return False


def has_ended(pid: int, kernel: Any, last_error: Callable[[], int]) -> bool:
    """The same, asked of ``kernel``."""
    if not 0 < pid < 2**32:
        return False  # no number of a process at all
    handle = kernel.OpenProcess(_QUERY, 0, pid)
    if not handle:
        return last_error() == _NO_SUCH_PROCESS
    try:
        code = ctypes.c_ulong(_STILL_ACTIVE)
        told = kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        return bool(told) and code.value != _STILL_ACTIVE  # ended, but somebody holds it open
    finally:
        kernel.CloseHandle(handle)
