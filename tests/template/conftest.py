"""Templates and samples in few words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from labels2chat.coordinates import CONVENTIONS
from labels2chat.template import Setting, Template
from labels2chat.template.load import parse_template
from labels2chat.types import Annotation, Image, Message, Sample


@pytest.fixture
def make_template() -> Callable[..., Template]:
    """`make_template(user="Hi", assistant="{{ class }}", mode="class")`: a template of these keys, as t.yaml."""

    def make(**keys: Any) -> Template:
        content = {"version": 1, "name": "t", "description": "d", "user": "Hi", "assistant": "ok"} | keys
        return parse_template(json.dumps({key: value for key, value in content.items() if value is not None}), "t.yaml")

    return make


@pytest.fixture
def make_sample() -> Callable[..., Sample]:
    """`make_sample("cat", "dog", captions=["a"])`: a sample with a box for each name, of growing size."""

    def make(*names: str, crowd: tuple[str, ...] = (), **keys: Any) -> Sample:
        boxes = [
            Annotation(name, (10.0 * i, 5.0 * i, 20.0 + 10 * i, 10.0 + 10 * i), i, name in crowd)
            for i, name in enumerate(names)
        ]
        keys = {"id": "s", "images": [Image("a.jpg", width=200, height=100)], "annotations": boxes} | keys
        return Sample(**keys)

    return make


@pytest.fixture
def make_setting() -> Callable[..., Setting]:
    """`make_setting("cat", "dog", seed=3)`: what a run adds, with these classes."""

    def make(*classes: str, coordinates: str = "pixel", **keys: Any) -> Setting:
        return Setting([*classes], CONVENTIONS[coordinates], **keys)

    return make


@pytest.fixture
def said() -> Callable[..., str]:
    """Return all the text of a role in a conversation."""

    def text(messages: list[Message], role: str = "assistant") -> str:
        return "|".join(part for m in messages if m.role == role for part in m.content if isinstance(part, str))

    return text
