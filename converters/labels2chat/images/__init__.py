"""Load, measure, fit and prepare images.

`load` gets the bytes, or `ends` some of them, `measure` reads a header, `fit` chooses the delivered size by
arithmetic, `deliver` moves the labels into that frame, `prepare` makes exactly those pixels. Text is written between
fit and prepare, so boxes and pixels can't disagree. Where a `Policy` limits the bytes, `settle` tries sizes and
qualities before the text.
"""

from labels2chat.images.crop import around, closeup
from labels2chat.images.fit import Fit, fit
from labels2chat.images.frame import back, crop_of, deliver
from labels2chat.images.header import FORMATS, MAX_PIXELS, Header, measure, measure_ends
from labels2chat.images.load import ends, load, parts, read_at
from labels2chat.images.pixels import decode
from labels2chat.images.policy import AS_IT_IS, Policy
from labels2chat.images.prepare import choose, prepare, settle
from labels2chat.images.strip import strip
from labels2chat.images.verify import verify

__all__ = [
    "AS_IT_IS",
    "FORMATS",
    "MAX_PIXELS",
    "Fit",
    "Header",
    "Policy",
    "around",
    "back",
    "choose",
    "closeup",
    "crop_of",
    "decode",
    "deliver",
    "ends",
    "fit",
    "load",
    "measure",
    "measure_ends",
    "parts",
    "prepare",
    "read_at",
    "settle",
    "strip",
    "verify",
]
