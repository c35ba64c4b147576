"""Examples that were seen before."""

from __future__ import annotations

from array import array

_FIRST = 1 << 12


class Seen:
    """A table from a digest of 64 bits to the place where it was first seen.

    16 bytes for each slot of two arrays, a third of them free: ten million examples need 270 MB, where a dict would
    need over a gigabyte. A chance of one in 370,000 that two of ten million different examples are taken for one.
    """

    def __init__(self) -> None:
        self._keys, self._places = array("Q", bytes(8 * _FIRST)), array("Q", bytes(8 * _FIRST))
        self._count = 0

    def first(self, key: int, place: int) -> int | None:
        """Return where `key`, which is not 0, was first seen; None, and remember `place`, if it was not."""
        slot = self._slot(key)
        if self._keys[slot]:
            return self._places[slot]
        self._keys[slot], self._places[slot] = key, place
        self._count += 1
        if self._count * 3 > len(self._keys) * 2:
            self._grow()
        return None

    def _slot(self, key: int) -> int:
        """Find the slot that holds `key`, or the free one where it belongs."""
        keys = self._keys
        mask = len(keys) - 1
        slot = key & mask
        while keys[slot] and keys[slot] != key:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        keys, places = self._keys, self._places
        size = 8 * 2 * len(keys)
        self._keys, self._places = array("Q", bytes(size)), array("Q", bytes(size))
        for key, place in zip(keys, places, strict=True):
            if key:
                slot = self._slot(key)
                self._keys[slot], self._places[slot] = key, place
