"""Read a template file and check all that can be checked before any data is read."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import TemplateSyntaxError, nodes
from jinja2.exceptions import TemplateError as JinjaError

from labels2chat.coordinates import CONVENTIONS, convention
from labels2chat.documents import Document
from labels2chat.errors import RecordError, TemplateError, UsageError, did_you_mean
from labels2chat.template.direct import DIRECT, directly
from labels2chat.template.filters import DRAWN, FILTERS, all_detections
from labels2chat.template.render import REHEARSAL, VARIABLES, Block, Setting, Template, Text, Words
from labels2chat.template.sandbox import Sandbox
from labels2chat.template.schema import File, Turn, Variant, Wording
from labels2chat.types import Annotation, Image, Keypoint, Question, Sample

_MARK = f"\ue000{secrets.randbits(128)}\ue001"
"""What <image> in a template's own text becomes before rendering. No label can hold it: text is data. Digits alone, so
that a filter such as upper leaves it as it is."""

_PLACING = frozenset(("box", "boxes", "detections", "point", "position", "shifted"))
"""Filters that write where an object is."""

_PLACES = frozenset(("box", "point", "bbox", "area", "left", "top", "right", "bottom", "x", "y"))
"""Fields of a label that come from its box, and the parts that `objects` makes of it."""

_OF_ONE_IMAGE = frozenset(("polygon", "keypoints", "inventory"))
"""Filters, and parts that `objects` makes, that further go by the image in which an object is."""

_SAME_FOR_ALL = {"params", "classes", "coords_note", "answer_format"}
"""Variables that don't change from sample to sample (coords_note may: see Setting.rendered)."""


