"""A model folder: card, network, limits of novelty, and what may be believed of it."""
