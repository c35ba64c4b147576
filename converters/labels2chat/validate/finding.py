"""What is wrong, and by whose word."""

from __future__ import annotations

from msgspec import Struct, field

from labels2chat.check import Tally
from labels2chat.errors import CODES, WARNINGS
from labels2chat.target import Target
from labels2chat.types import Problem

_SOURCES = {
    "example.json": "https://jsonlines.org, https://www.rfc-editor.org/rfc/rfc8259",
    "file.blank_line": "https://jsonlines.org",
    "file.encoding": "https://www.rfc-editor.org/rfc/rfc8259#section-8.1",
    "file.bom": "https://www.rfc-editor.org/rfc/rfc8259#section-8.1",
    "text.surrogate": "https://www.rfc-editor.org/rfc/rfc8259#section-8.2",
    "image.base64": "https://www.rfc-editor.org/rfc/rfc4648#section-4",
    "image.mime": "https://www.rfc-editor.org/rfc/rfc2397",
    "image.orientation": "EXIF 2.32, tag 274; no provider documents what it does with it",
    "image.animated": "no provider documents what it does with the other frames",
    "example.unknown_key": "https://github.com/openai/openai-cookbook, Chat_finetuning_data_prep: unrecognized keys",
    "example.duplicate": "no provider's rule: an example that is there twice counts twice",
    "file.hash": "manifest.json",
    "file.missing": "manifest.json",
    "manifest.accounting": "manifest.json",
}
"""Who says so, where it is not the target."""


class Finding(Struct):
    """One thing that is wrong: where, what, whose rule it breaks, and what to do."""

    file: str
    line: int
    """From 1; 0 where it is the file as a whole."""
    code: str
    where: str
    """The place in the line: 'messages[1].content[0].image_url.url'."""
    message: str
    rule: str
    """The source of the rule: the address, and when it was read."""
    remedy: str
    level: str
    """'error', or 'warning' for what no provider refuses."""
    fate: str = ""
    """What --fix did with the line: 'repaired', 'dropped', 'rejected'."""


class Verdict(Struct):
    """What was read and found."""

    targets: dict[str, str] = field(default_factory=dict)
    """The target that each file was held against."""
    files: dict[str, Tally] = field(default_factory=dict)
    """What each file holds; after --fix, what each written file holds."""
    findings: int = 0
    """How many errors."""
    warnings: int = 0
    by_code: dict[str, int] = field(default_factory=dict)
    """Errors and warnings."""
    lines: dict[str, int] = field(default_factory=dict)
    """What --fix did, in lines: kept, repaired, dropped, rejected."""
    urls: dict[str, int] = field(default_factory=dict)
    """What --check-urls did: addresses checked, redirected, inaccessible."""
    unmended: int = 0
    """How many errors --fix has left: lines that it rejected, and what is wrong with the files that it wrote."""


def finding(file: str, line: int, problem: Problem, target: Target, fate: str = "") -> Finding:
    """Complete a problem with its source, its remedy and its level."""
    code = problem.code
    rule = problem.rule or _SOURCES.get(code) or _of_the_target(code, target)
    level = "warning" if code in WARNINGS else "error"
    return Finding(file, line, code, problem.where, problem.message, rule, CODES[code], level, fate)


def _of_the_target(code: str, target: Target) -> str:
    """Cite what the target says about images, or about everything else; its first source where it says neither."""
    rule = target.formats if code[:6] == "image." else target.roles
    return target.cite(rule) if rule.source else f"{next(iter(target.sources.values()), '')} (as of {target.as_of})"
