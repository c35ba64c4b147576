"""One `detect` example with 7 boxes, beside plain Jinja on the same text with the numbers already computed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import jinja2

from labels2chat.coordinates import CONVENTIONS
from labels2chat.template import Setting, load_template
from labels2chat.types import Annotation, Image, Sample

_PLAIN = (
    "You are an object detector. Reply with JSON only: an array of objects with label and bbox [x1, y1, x2, y2], "
    "{{ note }}. Detect every {{ classes | join(', ') }} in the image. "
    '[{% for l in labels %}{"label":"{{ l.label }}","bbox":[{{ l.bbox | join(",") }}]}'
    "{% if not loop.last %},{% endif %}{% endfor %}]"
)


def _cost(work: Callable[[], object], turns: int = 3000) -> float:
    """Return microseconds per call: the median of seven rounds."""
    rounds = []
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(turns):
            work()
        rounds.append((time.perf_counter() - start) / turns * 1e6)
    return statistics.median(rounds)


def main() -> None:
    """Print the ratio."""
    classes = [f"class {i}" for i in range(20)]
    boxes = [Annotation(f"class {i}", (40.0 * i, 30.0, 60.5, 80.25), i) for i in range(7)]
    sample = Sample("1", [Image("a.jpg", width=640, height=480)], boxes)
    template = load_template("detect")
    setting = Setting(classes, CONVENTIONS["norm1000"], template.params({}))
    plain = jinja2.Environment(autoescape=False).from_string(_PLAIN)
    labels = [{"label": a.category, "bbox": [62, 62, 157, 230]} for a in boxes]
    note = setting.convention.say(640, 480)
    ours = _cost(lambda: template.render(sample, setting))
    theirs = _cost(lambda: plain.render(note=note, classes=classes, labels=labels))
    print("\nrender: one example of 7 boxes")
    print(f"  labels2chat template               {ours:6.1f} us")
    print(f"  plain Jinja, numbers at hand       {theirs:6.1f} us   ours costs {ours / theirs:.2f} times as much")