def template_folder() -> Path:
    """Find the built-in templates: inside the installed package, else at the top of the checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent.parent / "templates"


def template_names() -> list[str]:
    """List the built-in templates."""
    return sorted(path.stem for path in template_folder().glob("*.yaml"))


def load_template(name: str) -> Template:
    """Read a built-in template by name, or a file of the user's own by path (ending in .yaml or .yml).

    Raises TemplateError, with file, line and column, for all that is wrong with it.
    """
    if name in template_names():
        path, label = template_folder() / f"{name}.yaml", f"templates/{name}.yaml"
    elif name.endswith((".yaml", ".yml")):
        path, label = Path(name), name
    else:
        hint = did_you_mean(name, template_names())
        raise TemplateError(f"no template {name!r}{hint}; a file of your own is named by its path, mine.yaml")
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise TemplateError(f"cannot read the template {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TemplateError(f"cannot read the template {name}: it is not UTF-8 text") from None
    return parse_template(text, label)


def parse_template(text: str, label: str) -> Template:
    """Compile a template from its text; `label` is the file name for messages."""
    document = Document(text, label, TemplateError)
    file = document.convert(File)
    if file.crop is not None and (file.mode != "label" or file.images == "none"):
        raise document.fail("$.crop", "a crop goes with mode: label, and with images")
    if file.coordinates:
        try:
            convention(file.coordinates)
        except UsageError as error:
            raise document.fail("$.coordinates", str(error)) from None
    compiler = _Compiler(document, file)
    scripts, rejected = compiler.scripts()
    if "count" in compiler.names:
        file.select.exhaustive = True  # what is not fully labelled can't be counted
    template = Template(
        file=file,
        scripts=scripts,
        rejected=rejected,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        mark=_MARK,
        names=frozenset(compiler.names),
        document=document,
        one_image=compiler.one_image(),
        places=(compiler.places or file.crop is not None) and {"masks", "keypoints"}.isdisjoint(file.requires),
    )
    _rehearse(template, compiler.words_named)
    return template


@cache
def sandbox() -> Sandbox:
    """Return the environment that all templates are compiled in."""
    return Sandbox({**FILTERS, DIRECT: all_detections})


class _Compiler:
    """Compiles each wording of one file, and knows where it stands."""

    def __init__(self, document: Document, file: File) -> None:
        self.document, self.file, self.sandbox = document, file, sandbox()
        self.names: set[str] = set()
        self.words_named: set[str] = set()
        self.places = False
        self.used: set[str] = set()

    def scripts(self) -> tuple[list[list[Block]], list[Words | None]]:
        """Bring the short form, the long form and the variants to lists of blocks, and the rejected answer of each."""
        file = self.file
        short = {role: getattr(file, role) for role in ("system", "user", "assistant")}
        worse = self.words(file.rejected, "$.rejected") if file.rejected is not None else None
        if file.messages is not None:
            self._clash("messages", [role for role, wording in short.items() if wording is not None])
            blocks = [self.block(turn, f"$.messages[{i}]") for i, turn in enumerate(file.messages)]
            self._roles(blocks, "$.messages")
            return [blocks], [worse]
        if file.variants is None:
            blocks = self._short(short, "$")
            return [blocks], [worse]
        self._clash("variants", [role for role in ("user", "assistant") if short[role] is not None])
        scripts, rejected = [], []
        for i, variant in enumerate(file.variants):
            wordings = {"system": short["system"], **variant}
            scripts.append(self._short(wordings, f"$.variants[{i}]"))
            own = variant.get("rejected")
            rejected.append(self.words(own, f"$.variants[{i}].rejected") if own is not None else worse)
        if not scripts:
            raise self.document.fail("$.variants", "an empty list: give at least one variant")
        return scripts, rejected

    def one_image(self) -> bool:
        """Whether the texts say places or counts, and not of which image."""
        file = self.file
        told = self.places or not _OF_ONE_IMAGE.isdisjoint(self.used) or not {"count", "counts"}.isdisjoint(self.names)
        ordered = file.select.order not in ("source", "class", "score_desc")
        return (told or ordered) and "image" not in self.used and file.mode != "group" and file.crop is None

    def _short(self, wordings: dict[Any, Any], path: str) -> list[Block]:
        blocks = []
        for role in ("system", "user", "assistant"):
            if wordings.get(role) is not None:
                place = f"$.{role}" if role == "system" and path != "$" else f"{path}.{role}"
                blocks.append(Block(role, self.words(wordings[role], place)))
        self._roles(blocks, path)
        return blocks

    def _roles(self, blocks: list[Block], path: str) -> None:
        roles, stack = set(), list(blocks)
        while stack:
            block = stack.pop()
            roles.add(block.role)
            stack += block.do
        for role in ("user", "assistant"):
            if role not in roles:
                raise self.document.fail(path, f"the template has no {role} message")

    def _clash(self, form: str, others: list[str]) -> None:
        if others:
            raise self.document.fail(f"$.{others[0]}", f"give either {form} or {others[0]}, not both")

    def block(self, turn: Turn, path: str, inside: bool = False) -> Block:
        """Compile one message or loop of the long form."""
        if turn.loop is not None:
            if turn.do is None or turn.role is not None or turn.content is not None:
                raise self.document.fail(path, "a block is {for: expression, do: [messages]}")
            loop = self.text(Variant(json=turn.loop), f"{path}.for", inside)
            return Block(loop=loop, do=[self.block(inner, f"{path}.do[{i}]", True) for i, inner in enumerate(turn.do)])
        if turn.role is None or turn.content is None:
            raise self.document.fail(path, "a message has a role and content")
        if turn.weight is not None and turn.role != "assistant":
            raise self.document.fail(f"{path}.weight", "a weight goes with an assistant message")
        return Block(turn.role, self.words(turn.content, f"{path}.content", inside), turn.weight, turn.name)

    def words(self, wording: Wording, path: str, inside: bool = False) -> Words:
        """Compile the paraphrases of one message."""
        items = wording if isinstance(wording, list) else [wording]
        if not items:
            raise self.document.fail(path, "an empty list: give at least one wording")
        texts = []
        for i, item in enumerate(items):
            place = f"{path}[{i}]" if isinstance(wording, list) else path
            variant = Variant(text=item) if isinstance(item, str) else item
            if (variant.text is None) == (variant.json is None):
                raise self.document.fail(place, "give either text or json")
            if not variant.weight > 0:
                raise self.document.fail(f"{place}.weight", "a weight is above 0")
            if isinstance(item, Variant):
                place += ".json" if variant.json is not None else ".text"
            texts.append(self.text(variant, place, inside))
        return Words(path, texts)

    def text(self, variant: Variant, path: str, inside: bool) -> Text:
        """Compile one wording."""
        try:
            if variant.json is not None:
                tree = self.sandbox.value(variant.json)
            else:
                tree = self.sandbox.parse((variant.text or "").replace("<image>", _MARK))
            self._note_words(tree)
            filters = {call.name for call in tree.find_all(nodes.Filter)}
            if hidden := [name for name in filters if name.startswith("_")]:
                raise TemplateSyntaxError(f"No filter named '{min(hidden)}'.", 1)
            fields = self._fields(tree)
            self.places = self.places or not (_PLACING.isdisjoint(filters) and _PLACES.isdisjoint(fields))
            self.used |= filters | fields
            direct = "detections" in filters and directly(tree)
            text = Text(path, variant.weight, schema=variant.schema)
            if variant.json is not None:
                text.expression, names = self.sandbox.expression(tree)
            else:
                text.template, names = self.sandbox.text(tree)
            text.listed = "labels" in names
            names |= {"labels"} if direct else set()
            self._known(names, path, inside)
            text.constant = variant.json is None and not DRAWN & filters and names <= _SAME_FOR_ALL
            return text
        except TemplateSyntaxError as error:
            raise self.document.fail(path, self._explain(error)) from None
        except JinjaError as error:
            raise self.document.fail(path, str(error)) from None
        except RecursionError:
            raise self.document.fail(path, "nested too deeply") from None

    def _note_words(self, tree: nodes.Template) -> None:
        self.words_named |= self._words(tree)

    def _words(self, tree: nodes.Template) -> set[str]:
        constants = (node.value for node in tree.find_all(nodes.Const))
        return {value for value in constants if isinstance(value, str)}

    def _fields(self, tree: nodes.Template) -> set[str]:
        """Return the fields that a text may read, by `label.x` or by a filter's sort(attribute='x')."""
        return {node.attr for node in tree.find_all(nodes.Getattr)} | self._words(tree)

    def _known(self, names: set[str], path: str, inside: bool) -> None:
        """Note the variables of a text, all of which are known."""
        known = VARIABLES[self.file.mode] | ({"item", "loop"} if inside else set()) | {"range"}
        self.names |= names
        for name in sorted(names):
            if name not in known:
                raise self.document.fail(path, f"undefined variable {name!r}{did_you_mean(name, known)}")

    def _explain(self, error: TemplateSyntaxError) -> str:
        message = error.message or "not a Jinja text"
        if message.startswith("No filter named"):
            known = [filter for filter in self.sandbox.filters if not filter.startswith("_")]
            hint = did_you_mean(message.split("'")[1], known)
            message = message.rstrip(".") + (hint if "did you mean" in hint else "")
        return f"{message} (line {error.lineno} of the text)" if error.lineno > 1 else message


