"""The card of a dataset: README.md with the header from which a hub knows its splits, size and license.

The header: https://huggingface.co/docs/hub/datasets-cards and https://huggingface.co/docs/hub/datasets-manual-configuration.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from labels2chat.packs import PACKS

_LICENSES = re.compile(
    r"mit|apache-2\.0|bsd-[23]-clause|cc0-1\.0|cc-by(-nc)?(-sa|-nd)?-[234]\.0|odbl|odc-by|pddl|gpl-[23]\.0|cdla-[a-z]+-[12]\.0"
)
"""Identifiers that a hub knows: https://huggingface.co/docs/hub/repositories-licenses."""
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def card(manifest: dict[str, Any], kind: str, licenses: Iterable[str]) -> bytes:
    """Write the card of what a manifest lists; `licenses` are those that the source names."""
    examples: Counter[str] = Counter()
    for row in manifest["shards"]:
        examples[row["split"]] += row["examples"]
    files = [{"split": split, "path": f"{split}/*.{PACKS[kind]}"} for split in examples]
    total, found = examples.total(), list(dict.fromkeys(licenses))
    header: dict[str, Any] = {}
    if found:
        words = found[0].lower().replace(" ", "-")
        header["license"] = words if len(found) == 1 and _LICENSES.fullmatch(words) else "other"
    header |= {
        "task_categories": ["image-text-to-text"],
        "tags": ["labels2chat", manifest["template"]["name"], manifest["target"]["name"]],
        "size_categories": [next((name for most, name in _SIZES if total < most), "n>10M")],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    source = re.split(r"[/\\:]", manifest["source"]["uri"].rstrip("/\\"))[-1]  # where it lay is nobody's business
    options = manifest["options"]
    lines = [
        "---",
        yaml.safe_dump(header, sort_keys=False, allow_unicode=True).rstrip(),
        "---",
        f"# {Path(source).stem or 'dataset'}, {manifest['template']['name']}",
        "",
        f"{total:,} examples for fine-tuning a vision-language model, made by labels2chat {manifest['labels2chat']}.",
        "",
        "| split | examples |",
        "|---|---|",
        *(f"| {split} | {count:,} |" for split, count in examples.items()),
        "",
        f"- source: {source} ({manifest['source']['adapter']})",
        f"- template: {manifest['template']['name']} (sha256 {manifest['template']['sha256'][:12]})",
        f"- lines as {manifest['target']['name']} reads them, method {options['method']}",
        f"- coordinates: {options['coordinates']}",
        f"- samples: {manifest['samples']['read']:,} read, {manifest['samples']['converted']:,} converted",
    ]
    if found:
        lines.append(f"- licenses named by the source: {'; '.join(' '.join(name.split()) for name in found)}")
    if kind == "parquet":
        lines += ["", "```python", "from datasets import load_dataset", "", 'dataset = load_dataset("PATH")', "```"]
    return "\n".join([*lines, ""]).encode("utf-8", "replace")
