"""YAML prompts: from a Sample to Examples.

`schema` is what a file may say, `sandbox` the Jinja2 that its texts run in, `words` and `sandbox` the filters,
`load` reads and checks a file, `render` makes the examples.
"""

from labels2chat.template.load import load_template, template_folder, template_names
from labels2chat.template.render import Setting, Template
from labels2chat.template.tests import run_tests

__all__ = ["Setting", "Template", "load_template", "run_tests", "template_folder", "template_names"]
