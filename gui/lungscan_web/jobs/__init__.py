"""What people give, on its way to an answer: limits, folders, queue, progress, deletion.

No web framework is imported here, so that any face can stand on it.
"""
