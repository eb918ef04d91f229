"""A reader process that ends at once without an error, as a program that is no Python does."""
