"""What is wrong with a template is said when it is loaded, with its place, and before any data is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labels2chat import Sample, Source, convert, load_template
from labels2chat.errors import TemplateError, UsageError
from labels2chat.template import Template, template_names
from labels2chat.template.load import parse_template

HEAD = "version: 1\nname: t\ndescription: d\n"

WRONG: list[tuple[str, str, str]] = [
    # what is wrong, the text after HEAD (its first line is 4), the message
    ("an unknown key", "usr: a\nassistant: b\n", "t.yaml:4:1: unknown key 'usr' (did you mean 'user'?)"),
    (
        "a misspelt key deep down",
        "select:\n  odrer: area_desc\nuser: a\nassistant: b\n",
        "t.yaml:5:3: unknown key 'odrer' (did you mean 'order'?)",
    ),
    (
        "a misspelt key of a wording",
        "user: a\nassistant:\n  jsn: labels\n",
        "t.yaml:6:3: unknown key 'jsn' (did you mean 'json'?)",
    ),
    ("a wrong type", "user: 5\nassistant: b\n", "t.yaml:4:1: user: expected"),
    ("a wrong type deep down", "select: {max_labels: many}\nuser: a\nassistant: b\n", "t.yaml:4:10: select.max_labels"),
    ("a wrong word", "mode: images\nuser: a\nassistant: b\n", "t.yaml:4:1: mode: invalid enum value 'images'"),
    (
        "a kind that does not exist",
        "requires: [box]\nuser: a\nassistant: b\n",
        "t.yaml:4:12: requires[0]: invalid enum",
    ),
    ("no assistant", "user: a\n", "t.yaml:1:1: the template has no assistant message"),
    ("no user", "assistant: a\n", "t.yaml:1:1: the template has no user message"),
    (
        "no assistant among the messages",
        "messages:\n  - {role: user, content: a}\n",
        "t.yaml:4:1: the template has no assistant message",
    ),
    (
        "a role that does not exist",
        "messages:\n  - {role: robot, content: a}\n",
        "t.yaml:5:6: messages[0].role: invalid enum value 'robot'",
    ),
    (
        "both forms",
        "messages:\n  - {role: user, content: a}\n  - {role: assistant, content: b}\nuser: a\n",
        "t.yaml:7:1: give either messages or user, not both",
    ),
    ("an empty list", "user: []\nassistant: b\n", "t.yaml:4:1: an empty list"),
    ("neither text nor json", "user: a\nassistant: {weight: 2}\n", "t.yaml:5:1: give either text or json"),
    ("text and json", "user: a\nassistant: {text: a, json: labels}\n", "t.yaml:5:1: give either text or json"),
    ("a weight of 0", "user: a\nassistant: {text: a, weight: 0}\n", "t.yaml:5:22: a weight is above 0"),
    ("a weight below 0", "user: [{text: a, weight: -1}, b]\nassistant: a\n", "t.yaml:4:18: a weight is above 0"),
    (
        "a convention that does not exist",
        "coordinates: pixels\nuser: a\nassistant: b\n",
        "t.yaml:4:1: no coordinate convention 'pixels' (did you mean 'pixel'?)",
    ),
    # Jinja
    (
        "an undefined variable",
        "user: a\nassistant: '{{ clas }}'\n",
        "t.yaml:5:1: undefined variable 'clas' (did you mean",
    ),
    ("one that is far from all", "user: '{{ zzz }}'\nassistant: b\n", "t.yaml:4:1: undefined variable 'zzz' (known: "),
    (
        "one in the third paraphrase",
        "user:\n  - a\n  - b\n  - 'c {{ nothing }}'\nassistant: b\n",
        "t.yaml:7:5: undefined variable 'nothing'",
    ),
    ("one of another mode", "user: a\nassistant: '{{ count }}'\n", "t.yaml:5:1: undefined variable 'count'"),
    ("one of ours", "user: a\nassistant: '{{ _convention }}'\n", "t.yaml:5:1: undefined variable '_convention'"),
    ("one in an expression", "user: a\nassistant: {json: lables}\n", "t.yaml:5:13: undefined variable 'lables'"),
    ("one in a branch not taken", "user: a\nassistant: '{% if false %}{{ x }}{% endif %}b'\n", "t.yaml:5:1: undefined"),
    (
        "a misspelt field",
        "user: a\nassistant: '{{ image.widht }}'\n",
        "t.yaml:5:1: 'dict object' has no attribute 'widht'",
    ),
    (
        "a misspelt field of a label",
        "user: a\nassistant: '{% for l in labels %}{{ l.clas }}{% endfor %}.'\n",
        "t.yaml:5:1: 'dict object' has no attribute 'clas'",
    ),
    (
        "a misspelt field in an expression",
        "user: a\nassistant: {json: image.hight}\n",
        "t.yaml:5:13: 'dict object' has no attribute 'hight'",
    ),
    (
        "a misspelt parameter",
        "params: {n: 1}\nuser: '{{ params.m }}'\nassistant: b\n",
        "t.yaml:5:1: 'dict object' has no",
    ),
    ("no end of an expression", "user: '{{ image'\nassistant: b\n", "t.yaml:4:1: unexpected end of template"),
    ("no end of a block", "user: '{% if class %}a'\nassistant: b\n", "t.yaml:4:1: Unexpected end of template"),
    (
        "the line inside a long text",
        "user: |\n  one\n  two\n  {% fi %}\nassistant: b\n",
        "t.yaml:4:1: Encountered unknown tag 'fi'. (line 3 of the text)",
    ),
    (
        "an unknown filter",
        "user: '{{ class | plurals }}'\nassistant: b\n",
        "t.yaml:4:1: No filter named 'plurals' (did you mean 'plural'?)",
    ),
    (
        "a filter that only the sandbox may use",
        "user: '{{ none | _detections }}'\nassistant: b\n",
        "t.yaml:4:1: No filter named '_detections' (did you mean 'detections'?)",
    ),
    ("an unknown test", "user: '{{ class is big }}'\nassistant: b\n", "t.yaml:4:1: No test named 'big'."),
    ("an expression that is none", "user: a\nassistant: {json: 'labels |'}\n", "t.yaml:5:13: "),
    ("division by zero", "user: '{{ 1 / 0 }}'\nassistant: b\n", "t.yaml:4:1: division by zero"),
    (
        "the first of no labels",
        "user: '{{ labels[0].label }}'\nassistant: b\n",
        "t.yaml:4:1: list object has no element 0",
    ),
    ("a choice of none", "user: '{{ labels | choice }}'\nassistant: b\n", "t.yaml:4:1: "),
    (
        "more images than there are",
        "user: '<image> and <image>'\nassistant: b\n",
        "t.yaml:1:1: the template has more <image>",
    ),
    (
        "a text of a million characters",
        "user: " + "{{ 'aaaaaaaaaa' * 1000 }}".join(["x"] * 102) + "\nassistant: b\n",
        "t.yaml:4:1: the text is longer than 1,000,000 characters",
    ),
]


@pytest.mark.parametrize(("text", "message"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(HEAD + text, "t.yaml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("detct", "no template 'detct' (did you mean 'detect'?); a file of your own is named by its path, mine.yaml"),
        ("zzzz", "no template 'zzzz' (known: attributes, caption, "),
        ("nowhere.yaml", "cannot read the template nowhere.yaml: No such file or directory"),
        ("mine.json", "no template 'mine.json'"),
        ("", "no template ''"),
        ("../templates/detect", "no template '../templates/detect'"),
    ],
)
def test_no_such_template(name: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        load_template(name)
    assert str(caught.value).startswith(message)


def test_a_folder_is_no_template(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(TemplateError, match="Is a directory"):
        load_template(str(tmp_path / "a.yaml"))


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(HEAD + "user: a\nassistant: b\n")
    template = load_template(str(path))
    assert (template.name, template.width) == ("t", 1)
    path.write_text(HEAD + "user: a\nasistant: b\n")
    with pytest.raises(TemplateError, match=rf"^{path}:5:1: unknown key 'asistant'"):
        load_template(str(path))


def test_names_are_sorted() -> None:
    assert template_names() == sorted(template_names())
    assert {"caption", "classify", "count", "detect"} <= set(template_names())


# joined to a source


def untouched(kinds: set[str], *categories: str) -> Source:
    """A source that must not be read."""

    def read() -> Iterator[Sample]:
        raise AssertionError("the data was read")
        yield

    def fingerprint() -> str:
        raise AssertionError("the data was read")

    return Source("coco:a.json", "coco", read, fingerprint, frozenset(kinds), [*categories])


@pytest.mark.parametrize(
    ("keys", "kinds", "message"),
    [
        ({"requires": ["boxes"]}, {"captions"}, "template t needs boxes; coco:a.json has captions"),
        ({"requires": ["class"]}, {"boxes", "captions"}, "template t needs class; coco:a.json has boxes, captions"),
        ({"requires": ["boxes", "captions"]}, set(), "template t needs boxes, captions; coco:a.json has no labels"),
        ({"class_names": {"cta": "kitten"}}, {"boxes"}, "the source has no class 'cta' (did you mean 'cat'?)"),
        ({"class_names": {"cat": None, "zebra": "x"}}, {"boxes"}, "the source has no class 'zebra' (known: cat, dog)"),
    ],
)
def test_what_the_source_lacks(
    keys: dict[str, Any], kinds: set[str], message: str, make_template: Callable[..., Template], tmp_path: Path
) -> None:
    with pytest.raises(TemplateError) as caught:
        convert(untouched(kinds, "cat", "dog"), make_template(**keys), tmp_path / "out")
    place, said = str(caught.value).split(": ", 1)
    assert place.startswith("t.yaml:1:")
    assert said.startswith(message)
    assert not (tmp_path / "out").exists()


def test_the_place_of_what_the_source_lacks(tmp_path: Path) -> None:
    text = HEAD + "requires: [boxes]\nclass_names:\n  cat: kitten\n  cta: x\nuser: a\nassistant: b\n"
    template = parse_template(text, "t.yaml")
    with pytest.raises(TemplateError, match=r"^t\.yaml:4:1: template t needs boxes"):
        template.setting(untouched({"class"}, "cat"), "pixel")
    with pytest.raises(TemplateError, match=r"^t\.yaml:7:3: the source has no class 'cta'"):
        template.setting(untouched({"boxes"}, "cat"), "pixel")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nmae": "1"}, r"template t has no parameter 'nmae' \(did you mean 'name'\?\)"),
        ({"many": "lots"}, r"-p many=lots: not a value of type int"),
        ({"many": "1.5"}, r"-p many=1\.5: not a value of type int"),
        ({"share": "x"}, r"-p share=x: not a value of type float"),
        ({"loud": "maybe"}, r"-p loud=maybe: not a value of type bool"),
    ],
)
def test_wrong_parameters(
    given: dict[str, Any], message: str, make_template: Callable[..., Template], tmp_path: Path
) -> None:
    template = make_template(params={"name": "x", "many": 3, "share": 0.5, "loud": False})
    with pytest.raises(UsageError, match=message):
        convert(untouched(set()), template, tmp_path / "out", params=given)
    assert not (tmp_path / "out").exists()


def test_parameters_are_read_as_their_defaults_are(make_template: Callable[..., Template]) -> None:
    template = make_template(params={"name": "x", "many": 3, "share": 0.5, "loud": False})
    assert template.params({"many": "7", "share": "1", "loud": "true", "name": "5"}) == {
        "name": "5",
        "many": 7,
        "share": 1.0,
        "loud": True,
    }
    assert template.params({"many": 7, "loud": True})["many"] == 7
    with pytest.raises(UsageError, match="has no parameter 'key'"):
        make_template().params({"key": "x"})
