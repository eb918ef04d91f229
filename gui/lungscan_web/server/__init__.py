"""The page as a web server; only here is the web framework known."""
