"""Several processes, on one machine or many, share a run: ``--shard 3/8`` and one output folder.

Each takes its own cases, locks and journals for itself, and writes their folders; the last one to
finish writes the tables of all. They need nothing but the folder: no server, no messages.

See docs/decisions/0045-shards.md.
"""
