"""What a run was pointed at: files and folders in, cases in a stable order out."""

from lungscan.inputs.discover import discover
from lungscan.inputs.files import require_readable, require_regular, sha256_of
from lungscan.inputs.motion import in_motion, look
from lungscan.inputs.names import show

__all__ = [
    "discover",
    "in_motion",
    "look",
    "require_readable",
    "require_regular",
    "sha256_of",
    "show",
]
