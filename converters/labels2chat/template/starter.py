"""A commented starting point for a template of one's own."""

from __future__ import annotations

from labels2chat.errors import UsageError, did_you_mean

_HEAD = """\
# {name}: a template for labels2chat. Check it with `labels2chat templates check {name}.yaml`, look at what it makes
# with `labels2chat templates preview SOURCE -t {name}.yaml`, and convert with `-t {name}.yaml`.
version: 1
name: {name}
description: {description}
task: {task}
answer_format: {answer_format}
requires: [{requires}]        # what the source must have: class, boxes, masks, keypoints, captions, qa, attributes
mode: {mode}                  # one example per image, label, class, caption or question; group: several images in one
"""

_BODIES = {
    "classify": (
        ("Which class the image shows.", "one class name", "class", "image"),
        """\
select: {empty: skip}         # images without a class make no example
user:                         # a list is a set of paraphrases: eight or more are good
  - "What does the image show: {{ classes | and_list('or') }}? Answer with {{ answer_format }}."
  - "Choose the class of this image from {{ classes | join(', ') }}. Reply with {{ answer_format }}."
assistant: "{{ class }}"
rejected: "{{ class | wrong_class }}"   # for preference data, --method dpo
tests:
  - given: {labels: [cat], categories: [cat, dog]}
    expect: {assistant: cat, rejected: dog}
""",
    ),
    "detect": (
        ("Every object with its box.", "a JSON array of objects with label and bbox", "boxes", "image"),
        """\
select: {order: area_desc, max_labels: 50, min_area: 16}
system: "Reply with {{ answer_format }}; boxes are [x1, y1, x2, y2], {{ coords_note }}."
user:
  - "Detect every {{ classes | and_list('or') }}."
  - "Find all {{ classes | map('plural') | and_list }} in the image."
assistant: {json: labels | boxes}       # an expression; it is serialised for you, so the answer is valid JSON
rejected: {json: labels | shifted | boxes}
tests:
  - given: {annotations: [{category: cat, bbox: [0, 0, 50, 50]}], width: 100, height: 100}
    expect: {assistant: '[{"label":"cat","bbox":[0,0,500,500]}]'}
""",
    ),
    "caption": (
        ("A sentence about the image.", "one short sentence", "captions", "caption"),
        """\
sample: {max_per_image: 1}    # one of the reference captions is drawn
user:
  - "Describe the image in {{ answer_format }}."
  - "What can be seen here? Answer in {{ answer_format }}."
assistant: "{{ caption | sentence }}"
tests:
  - given: {captions: [a cat on a mat]}
    expect: {assistant: A cat on a mat.}
""",
    ),
    "count": (
        ("How many objects of one class.", "a number", "boxes", "class"),
        """\
select: {exhaustive: true}    # never count a class that is not fully labelled
sample: {max_per_image: 3, negatives: {ratio: 0.25}}   # some classes that are not there: the answer is 0
user:
  - "How many {{ class | plural }} are in the image? Answer with {{ answer_format }}."
  - "Count the {{ class | plural }}. Reply with {{ answer_format }} only."
assistant: "{{ count }}"
rejected: "{{ count | wrong_count }}"
tests:
  - given: {annotations: [{category: cat, bbox: [1, 1, 5, 5]}]}
    expect: {assistant: "1"}
""",
    ),
    "presence": (
        ("Whether a class is in the image.", "yes or no", "boxes", "class"),
        """\
sample: {max_per_image: 4, negatives: {ratio: 1.0, strategy: adversarial}}   # as many no as yes, over the dataset
user:
  - "Is there {{ class | a }} in the image? Answer {{ answer_format }}."
  - "Can you see any {{ class | plural }}? Reply {{ answer_format }}."
assistant: "{{ 'Yes' if present else 'No' }}"
rejected: "{{ 'No' if present else 'Yes' }}"
tests:
  - given: {annotations: [{category: cat, bbox: [1, 1, 5, 5]}], categories: [cat, dog]}
    expect: {assistant: "Yes"}
""",
    ),
    "vqa": (
        ("The dataset's own questions, as one conversation.", "a single word or phrase", "qa", "image"),
        """\
sample: {max_turns: 5}        # more questions become further examples
messages:                     # the long form: any order of roles, and blocks that repeat
  - for: qa
    do:
      - role: user
        content: "{% if loop.first %}<image>{% endif %}{{ item.question }} Answer with {{ answer_format }}."
      - {role: assistant, content: "{{ item.answer }}"}
tests:
  - given: {questions: [{question: "What is it?", answers: [a cat]}]}
    expect: {assistant: a cat}
""",
    ),
}


def starters() -> list[str]:
    """List the tasks that there is a starting point for."""
    return sorted(_BODIES)


def starter(name: str, task: str) -> str:
    """Return the text of a new template. Raises UsageError for an unknown task."""
    if task not in _BODIES:
        raise UsageError(f"no starting point for the task {task!r}{did_you_mean(task, _BODIES)}")
    (description, answer_format, requires, mode), body = _BODIES[task]
    head = _HEAD.format(
        name=name, description=description, task=task, answer_format=answer_format, requires=requires, mode=mode
    )
    return head + body
