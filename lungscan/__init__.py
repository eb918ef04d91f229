"""LungScan: lung tissue classification for research use.

Importing this package loads nothing heavy; the engine's parts are imported where they are used.
"""

__version__ = "0.1.0"
