"""Keys that stand twice in one object, found without parsing every line twice."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels2chat.targets._twice import key_twice

WORDS = st.text(st.sampled_from('ab"\\:{}, \u00e9'), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_no_key_stands_twice_in_what_a_library_writes(value: Any, plain: bool, indent: int | None) -> None:
    line = json.dumps(value, ensure_ascii=plain, indent=indent).encode()
    assert key_twice(line, msgspec.json.decode(line)) is None


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.dictionaries(WORDS, VALUES, min_size=1, max_size=4), VALUES, st.sampled_from([":", " : "]))
def test_a_key_that_is_added_again_is_found(content: dict[str, Any], value: Any, colon: str) -> None:
    key = next(iter(content))
    again = json.dumps(key) + colon + json.dumps(value)
    line = f"[{json.dumps(content)[:-1]}, {again}}}]".encode()
    assert key_twice(line, msgspec.json.decode(line)) == key


@pytest.mark.parametrize("gap", [0, 500, 1023, 1024, 1025, 5000])
def test_marks_far_from_each_other(gap: int) -> None:
    line = b'{"a": "%s", "b": "%s", "a": 1}' % (b"x" * gap, b"\\u0022" * gap)
    assert key_twice(line, msgspec.json.decode(line)) == "a"
    line = line.replace(b'"a": 1', b'"c": 1')
    assert key_twice(line, msgspec.json.decode(line)) is None


def test_an_image_with_a_mark_in_it() -> None:
    line = b'{"url": "data:image/png;base64,\\"", "b": 1}'
    assert key_twice(line, msgspec.json.decode(line)) is None
