"""What a run was pointed at: files and folders in, cases in a stable order out."""

from lungscan.inputs.discover import discover
from lungscan.inputs.files import require_regular, sha256_of
from lungscan.inputs.names import show

__all__ = ["discover", "require_regular", "sha256_of", "show"]
