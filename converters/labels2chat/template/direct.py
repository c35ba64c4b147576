"""Texts that write all labels just as they are, without a record of each that a text could look into.

`labels | detections` is what most templates of boxes come to, and making those records for it takes longer than writing
the boxes.
"""

from __future__ import annotations

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

DIRECT = "_detections"
"""The filter that takes the objects themselves."""


def directly(tree: nodes.Template) -> bool:
    """Have `labels | detections` in a text's syntax tree take the objects themselves; return whether it is in there."""
    if any(name.name == "labels" and name.ctx != "load" for name in tree.find_all(nodes.Name)):
        return False  # the text has labels of its own
    change = _Change()
    change.visit(tree)
    return change.made


class _Change(NodeTransformer):
    made = False

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802 - the name is Jinja's
        self.generic_visit(node)
        if node.name == "detections" and isinstance(node.node, nodes.Name) and node.node.name == "labels":
            self.made = True
            node.name, node.node = DIRECT, nodes.Const(None, lineno=node.lineno)
        return node
