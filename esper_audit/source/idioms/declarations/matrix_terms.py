"""Terms of a formula for a number of parameters, beside the layers that they stand for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters

FEWEST = 2


class MatrixTerm(NamedTuple):
    """A product of a number and two sizes, and the class that has more such matrices than the number."""

    term: ast.BinOp
    counted: int
    owner: ast.ClassDef
    matrices: int


def short_terms(function: Function, file: FileView) -> Iterator[MatrixTerm]:
    """Yield each `2 * width * hidden` of a formula where the one class built of these sizes has more matrices."""
    for term in scan(function, {ast.BinOp}):
        assert isinstance(term, ast.BinOp)
        counted, sizes = _term(term, file)
        if counted < FEWEST or len(sizes) != 2:
            continue
        built = _classes_of(sizes, file)
        if len(built) == 1:
            owner, matrices = next(iter(built.items()))
            if matrices > counted:
                yield MatrixTerm(term, counted, owner, matrices)


def _term(term: ast.BinOp, file: FileView) -> tuple[int, set[str]]:
    """Return the number and the sizes of a product that is no part of a larger one."""
    above = file.parent(term)
    is_part = isinstance(above, ast.BinOp) and isinstance(above.op, ast.Mult)
    factors = list(_factors(term)) if not is_part else []
    numbers = [f.value for f in factors if isinstance(f, ast.Constant) and type(f.value) is int]
    sizes = [dotted(f) for f in factors if not isinstance(f, ast.Constant)]
    is_plain = len(numbers) == 1 and len(sizes) == 2 and all(sizes)
    return (numbers[0], {s.rpartition(".")[2] for s in sizes}) if is_plain else (0, set())


def _factors(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        yield from _factors(node.left)
        yield from _factors(node.right)
    else:
        yield node


def _classes_of(sizes: set[str], file: FileView) -> dict[ast.ClassDef, int]:
    """Return the classes that the file builds of two sizes, with their number of such matrices."""
    table = file.once(class_table)
    found: dict[ast.ClassDef, int] = {}
    for name, definition in table.by_name.items():
        constructor = table.members(definition).methods.get("__init__")
        for call in file.calls(name) if constructor is not None else ():
            given = {dotted(argument).rpartition(".")[2] for argument in call.args}
            if given == sizes and constructor is not None:
                found[definition] = _matrices(constructor, file)
    return {definition: matrices for definition, matrices in found.items() if matrices}


def _matrices(constructor: Function, file: FileView) -> int:
    """Return how many linear layers of its two sizes a constructor makes, 0 where it branches."""
    sizes = {p.arg for p in parameters(constructor.args)} - {"self"}
    if any(isinstance(node, (ast.If, ast.IfExp, ast.For)) for node in walk(constructor)):
        return 0
    calls = (call for call in scan(constructor, {ast.Call}) if isinstance(call, ast.Call))
    linear = [call for call in calls if file.resolve(call.func) == "torch.nn.Linear"]
    return sum({dotted(argument) for argument in call.args[:2]} == sizes for call in linear)
