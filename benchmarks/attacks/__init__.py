"""What the reliability card does to LungScan: one module for each kind of attack.

Each offers ``attack(bench, ...)`` and returns lines of the card. An attack runs what a user runs
and counts what came out; nothing is counted that the run itself did not see.
"""
