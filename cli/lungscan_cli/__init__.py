"""The shell: thin commands that call the engine and draw its events."""
