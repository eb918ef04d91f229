"""How the shell draws events and results."""
