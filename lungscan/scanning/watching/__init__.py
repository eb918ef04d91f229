"""``--watch``: a folder that a scanner writes to, classified as its slides are finished.

Each look at the folder finds what is new and has settled; a round classifies that like any run and
writes the tables of all again. See docs/decisions/0047-a-scanners-folder.md.
"""
