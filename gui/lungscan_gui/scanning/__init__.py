"""A run, in a process of its own, and what its events mean for the window."""
