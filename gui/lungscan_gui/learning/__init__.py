"""The training page: audit, split, curves, figures of a model. It computes nothing itself."""
