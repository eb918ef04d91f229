"""How fast networks are here: latency of one field, throughput of many, side by side.

``benchmark.benchmark`` is the way in. Only the network is timed: uint8 tiles in memory go
in, probabilities and features in the machine's memory come out. Reading, decoding and reports are
not part of it.
"""
