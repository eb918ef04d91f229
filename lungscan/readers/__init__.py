"""Every image is opened and decoded in a child process, so that none can take the run along.

A damaged header can abort the interpreter inside a C library, a dead drive can hold a read for
ever, and a crafted file can ask for all memory. In a child these end as a row with an error code.
"""

from lungscan.readers.base import OpenedField, Readers
from lungscan.readers.choice import open_readers
from lungscan.readers.patient import PatientReaders

__all__ = ["OpenedField", "PatientReaders", "Readers", "open_readers"]
