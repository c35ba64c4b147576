"""What an estimate says."""

from __future__ import annotations

from msgspec import Struct, field

from labels2chat.estimate.histogram import Lengths
from labels2chat.estimate.prices import Price


class Row(Struct):
    """A split, or all of them. Under --sample everything but `units` is scaled up from the drawn ones."""

    split: str
    units: int
    """Samples of a dataset, lines of files: all of them, drawn or not."""
    drawn: int
    """How many of them were counted."""
    examples: int
    images: int
    text_tokens: int
    image_tokens: int
    overhead_tokens: int
    """Around messages and examples."""
    tokens: int
    """What one epoch trains on. Of lines over the ceiling so much as is read, so it may be below the sum of parts."""
    plus_minus: int
    """Two standard errors of `tokens`, 19 times of 20; 0 where all was counted."""
    over_ceiling: int
    """Examples over it: cut off in a file, left out of a dataset by `convert`."""
    billed: bool
    """False for a validation split beside others."""
    cost_per_epoch: float | None
    """US dollars; None where no price is known."""
    cost: float | None
    cost_plus_minus: float | None


class Epochs(Struct):
    """How often the file is gone through."""

    number: int
    source: str
    """'given', or whose rule it is."""


class Ceiling(Struct):
    """The most tokens of one example."""

    tokens: int
    source: str


class BigExample(Struct):
    """One of the biggest examples."""

    place: str
    split: str
    tokens: int
    text: int
    images: int
    pictures: int


class Estimate(Struct):
    """Tokens and cost of a training."""

    model: str
    target: str
    unit: str
    """'samples' or 'lines'."""
    tokenizer: str
    """'o200k_base', or 'estimate'."""
    exact: bool
    """Whether everything was counted: all units, text with the model's vocabulary, images by a rule that bills confirm,
    each with its size and with a detail, low or high.

    Bills are within 1 % of it all the same, for what is around messages is known from bills only.
    """
    sample: int | None
    """So many units of each split were drawn; None where all were counted."""
    epochs: Epochs
    price: Price | None
    ceiling: Ceiling | None
    total: Row
    splits: list[Row]
    details: dict[str, dict[str, int]]
    """Model -> {'low', 'high'} -> tokens of all images in all splits, if all had this detail."""
    image_tokens_least: int
    """With detail auto, or none, charged as low; `total.image_tokens` charges it as high."""
    lengths: Lengths
    biggest: list[BigExample]
    left_out: dict[str, int]
    """Code -> samples, examples or lines that would not be trained on."""
    notes: list[str] = field(default_factory=list)
    """What the numbers rest on."""
    warnings: list[str] = field(default_factory=list)
