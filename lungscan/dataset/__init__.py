"""Data folders: listing, near-duplicates, splits without leakage, audit. Needs no torch.

Importing this package loads nothing. ``listing`` reads a folder of classes, ``similar`` finds
pictures of the same tissue, ``splits`` deals them to training, validation and test, ``audit`` looks
at all of it, ``sources`` and ``archive`` say where public data are and unpack them.
"""
