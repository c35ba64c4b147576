"""Labelled vision datasets in, fine-tuning data for vision-language models out.

    from labels2chat import convert
    convert("coco:instances.json", "detect", "out", options={"images": "photos"})

What stands here is loaded when it is first asked for, so that `labels2chat --help` answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from labels2chat.adapters import read
    from labels2chat.errors import Labels2ChatError
    from labels2chat.estimate import Estimate
    from labels2chat.images import Policy
    from labels2chat.road import Progress, Result, convert
    from labels2chat.target import Target, load_target
    from labels2chat.template import Template, load_template
    from labels2chat.types import Annotation, Example, Image, Message, Picture, Problem, Sample, Source
    from labels2chat.validate import Verdict

_HOMES = {
    "adapters": ("read",),
    "errors": ("Labels2ChatError",),
    "images": ("Policy",),
    "estimate": ("Estimate",),
    "road": ("Progress", "Result", "convert"),
    "target": ("Target", "load_target"),
    "template": ("Template", "load_template"),
    "types": ("Annotation", "Example", "Image", "Message", "Picture", "Problem", "Sample", "Source"),
    "validate": ("Verdict",),
}

__all__ = [
    "Annotation",
    "Estimate",
    "Example",
    "Image",
    "Labels2ChatError",
    "Message",
    "Picture",
    "Policy",
    "Problem",
    "Progress",
    "Result",
    "Sample",
    "Source",
    "Target",
    "Template",
    "Verdict",
    "convert",
    "load_target",
    "load_template",
    "read",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f"labels2chat.{home}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'labels2chat' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
