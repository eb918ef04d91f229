"""Who takes which case: by bytes, so that no shard runs alone for hours in the end."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

CASE_BYTES = 256 << 10  # what a case costs whatever its size, in bytes of a slide


def cut(sizes: Sequence[int], shards: int) -> tuple[int, ...]:
    """The shard, counted from 1, of each case with ``sizes`` bytes.

    The largest case first, each to the shard that has the fewest bytes by then, so two shards
    differ by no more than the largest case. The same sizes give the same cut everywhere.
    """
    loads = [(0, number) for number in range(1, shards + 1)]  # a heap, as it is sorted
    owners = [0] * len(sizes)
    for index in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        load, number = loads[0]
        owners[index] = number
        heapq.heapreplace(loads, (load + sizes[index] + CASE_BYTES, number))
    return tuple(owners)
