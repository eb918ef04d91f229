"""What ``import lungscan`` offers, by theme; each function imports what it needs when called.

Use them from the top level, as in ``lungscan.classify(path)``.
"""
