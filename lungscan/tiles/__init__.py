"""Tissue, quality and the grid of fields: arrays in, arrays out, no files."""
