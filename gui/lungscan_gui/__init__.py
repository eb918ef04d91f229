"""Where the desktop window will live. No window exists in this version.

The package stands so that the wheel's layout and the import contracts hold from the start.
"""
