"""openslide-bin: the library itself, which PyInstaller takes for a file of data.

It stays a file of its own in the program's folder, so that whoever wants can replace it: its
licence, the LGPL, asks for that.
"""

from PyInstaller.utils.hooks import collect_dynamic_libs

binaries = collect_dynamic_libs(
    "openslide_bin", search_patterns=["*.so", "*.so.*", "*.dylib", "*.dll"]
)
