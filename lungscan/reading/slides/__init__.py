"""Whole slides: from the tiles of a TIFF where that has proved right, else by OpenSlide."""
