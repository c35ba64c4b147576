"""Read a template file and check all that can be checked before any data is read."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.exceptions import TemplateError as JinjaError

from labels2chat.coordinates import CONVENTIONS
from labels2chat.documents import Document
from labels2chat.errors import RecordError, TemplateError, did_you_mean
from labels2chat.template.render import VARIABLES, Setting, Template, Text, Words
from labels2chat.template.sandbox import make_sandbox
from labels2chat.template.schema import File, Turn, Variant, Wording
from labels2chat.types import Annotation, Image, Sample

_MARK = "".join(chr(0xE000 + byte) for byte in secrets.token_bytes(16))
"""What <image> in a template's own text becomes before rendering. No label can hold it: text is data. Characters for
private use, which no filter changes."""

_SAME_FOR_ALL = {"params", "classes", "coords_note"}
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
    if file.coordinates and file.coordinates not in CONVENTIONS:
        hint = did_you_mean(file.coordinates, CONVENTIONS)
        raise document.fail("$.coordinates", f"no coordinate convention {file.coordinates!r}{hint}")
    compiler = _Compiler(document, file)
    template = Template(
        file=file,
        turns=compiler.turns(),
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        mark=_MARK,
        document=document,
    )
    _rehearse(template)
    return template


class _Compiler:
    """Compiles each wording of one file, and knows where it stands."""

    def __init__(self, document: Document, file: File) -> None:
        self.document, self.file, self.sandbox = document, file, make_sandbox()

    def turns(self) -> list[tuple[str, Words]]:
        """Bring the short form and the long form to one list of (role, wordings)."""
        file = self.file
        short = {role: getattr(file, role) for role in ("system", "user", "assistant")}
        if file.messages is not None:
            clash = next((role for role, wording in short.items() if wording is not None), None)
            if clash:
                raise self.document.fail(f"$.{clash}", f"give either messages or {clash}, not both")
            turns = [(f"$.messages[{i}].content", turn) for i, turn in enumerate(file.messages)]
        else:
            turns = [(f"$.{role}", Turn(role, w)) for role, w in short.items() if w is not None]  # type: ignore[arg-type]
        roles = [turn.role for _, turn in turns]
        for role in ("user", "assistant"):
            if role not in roles:
                raise self.document.fail("$", f"the template has no {role} message")
        return [(turn.role, self.words(turn.content, path)) for path, turn in turns]

    def words(self, wording: Wording, path: str) -> Words:
        items = wording if isinstance(wording, list) else [wording]
        if not items:
            raise self.document.fail(path, "an empty list: give at least one wording")
        texts = []
        for i, item in enumerate(items):
            place = f"{path}[{i}]" if isinstance(wording, list) else path
            texts.append(self.text(item, place))
        return Words(path, texts)

    def text(self, item: str | Variant, path: str) -> Text:
        variant = Variant(text=item) if isinstance(item, str) else item
        if (variant.text is None) == (variant.json is None):
            raise self.document.fail(path, "give either text or json")
        if not variant.weight > 0:
            raise self.document.fail(f"{path}.weight", "a weight is above 0")
        if isinstance(item, Variant):
            path += ".json" if variant.json is not None else ".text"
        source = variant.json if variant.json is not None else variant.text or ""
        try:
            tree = self.sandbox.parse("{{ (" + source + ") }}" if variant.json is not None else source)
            for name in sorted(meta.find_undeclared_variables(tree)):
                if name not in VARIABLES[self.file.mode] and name != "range":
                    hint = did_you_mean(name, VARIABLES[self.file.mode])
                    raise self.document.fail(path, f"undefined variable {name!r}{hint}")
            if variant.json is not None:
                expression = self.sandbox.compile_expression(source, undefined_to_none=False)
                return Text(path, variant.weight, expression=expression)
            compiled = self.sandbox.from_string(source.replace("<image>", _MARK))
            drawn = any(call.name in ("shuffle", "choice") for call in tree.find_all(nodes.Filter))
            constant = not drawn and meta.find_undeclared_variables(tree) <= _SAME_FOR_ALL
            return Text(path, variant.weight, constant, template=compiled)
        except TemplateSyntaxError as error:
            raise self.document.fail(path, f"{error.message} (line {error.lineno} of the text)") from None
        except JinjaError as error:
            raise self.document.fail(path, str(error)) from None


def _rehearse(template: Template) -> None:
    """Render made-up samples, with labels and without, so that a misspelt field fails now and not at image 40,000."""
    full = Sample(
        id="rehearsal",
        images=[Image(name="rehearsal.jpg", width=640, height=480)],
        annotations=[
            Annotation("cat", (10.0, 20.0, 100.0, 80.0), 1, area=8000.0),
            Annotation("dog", (200.0, 100.0, 300.0, 200.0), 2, area=60000.0),
        ],
        labels=["cat"],
        captions=["A cat and a dog."],
    )
    bare = Sample(id="rehearsal", images=full.images, annotations=[])
    setting: dict[str, Any] = {"classes": ["cat", "dog", "horse"], "convention": CONVENTIONS["pixel"]}
    for sample in (full, bare):
        for text_choice in range(template.width):
            try:
                template.render(sample, Setting(**setting, params=template.params({})), wording=text_choice)
            except RecordError as error:
                if error.code != "sample.no_labels":
                    raise TemplateError(str(error)) from None
