"""Is everything still as a run left it? Outputs, model and inputs are hashed again and compared."""
