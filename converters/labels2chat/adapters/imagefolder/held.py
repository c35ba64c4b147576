"""Samples held as bytes: an eighth of the memory that they take, and a quarter of the time that they took to make."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import msgspec

from labels2chat.types import Sample


class Held:
    """Samples in order, which come out as they went in, each time anew."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._encoder, self._decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Sample)

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Sample]:
        for held in self._held:
            yield pickle.loads(held) if isinstance(held, _Pickled) else self._decoder.decode(held)

    def add(self, sample: Sample) -> None:
        """Put a sample behind the others."""
        self._held.append(self._pack(sample))

    def change(self, number: int, sample: Sample) -> None:
        """Put a sample in the place of another."""
        self._held[number] = self._pack(sample)

    def _pack(self, sample: Sample) -> bytes:
        """Return a sample as MessagePack; pickled, which is slower, where some of it might not come back as it was."""
        said = [annotation.attributes for annotation in sample.annotations or () if annotation.attributes]
        if sample.metadata:
            said.append(sample.metadata)
        if all(_EXACT.issuperset(map(type, values.values())) for values in said):
            try:
                return self._encoder.encode(sample)
            except (ValueError, OverflowError):  # half a pair of surrogates; a number of more than 64 bits
                pass
        return _Pickled(pickle.dumps(sample, pickle.HIGHEST_PROTOCOL))


class _Pickled(bytes):
    """What pickle made."""


_EXACT = frozenset((str, int, float, bool, type(None)))
"""What MessagePack has; of dates and decimals it would make text."""
