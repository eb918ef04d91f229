"""The PDFs: ``case`` of one case, ``summary`` of a run."""
