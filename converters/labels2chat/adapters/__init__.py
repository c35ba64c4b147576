"""One module per source format: `read(path, **options) -> Source`, `detect(path)` and `OPTIONS`.

A new format is a new file here; its name is the scheme: `coco:instances.json`.
"""

from __future__ import annotations

import os
import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from labels2chat.errors import SourceError, UsageError, did_you_mean
from labels2chat.types import Option, Source


def adapter_names() -> list[str]:
    """List the formats that can be read."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def adapter(name: str) -> ModuleType:
    """Return the module that reads a format; raises UsageError that lists the known ones."""
    if name not in adapter_names():
        raise UsageError(f"no adapter {name!r}{did_you_mean(name, adapter_names())}")
    return import_module(f"labels2chat.adapters.{name}")


_COLLECTIONS = {"datasets": "hf", "fiftyone": "fiftyone"}
"""Package of a dataset object -> the adapter that reads it."""


def read(source: Any, **options: Any) -> Source:
    """Open a dataset: 'coco:instances.json', 'imagefolder:photos/', or a bare path whose format is found out.

    What datasets or fiftyone have at hand is read, too; a Source is returned as it is.
    `options` are the adapter's own (see `labels2chat adapters show NAME`); text is read as on the command line.
    Raises SourceError where the dataset can't be read, UsageError for an option that does not exist.
    """
    if isinstance(source, Source):
        return source
    if not isinstance(source, str | os.PathLike):
        if (known := collection_of(source)) is None:
            raise UsageError(f"a {type(source).__name__} can't be read: give a path, or what datasets or fiftyone load")
        return read_collection(known, source, **options)
    name, path = _split(os.fspath(source))
    module = adapter(name)
    return module.read(path, **_options(name, module.OPTIONS, options))  # type: ignore[no-any-return]


def collection_of(source: Any) -> str | None:
    """Name the adapter that reads an object of another library; None where there is none."""
    for base in type(source).__mro__:  # known by its package, which is not imported for this
        if (package := base.__module__.partition(".")[0]) in _COLLECTIONS:
            return _COLLECTIONS[package]
    return None


def read_collection(name: str, collection: Any, **options: Any) -> Source:
    """Open a dataset that is at hand as an object of another library; `name` is the adapter's."""
    module = adapter(name)
    return module.from_collection(collection, **_options(name, module.OPTIONS, options))  # type: ignore[no-any-return]


def _split(source: str) -> tuple[str, str]:
    scheme, colon, path = source.partition(":")
    if colon and scheme in adapter_names():
        return scheme, _at_home(path)
    if colon and len(scheme) > 1 and scheme.isidentifier() and not os.path.exists(source):
        raise UsageError(f"no adapter {scheme!r}{did_you_mean(scheme, adapter_names())}")
    if not os.path.exists(source):
        raise SourceError(f"there is no file or folder {source}")
    fitting = [name for name in adapter_names() if adapter(name).detect(Path(source))]
    if len(fitting) == 1:
        return fitting[0], source
    choices = ", ".join(f"{name}:{source}" for name in fitting or adapter_names())
    reason = "could be several formats" if fitting else "is no format that can be told from its content"
    raise SourceError(f"{source} {reason}; say which: {choices}")


def _at_home(path: str) -> str:
    """Put the home folder in place of ~, which shells leave alone behind a colon or an equals sign."""
    return path if os.path.exists(path) else os.path.expanduser(path)


def _options(name: str, known: dict[str, Option], given: dict[str, Any]) -> dict[str, Any]:
    values = {key: option.default for key, option in known.items() if option.default is not None}
    for key, value in given.items():
        if key not in known:
            raise UsageError(f"{name} has no option {key!r}{did_you_mean(key, known)}")
        values[key] = _value(key, known[key], value)
    return values


def _value(key: str, option: Option, value: Any) -> Any:
    if option.type == "flag" and isinstance(value, str):
        word = value.lower()
        if word in ("true", "yes", "1", "on"):
            return True
        if word in ("false", "no", "0", "off"):
            return False
        raise UsageError(f"-O {key}={value}: say true or false")
    if option.type == "folder" and isinstance(value, str):
        return _at_home(value)
    if option.type == "choice" and value not in option.choices:
        raise UsageError(f"-O {key}={value}{did_you_mean(str(value), option.choices)}")
    return value
