"""A person's review of the case that is shown: what was said, regions left out, saving."""
