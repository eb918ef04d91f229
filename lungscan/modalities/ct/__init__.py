"""Axial slices of chest CT: lungs, the outline of the body. Arrays in, arrays out, no files."""
