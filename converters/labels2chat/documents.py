"""Strict YAML: what a template or a profile says, and at which line it says it.

Plain YAML 1.1 reads a class called `no` as False, `12:30:45` as 45045, keeps the last of two equal keys without a
word, and lets 306 bytes grow into gigabytes through aliases. Here scalars follow YAML 1.2's core schema
(https://yaml.org/spec/1.2.2/#103-core-schema, but with 007 kept as text), and aliases, tags and repeated keys are
refused with their place.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
import yaml

from labels2chat.errors import Labels2ChatError, did_you_mean

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,99})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

T = TypeVar("T")


class Document:
    """A parsed YAML text that still knows the place of each value.

    A path is written as msgspec writes it: '$.select.order', '$.user[2]'.
    """

    def __init__(self, text: str, name: str, error: type[Labels2ChatError]) -> None:
        self.name = name
        self.error = error
        self.places: dict[str, tuple[int, int]] = {}
        self.data = self._load(text)

    def fail(self, path: str, message: str) -> Labels2ChatError:
        """Make the error for the value at `path`: 'file:line:column: message'."""
        return self.error(f"{self.place(path)}: {message}")

    def place(self, path: str) -> str:
        """Return 'file:line:column' of the value at `path`, or of the nearest one around it."""
        while path not in self.places and path != "$":
            path = path[: max(path.rfind("."), path.rfind("["))] or "$"
        line, column = self.places.get(path, (1, 1))
        return f"{self.name}:{line}:{column}"

    def convert(self, type: type[T]) -> T:
        """Read the document as a msgspec Struct; unknown keys and wrong types raise with their place."""
        try:
            return msgspec.convert(self.data, type)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at ")
            path = path.strip("`") or "$"
            unknown = re.search(r"unknown field `(.*)`", message)
            if unknown:
                key = unknown.group(1)
                known = _fields_at(type, path)
                raise self.fail(f"{path}.{key}", f"unknown key {key!r}{did_you_mean(key, known)}") from None
            missing = re.search(r"missing required field `(.*)`", message)
            if missing:
                raise self.fail(path, f"the key {missing.group(1)!r} is missing") from None
            raise self.fail(path, f"{path[2:] or 'the file'}: {message[0].lower()}{message[1:]}") from None

    def _load(self, text: str) -> Any:
        if len(text) > MAX_BYTES:
            raise self.error(f"{self.name}: larger than {MAX_BYTES // 1024} KB; is this the right file?")
        try:
            depth = 0
            for event in yaml.parse(text, Loader=_Loader):
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
                self._refuse(event, depth)
            node = yaml.compose(text, Loader=_Loader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{self.name}:{mark.line + 1}:{mark.column + 1}" if mark else self.name
            problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable"
            if "nesting depth" in problem:  # PyYAML looks ahead, and from 6.0.4 on has a depth of its own
                raise self.error(f"{place}: nested more than {MAX_DEPTH} levels deep") from None
            raise self.error(f"{place}: not YAML: {problem}") from None
        if node is None:
            raise self.error(f"{self.name}: the file is empty")
        return self._value(node, "$")

    def _refuse(self, event: Any, depth: int) -> None:
        what = f"nested more than {MAX_DEPTH} levels deep" if depth > MAX_DEPTH else None
        if isinstance(event, yaml.AliasEvent):
            what = f"aliases (*{event.anchor}) are not allowed; write the value out"
        elif getattr(event, "anchor", None):
            what = f"anchors (&{event.anchor}) are not allowed; write the value out"
        elif getattr(event, "tag", None):
            what = f"tags ({event.tag}) are not allowed"
        if what:
            mark = event.start_mark
            raise self.error(f"{self.name}:{mark.line + 1}:{mark.column + 1}: {what}")

    def _value(self, node: Any, path: str) -> Any:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        self.places[path] = (line, column)
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.style else _plain(node.value)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, f"{path}[{i}]") for i, item in enumerate(node.value)]
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            here = f"{path}.{key}"
            self.places[here] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key, str):
                raise self.fail(here, "a key must be a word")
            if key in result:
                raise self.fail(here, f"the key {key!r} stands here twice")
            result[key] = self._value(value_node, here)
            self.places[here] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            self.places[f"{here}!"] = (value_node.start_mark.line + 1, value_node.start_mark.column + 1)
        return result


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and not re.fullmatch(r"[-+]?0[0-9]+", text):
        return float(text)
    return text


def _fields_at(type: Any, path: str) -> list[str]:
    """List the keys that the Struct at `path` of `type` knows."""
    info = msgspec.inspect.type_info(type)
    for step in re.findall(r"\.([^.\[\]]+)|(\[[^]]*\])", path):
        for option in getattr(info, "types", (info,)):
            inner = _step(option, step[0])
            if inner is not None:
                info = inner
                break
    return [f.encode_name for option in getattr(info, "types", (info,)) for f in getattr(option, "fields", ())]


def _step(info: Any, key: str) -> Any:
    if not key:
        return getattr(info, "item_type", None) or getattr(info, "value_type", None)
    return next((f.type for f in getattr(info, "fields", ()) if f.encode_name == key), None)
