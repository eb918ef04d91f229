"""Connected groups from pairs (union-find)."""

from __future__ import annotations

from collections.abc import Iterable


class Unions:
    """Items 0 to n - 1, each in a group of its own until joined."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, item: int) -> int:
        """The item that stands for the whole group of ``item``: its smallest."""
        parent = self._parent
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def together(self, one: int, two: int) -> bool:
        """Whether two items are in one group."""
        return self.find(one) == self.find(two)

    def join(self, one: int, two: int) -> None:
        """Make one group of two."""
        low, high = sorted((self.find(one), self.find(two)))
        self._parent[high] = low

    def join_equal(self, keys: Iterable[object]) -> None:
        """Join the items whose keys are equal; key i belongs to item i."""
        seen: dict[object, int] = {}
        for item, key in enumerate(keys):
            self.join(seen.setdefault(key, item), item)

    def numbers(self) -> list[int]:
        """The number of each item's group, counted from 1 in the order of first items."""
        order: dict[int, int] = {}
        return [
            order.setdefault(self.find(item), len(order) + 1) for item in range(len(self._parent))
        ]
