"""What is particular to one kind of picture; all else in the engine holds for all of them."""
