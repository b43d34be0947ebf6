"""The weights that the constructor of a class ties, whatever its arguments are."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.attention.causal_masks import guards
from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted

COUNTS = frozenset({"numel", "nelement"})


def is_count_of_tied_layer(count: ast.expr, function: Function, file: FileView) -> bool:
    """Return whether an expression counts the weight of a linear layer that is always another one's, too.

    That of the embedding may be left out on purpose, as in a count without embeddings.
    """
    if not isinstance(count, ast.Call) or not isinstance(count.func, ast.Attribute):
        return False
    table = file.once(class_table)
    owner = table.owner(function)
    if count.func.attr not in COUNTS or owner is None:
        return False
    family = table.family(owner)
    weight = dotted(count.func.value)
    return any(weight in pair for pair in _ties(family, file)) and _is_linear(weight, family, file)


def _ties(family: ClassFamily, file: FileView) -> Iterator[set[str]]:
    """Yield the pairs of weights that the constructor, or a method that it calls, ties."""
    for method in family.reached_from("__init__"):
        for node in scan(method, {ast.Assign}, NESTED_SCOPES):
            assert isinstance(node, ast.Assign)
            names = {dotted(part) for part in (*node.targets, node.value)}
            is_tie = len(names) > 1 and all(name.endswith(".weight") for name in names)
            if is_tie and not any(True for _ in guards(node, method, file)):
                yield names


def _is_linear(weight: str, family: ClassFamily, file: FileView) -> bool:
    name = weight.removeprefix("self.").removesuffix(".weight")
    made = [use.value for use in family.bindings(name)]
    return bool(made) and all(
        isinstance(call, ast.Call) and file.resolve(call.func) == "torch.nn.Linear" for call in made
    )
