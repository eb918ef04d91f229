"""The training page: audit, split, curves and figures of a model of one's own. It computes nothing."""
