"""``--cluster``: the cases of one run on the workers of dask.distributed (extra ``cluster``).

The driver, which a person started, holds the output folder and writes the tables. A worker process
classifies one case at a time by the engine's ``Classifier`` and leaves the case's files, whole, in
a folder of its own; only the driver moves them to their place. See docs/decisions/0046-cluster.md.
"""
