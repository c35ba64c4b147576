"""What is no error in a template and still makes poor training data."""

from __future__ import annotations

import re

from labels2chat.template.render import Template

_FEW = 8
"""Paraphrases below which a model may learn the wording instead of the task (unseen phrasings degrade
instruction-tuned models: arXiv 2306.11270)."""

_FORM = re.compile(
    r"answer|reply|respond|output|return|give|write|format|json|only|words?\b|sentence|number|digits|yes or no|list",
    re.IGNORECASE,
)


def lint(template: Template) -> list[str]:
    """Return one line per weakness, each with its place."""
    file, document = template.file, template.document
    found = []
    for words in template.wordings():
        sources = [_source(template, text.path) for text in words.texts]
        plain = [" ".join(source.split()).lower() for source in sources]
        for i, source in enumerate(plain):
            if source in plain[:i]:
                found.append(f"{document.place(words.texts[i].path)}: the same wording stands here twice")
        if words.path == "$.user" and 1 < len(plain) < _FEW:
            found.append(f"{document.place(words.path)}: {len(plain)} paraphrases; {_FEW} or more are better")
    used: set[str] = set()
    for words in template.wordings():
        for text in words.texts:
            source = _source(template, text.path)
            used |= set(re.findall(r"params\.(\w+)", source))
            used |= {"*"} if re.search(r"params\s*(\[|\|)", source) else set()
    for text in template.loops():
        used |= set(re.findall(r"params\.(\w+)", _source(template, text.path)))
    for name in file.params:
        if name not in used and "*" not in used:
            found.append(f"{document.place(f'$.params.{name}')}: no text uses the parameter {name!r}")
    if not file.answer_format:
        found.append(f"{document.place('$')}: answer_format is missing: say in a few words what an answer looks like")
    prompts = " ".join(
        _source(template, t.path) for w in template.wordings() for t in w.texts if "assistant" not in t.path
    )
    if "answer_format" not in prompts and not _FORM.search(prompts):
        found.append(f"{document.place('$.user')}: no prompt states the form of the answer")
    if not file.tests:
        found.append(f"{document.place('$')}: there are no tests")
    return found


def _source(template: Template, path: str) -> str:
    """Return the text that stands at a path of the file."""
    value = template.document.data
    for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        value = value[key] if key else value[int(index)]
    return str(value)
