"""Files for people and machines, written from ``CaseResult`` records; nothing here reads a slide.

Importing this package loads nothing. ``write`` is the door; the other modules write a format each.
"""