def _rehearse(template: Template, words: set[str]) -> None:
    """Render made-up samples, with labels and without, so that a misspelt field fails now and not at image 40,000.

    Attributes and metadata are the source's own: whatever a text takes from them is there and bears any comparison.
    `words` are the texts that the template names: each is tried as a class.
    """
    number = (template.file.sample.group_size or 2) if template.file.mode == "group" else 1
    images = [Image(name="rehearsal.jpg", width=640, height=480)] * number
    outline = [[10.0, 20.0, 110.0, 20.0, 110.0, 100.0]]
    wild = _Anything(color="red")
    classes = list(dict.fromkeys(("cat", "dog", *sorted(words)[:_CLASSES])))
    objects = [
        Annotation(name, (10.0 + i, 20.0, 100.0, 80.0), i, False, 8000.0, outline, [Keypoint("nose", 20.0, 30.0)])
        for i, name in enumerate(classes)
    ]
    for annotation in objects:
        annotation.attributes = wild
    full = Sample(
        id=REHEARSAL,
        images=images,
        annotations=objects,
        labels=["cat"],
        captions=["A cat and a dog."],
        questions=[Question("What is it?", ["a cat", "cat"], ["a cat", "a dog"])],
        metadata=wild,
    )
    bare = Sample(id=REHEARSAL, images=images, annotations=[], metadata=wild)
    for sample in (full, bare):
        for wording in range(template.width):
            setting = Setting([*classes, "horse"], CONVENTIONS["pixel"], template.params({}), preference=True)
            try:
                template.render(sample, setting, negatives=1, wording=wording)
            except RecordError as error:
                if error.code != "sample.no_labels":
                    raise template.document.fail("$", str(error)) from None


_CLASSES = 20
"""So many of the texts that a template names are tried as classes."""


class _Anything(dict[str, Any]):
    """Has every key: stands for what only the source can know."""

    def __missing__(self, key: str) -> _Wild:
        return _Wild("1")

    def __contains__(self, key: object) -> bool:
        return True

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, _Wild("1"))


class _Wild(str):
    """A value of any type: text, and a number where one is needed."""

    def __lt__(self, other: object) -> bool:
        return True

    def __le__(self, other: object) -> bool:
        return True

    def __gt__(self, other: object) -> bool:
        return True

    def __ge__(self, other: object) -> bool:
        return True

    def __add__(self, other: Any) -> Any:
        return str(self) + other if isinstance(other, str) else 1 + other

    def __radd__(self, other: Any) -> Any:
        return other + 1

    def __sub__(self, other: Any) -> Any:
        return 1 - other

    def __rsub__(self, other: Any) -> Any:
        return other - 1

    def __mul__(self, other: Any) -> Any:
        return 1 * other

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return 1 / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / 1


def schema_json() -> bytes:
    """Return the JSON Schema of a template file, for editors."""
    schema = msgspec.json.schema(File)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return msgspec.json.format(msgspec.json.encode(schema)) + b"\n"
