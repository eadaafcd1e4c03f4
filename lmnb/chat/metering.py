"""Rewrites a template's syntax tree so that loops, comparisons, slices and `~` pay.

jinja2 compiles these to plain Python, past every hook a sandbox has. Here they become filters with
names that no template can write (they hold a space), which `filters.py` defines.
"""

# ruff: noqa: N802, N815  (visit_For: jinja2 finds these methods by the names of its nodes)

from __future__ import annotations

from typing import NoReturn, cast

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.visitor import NodeTransformer

from lmnb.chat.operations import check_integer

__all__ = ["Metering"]


class Metering(NodeTransformer):
    """Puts a paying filter around what the sandbox could not see otherwise."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        node.iter = _filter("each item", node.iter)
        return self.generic_visit(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        node.nodes = [_filter("as text", part) for part in node.nodes]
        return self.generic_visit(node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        if isinstance(node.arg, nodes.Slice):
            node.node = _filter("to slice", node.node)
        return self.generic_visit(node)

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:
        if not isinstance(node.key, nodes.Const):
            node.key = _filter("all of it", node.key)
        return self.generic_visit(node)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        first, *more = node.ops
        if more:
            node.expr = _filter("all of it", node.expr)
            for operand in node.ops:
                operand.expr = _filter("all of it", operand.expr)
        elif not _is_cheap(node.expr, first):
            compared = _filter("compared", node.expr, nodes.Const(first.op), first.expr)
            return self.generic_visit(compared)
        return self.generic_visit(node)

    def visit_Const(self, node: nodes.Const) -> nodes.Node:
        check_integer(node.value)
        return node

    def visit_NSRef(self, node: nodes.NSRef) -> nodes.Node:
        if node.attr.startswith("_"):
            _refuse(node, "names that begin with an underscore")
        return node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:
        if node.dyn_args or node.dyn_kwargs:
            _refuse(node, "* and ** in the arguments of filters and tests")
        return self.generic_visit(node)

    visit_Test = visit_Filter

    def visit_Include(self, node: nodes.Node) -> NoReturn:
        _refuse(node, "other templates, or {% autoescape %}")

    visit_Import = visit_FromImport = visit_Extends = visit_Include
    visit_EvalContextModifier = visit_ScopedEvalContextModifier = visit_Include


def _filter(name: str, node: nodes.Node, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(
        cast(nodes.Expr, node), name, list(args), [], None, None, lineno=node.lineno
    )


def _is_cheap(left: nodes.Expr, operand: nodes.Operand) -> bool:
    """`role == 'user'`, `role in ['user', 'tool']`: nothing in it can be long."""
    right = operand.expr
    if operand.op in ("in", "notin"):
        return isinstance(right, (nodes.List, nodes.Tuple)) and all(
            isinstance(item, nodes.Const) for item in right.items
        )
    return isinstance(left, nodes.Const) or isinstance(right, nodes.Const)


def _refuse(node: nodes.Node, what: str) -> NoReturn:
    raise TemplateSyntaxError(f"chat templates may not use {what}", node.lineno)
