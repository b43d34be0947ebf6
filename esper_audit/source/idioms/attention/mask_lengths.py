"""The length of a causal mask, and whether the scores that it is applied to may be shorter."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.attention.causal_masks import mask_places
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, identifiers, parameters, terminal_name

NORMALISING = frozenset({"softmax", "log_softmax", "scaled_dot_product_attention"})


def is_as_long_as_given(made: ast.Call, file: FileView) -> bool:
    """Return whether a constructor makes a mask of the length that an argument of its own gives.

    A function of the file may make it for the constructor.
    """
    places = [place for place in mask_places(made, file) if file.functions(place)]
    return bool(places) and all(_is_sized_by_constructor(place, file) for place in places)


def _is_sized_by_constructor(made: ast.Call, file: FileView) -> bool:
    function = file.functions(made)[-1]
    if function.name != "__init__":
        return False
    given = {p.arg for p in parameters(function.args)} - {"self"}
    origins = file.once(ValueOrigins)
    parts = list(ast.walk(made))
    names = [part for part in parts if isinstance(part, (ast.Name, ast.Attribute))]
    parts += [inner for name in names for o in origins.of(name) for inner in ast.walk(o)]
    return any(not given.isdisjoint(identifiers(part)) for part in parts)


def is_of_open_length(use: ast.expr, file: FileView) -> bool:
    """Return whether a function normalises scores of which no test of the class fixes the length."""
    function = file.functions(use)[-1]
    calls = (call for call in scan(function, {ast.Call}) if isinstance(call, ast.Call))
    names = {terminal_name(call.func) for call in calls}
    is_normalised = not names.isdisjoint(NORMALISING) or "Softmax" in str(names)
    owners = [d for d in file.definitions(use) if isinstance(d, ast.ClassDef)]
    return is_normalised and not any(map(_is_length_fixed, owners[-1].body if owners else ()))


def _is_length_fixed(statement: ast.stmt) -> bool:
    """Return whether a method requires one length of what it is called with: `x.shape[1] == self.length`."""
    if not isinstance(statement, Function) or statement.name == "__init__":
        return False
    for node in scan(statement, {ast.Compare}, NESTED_SCOPES):
        assert isinstance(node, ast.Compare)
        is_equal = isinstance(node.ops[0], (ast.Eq, ast.NotEq))
        sides = (node.left, *node.comparators)
        owners = {name for side in sides for n in ast.walk(side) for name in identifiers(n)}
        is_size = any(_is_size(side) for side in sides)
        if is_equal and (is_size or "self" in owners) and not any(map(_is_constant, sides)):
            return True
    return False


def _is_size(side: ast.expr) -> bool:
    names = {name for node in ast.walk(side) for name in identifiers(node)}
    return not names.isdisjoint({"shape", "size", "len"})


def _is_constant(side: ast.expr) -> bool:
    return isinstance(side, ast.Constant)
