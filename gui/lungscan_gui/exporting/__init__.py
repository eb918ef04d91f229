"""Files that are made of a result when somebody asks for them."""
