"""Load, measure, fit and prepare images.

`load` gets the bytes, `measure` reads a header, `fit` chooses the delivered size by arithmetic, `deliver` moves the
labels into that frame, `prepare` makes exactly those pixels. Text is written between fit and prepare, so boxes and
pixels can't disagree.
"""

from labels2chat.images.fit import Fit, fit
from labels2chat.images.frame import back, crop_of, deliver
from labels2chat.images.header import FORMATS, MAX_PIXELS, Header, measure
from labels2chat.images.load import load
from labels2chat.images.prepare import prepare, verify

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "Fit",
    "Header",
    "back",
    "crop_of",
    "deliver",
    "fit",
    "load",
    "measure",
    "prepare",
    "verify",
]
