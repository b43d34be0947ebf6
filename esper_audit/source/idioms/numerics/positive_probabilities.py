"""Probabilities that are never 0, whatever the logits are: of what was drawn by them, or of what is bounded."""

from __future__ import annotations

import ast
import re

from esper_audit.source.syntax.ast_walk import names_in, scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name

SAMPLER = re.compile(r"multinomial|sample|argmax|topk|categorical", re.IGNORECASE)
BOUNDED = frozenset({"acos", "arccos", "asin", "atan", "cos", "sin", "tanh", "cosine_similarity"})
LOGARITHMIC = ("log_softmax", "logsoftmax", "logsigmoid", "log_sigmoid")
CONSTANT = frozenset({"arange", "linspace"})
NORMALISING = frozenset({"normalize", "cosine_similarity"})


def is_never_zero(subject: ast.expr, call: ast.Call, file: FileView) -> bool:
    """Return whether the probability of a logarithm is above 0, or its function divides by it as well."""
    functions = file.functions(call)
    if not functions:
        return False
    function = functions[-1]
    if _is_decomposition(function):
        return True
    divided = (d for d in scan(function, {ast.BinOp}) if isinstance(d, ast.BinOp))
    if any(isinstance(d.op, ast.Div) and dotted(subject) == dotted(d.right) != "" for d in divided):
        return True  # what is divided by it is infinite before
    values = [subject, *_assigned(dotted(subject), function)]
    return _is_of_sample(values, function) or any(_is_of_bounded(v, function, file) for v in values)


def _is_decomposition(function: Function) -> bool:
    """Return whether a function is registered as what `log_softmax` is computed by."""
    calls = (d for d in function.decorator_list if isinstance(d, ast.Call))
    arguments = (a for call in calls for a in (*call.args, *(k.value for k in call.keywords)))
    parts = (part for argument in arguments for part in walk(argument))
    names = (terminal_name(p) for p in parts if isinstance(p, (ast.Name, ast.Attribute)))
    return any(name.strip("_").startswith(LOGARITHMIC) for name in names)


def _assigned(name: str, function: Function) -> list[ast.expr]:
    """Return what a function assigns to a name."""
    nodes = (n for n in scan(function, {ast.Assign}) if isinstance(n, ast.Assign))
    return [node.value for node in nodes if name and name in map(dotted, node.targets)]


def _is_of_sample(values: list[ast.expr], function: Function) -> bool:
    """Return whether a probability is that, by its index, of what the function drew by it."""
    picked = [
        value
        for value in values
        if any(isinstance(part, ast.Subscript) or _is_call(part, "gather") for part in walk(value))
    ]
    names = {part.id for value in picked for part in walk(value) if isinstance(part, ast.Name)}
    drawn = (c for c in scan(function, {ast.Call}) if isinstance(c, ast.Call))
    samplers = (c for c in drawn if SAMPLER.search(terminal_name(c.func)))
    given = (a for c in samplers for a in (*c.args, *(k.value for k in c.keywords)))
    return not names.isdisjoint({dotted(argument) for argument in given} - {""})


def _is_of_bounded(value: ast.expr, function: Function, file: FileView) -> bool:
    """Return whether a value is a sigmoid of angles, cosines or constants alone."""
    calls = [part for part in walk(value) if _is_call(part, "sigmoid")]
    if len(calls) != 1 or not isinstance(calls[0], ast.Call) or len(calls[0].args) != 1:
        return False
    argument = calls[0].args[0]
    if _is_bounded(argument, file):
        return True
    names = names_in(argument)
    bound = [_assigned(name, function) for name in names]
    return bool(bound) and all(made and all(_is_bounded(m, file) for m in made) for made in bound)


def _is_bounded(value: ast.expr, file: FileView) -> bool:
    """Return whether a value is an angle, a cosine, also by a function of the file, or a constant."""
    if not isinstance(value, ast.Call):
        return False
    name = terminal_name(value.func)
    if name in BOUNDED or name in CONSTANT:
        return True
    made = (d for d in file.nodes(ast.FunctionDef) if d.name == name)
    return any(_is_call_of(NORMALISING, d) for d in made)


def _is_call_of(names: frozenset[str], function: Function) -> bool:
    """Return whether a function calls one of the names."""
    calls = (c for c in scan(function, {ast.Call}) if isinstance(c, ast.Call))
    return any(terminal_name(call.func) in names for call in calls)


def _is_call(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and terminal_name(node.func) == name
