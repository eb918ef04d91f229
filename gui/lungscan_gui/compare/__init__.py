"""Two runs of one image side by side: what changed, where, and how it is shown."""
