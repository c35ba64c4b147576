"""What a dataset's card says of its configurations and its classes: the YAML at the head of README.md.

https://huggingface.co/docs/hub/datasets-manual-configuration
"""

from __future__ import annotations

import glob
import json
import os
import re
from pathlib import Path
from typing import Any

from labels2chat.documents import Document
from labels2chat.errors import SourceError

_HEAD = re.compile(r"\s*---[ \t]*\n(.*?\n)---[ \t]*(\n|$)", re.DOTALL)


def configurations(said: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what a card says of each configuration."""
    return {str(one.get("config_name", "default")): one for one in _dicts(said.get("configs"))}


def classes(said: dict[str, Any], config: str | None) -> dict[str, Any]:
    """Return the entries of a configuration's columns that list names of classes, by the columns' names."""
    info = said.get("dataset_info")
    infos = {str(one.get("config_name", "default")): one for one in _dicts(info if isinstance(info, list) else [info])}
    lone = len(infos) == 1 and (config is None or "default" in infos)
    one = next(iter(infos.values())) if lone else infos.get(config or "default", {})
    entries = {str(entry.get("name")): entry for entry in _dicts(one.get("features"))}
    return {name: entry for name, entry in entries.items() if "class_label" in json.dumps(entry, default=str)}


def read_card(root: str) -> dict[str, Any]:
    """Return what the card in a folder says; nothing where it has no YAML that can be read."""
    try:
        head = _HEAD.match(Path(root, "README.md").read_text(errors="replace"))
        content = Document(head.group(1), "README.md", SourceError).data if head else None
    except (OSError, SourceError):
        return {}
    return content if isinstance(content, dict) else {}


def _dicts(listed: Any) -> list[dict[str, Any]]:
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def chosen(known: dict[str, dict[str, Any]], where: str) -> str | None:
    """Return the configuration that is read where none is asked for: the default, or the only one.

    Raises SourceError where neither says which.
    """
    marked = [name for name, one in known.items() if one.get("default") is True or name == "default"]
    if not marked and len(known) > 1:
        raise SourceError(f"{where} has {len(known)} configurations; say which: -O config={', '.join(known)}")
    return next(iter(marked or known), None)


def data_files(root: str, one: dict[str, Any]) -> dict[str, str]:
    """Return the files of a configuration that are there, relative to `root`; with the split of each, '' if unsaid."""
    folder = one.get("data_dir")
    given = one.get("data_files", "**" if folder else None)
    if isinstance(given, dict):
        given = [{"split": split, "path": paths} for split, paths in given.items()]
    found: dict[str, str] = {}
    for entry in given if isinstance(given, list) else [given]:
        unsaid = "train" if "data_files" in one else ""
        split, paths = (entry.get("split"), entry.get("path")) if isinstance(entry, dict) else (unsaid, entry)
        for path in paths if isinstance(paths, list) else [paths]:
            pattern = os.path.normpath(os.path.join(str(folder or ""), str(path or "")))
            if path and not os.path.isabs(pattern) and not pattern.startswith(".."):
                for name in sorted(glob.glob(pattern, root_dir=root, recursive=True)):
                    found.setdefault(name, str(split or ""))
    return {name: split for name, split in found.items() if os.path.isfile(os.path.join(root, name))}
