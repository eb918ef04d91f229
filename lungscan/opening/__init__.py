"""Every image is opened and decoded in a child process, so that none can take the run along.

A damaged header can abort the interpreter inside a C library, a dead drive can hold a read for
ever, and a crafted file can ask for all memory. In a child these end as a row with an error code.

Nothing is imported here: ``launch`` starts a child before anything else is loaded.
"""
