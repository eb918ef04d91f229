"""One module per sub-command; each declares its options and imports the rest when it runs."""
