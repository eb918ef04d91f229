"""The output folder: what lies in it, written whole or not at all, and read again."""
