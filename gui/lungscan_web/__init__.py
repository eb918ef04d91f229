"""The page: a server for browsers on this machine or, with passwords, in a department.

``lungscan_web.jobs`` holds all that is done with what people give, and knows no web framework.
Importing this package loads nothing; the extra ``web`` brings what the server needs.
"""
