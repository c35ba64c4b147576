"""YAML prompts: from a Sample to Examples.

`schema` is what a file may say, `load` reads and checks it, `render` makes the examples. Texts run in `sandbox` with
the `filters`; `draw` makes every random choice, `balance` deals out negatives over the dataset, `group` joins samples,
`words` knows a little English. `tests` and `lint` are what `templates check` runs.
"""

from labels2chat.template.balance import Dealer, Mix, Statistics, add, count
from labels2chat.template.group import grouped
from labels2chat.template.lint import lint
from labels2chat.template.load import load_template, parse_template, schema_json, template_folder, template_names
from labels2chat.template.render import Setting, Template
from labels2chat.template.starter import starter, starters
from labels2chat.template.tests import run_tests

__all__ = [
    "Dealer",
    "Mix",
    "Setting",
    "Statistics",
    "Template",
    "add",
    "count",
    "grouped",
    "lint",
    "load_template",
    "parse_template",
    "run_tests",
    "schema_json",
    "starter",
    "starters",
    "template_folder",
    "template_names",
]
