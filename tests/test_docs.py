"""The pages tell the truth: their blocks load and run, and they name every key, filter, convention and option."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from labels2chat.cli import cli
from labels2chat.cli.convert_command import convert
from labels2chat.coordinates import CONVENTIONS
from labels2chat.errors import CODES
from labels2chat.images import Policy
from labels2chat.parse.rows import ANSWER_KEYS, ID_KEYS, NAME_KEYS
from labels2chat.template import Setting, parse_template
from labels2chat.template.filters import FILTERS
from labels2chat.template.schema import File, Negatives, Sampling, Select
from labels2chat.types import Annotation, Image, Sample

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "templates.md").read_text()
IMAGES = (DOCS / "images.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_loads(block: str) -> None:
    """Each YAML block is a whole, sound template."""
    assert parse_template(block, "templates.md").name


def test_the_page_names_everything() -> None:
    """Keys, filters and conventions that are not on the page are features that nobody will find."""
    names = [field for struct in (File, Select, Sampling, Negatives) for field in struct.__struct_fields__]
    missing = [name for name in (*names, *FILTERS, *CONVENTIONS) if name not in PAGE]
    assert not missing


def test_the_smallest_one_counts() -> None:
    """The page's first template does what it says."""
    template = parse_template(BLOCKS[0], "templates.md")
    boxes = [("car", 10, "red"), ("car", 30, "blue"), ("car", 60, "red"), ("car", 90, "red"), ("tree", 80, "green")]
    annotations = [Annotation(name, (x, 0, 9, 9), attributes={"color": color}) for name, x, color in boxes]
    sample = Sample("1", [Image("a.jpg", width=200, height=100)], annotations)
    setting = Setting(["car", "tree"], CONVENTIONS["pixel"])
    assert template.render(sample, setting)[0].messages[-1].content == ["2"]


@pytest.mark.parametrize("command", re.findall(r"^labels2chat convert (.*)$", IMAGES, re.MULTILINE))
def test_a_command_of_the_page_on_images_is_one(command: str) -> None:
    """Options that don't exist, and values that they don't take, end this."""
    given = convert.make_context("convert", shlex.split(command), **cli.context_settings).params
    assert given["coordinates"] is None or given["coordinates"] in CONVENTIONS


def test_the_page_on_images_names_every_option() -> None:
    options = {param.name: param.opts[0] for param in convert.params}
    wanted = [*(name for name in Policy.__struct_fields__ if name != "scale"), "fit_file", "verify"]
    assert [name for name in wanted if f"`{options[name]}" not in IMAGES] == []


def test_the_page_on_answers_names_everything() -> None:
    """Each key of a row and each code of a reject."""
    page = (Path(__file__).resolve().parent.parent / "docs" / "parse.md").read_text()
    names = [*ID_KEYS, *NAME_KEYS, *ANSWER_KEYS, *(code for code in CODES if code.startswith("answer."))]
    assert not [name for name in names if f"`{name}`" not in page]
