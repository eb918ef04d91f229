"""A run: inputs found, cases classified in order, results filed. ``scan`` is the way in."""
