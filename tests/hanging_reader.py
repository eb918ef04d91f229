"""A reader process that takes no requests, as one that hangs in a library."""

import time

time.sleep(3600)
