"""Hold a whole file against a target's rules."""

from __future__ import annotations

from msgspec import Struct

from labels2chat.target import Target
from labels2chat.types import Problem


class Tally(Struct):
    """What a file holds: the numbers that its own limits are about."""

    examples: int = 0
    image_examples: int = 0
    images: int = 0
    bytes: int = 0

    def add(self, images: int, size: int) -> None:
        """Count one line of `size` bytes (line end included) with so many images."""
        self.examples += 1
        self.image_examples += images > 0
        self.images += images
        self.bytes += size

    def full(self, images: int, size: int, target: Target) -> bool:
        """Whether one more line would take the file over a limit."""
        if self.bytes + size > target.file_bytes.value or self.examples >= target.examples_per_file.value:
            return True
        return images > 0 and self.image_examples >= target.image_examples_per_file.value


def check_file(tally: Tally, target: Target) -> list[Problem]:
    """Return what is wrong with a file as a whole."""
    problems = []
    least, most = target.examples_per_file_min, target.image_examples_per_file
    if tally.examples < least.value:
        text = f"{tally.examples} examples; at least {least.value} are needed"
        problems.append(Problem("file.too_few", text, "", target.cite(least)))
    if tally.image_examples > most.value:
        text = f"{tally.image_examples:,} examples with images; at most {most.value:,} are taken"
        problems.append(Problem("file.too_many", text, "", target.cite(most)))
    if tally.examples > (limit := target.examples_per_file).value:
        text = f"{tally.examples:,} examples; at most {limit.value:,} are taken"
        problems.append(Problem("file.too_many", text, "", target.cite(limit)))
    if tally.bytes > target.file_bytes.value:
        text = f"{tally.bytes:,} bytes; at most {target.file_bytes.value:,} are taken"
        problems.append(Problem("file.too_large", text, "", target.cite(target.file_bytes)))
    return problems
