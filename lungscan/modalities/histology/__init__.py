"""H&E: tissue, ink, focus. Arrays in, arrays out, no files."""
