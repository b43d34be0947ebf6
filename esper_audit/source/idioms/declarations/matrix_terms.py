"""Terms of a formula for a number of parameters, beside the layers that they stand for."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import factors, scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import Function, dotted, parameters

FEWEST = 2
FACTORIES = frozenset({"empty", "zeros", "ones", "randn", "rand"})
REPEATING = (ast.If, ast.IfExp, ast.For, ast.While, ast.ListComp, ast.GeneratorExp, ast.DictComp)


class MatrixTerm(NamedTuple):
    """A product of a number and two sizes, and the class that has more such matrices than the number."""

    term: ast.BinOp
    counted: int
    owner: ast.ClassDef
    matrices: int


def short_terms(function: Function, file: FileView) -> Iterator[MatrixTerm]:
    """Yield each `2 * width * hidden` of a formula where the one class built of these sizes has more matrices."""
    terms: dict[frozenset[str], list[tuple[int, ast.BinOp]]] = defaultdict(list)
    for term in scan(function, {ast.BinOp}):
        assert isinstance(term, ast.BinOp)
        counted, sizes = _term(term, file)
        if len(sizes) == FEWEST:
            terms[sizes].append((counted, term))
    for sizes, found in terms.items():
        total = sum(counted for counted, _ in found)
        built = _classes_of(sizes, file) if total >= FEWEST else {}
        if len(built) == 1:
            owner, matrices = next(iter(built.items()))
            if matrices > total:
                yield MatrixTerm(max(found, key=_rank)[1], total, owner, matrices)


def _rank(found: tuple[int, ast.BinOp]) -> tuple[int, int, int]:
    return found[0], -found[1].lineno, -found[1].col_offset


def _term(term: ast.BinOp, file: FileView) -> tuple[int, frozenset[str]]:
    """Return the number and the sizes of a product that is no part of a larger one."""
    above = file.parent(term)
    is_part = isinstance(above, ast.BinOp) and isinstance(above.op, ast.Mult)
    multiplied = list(factors(term)) if not is_part else []
    numbers = [f.value for f in multiplied if isinstance(f, ast.Constant) and type(f.value) is int]
    sizes = [_size(f, file) for f in multiplied if not isinstance(f, ast.Constant)]
    is_plain = len(numbers) + len(sizes) == len(multiplied) and len(numbers) < FEWEST
    is_matrix = is_plain and len(sizes) == FEWEST and all(sizes)
    return (sum(numbers) or 1, frozenset(sizes)) if is_matrix else (0, frozenset())


def _size(node: ast.expr, file: FileView) -> str:
    """Return the name of a size, of the attribute for a local name that holds one."""
    name = dotted(node)
    values = file.once(FunctionValues).reaching(node) if isinstance(node, ast.Name) else []
    if len(values) == 1 and values[0].value is not None:
        name = dotted(values[0].value) or name
    return name.rpartition(".")[2]


def _classes_of(sizes: frozenset[str], file: FileView) -> dict[ast.ClassDef, int]:
    """Return the classes that the file builds of two sizes, with their number of such matrices.

    A class takes the sizes as arguments, or reads them of the configuration that it is given.
    """
    table = file.once(class_table)
    found: dict[ast.ClassDef, int] = {}
    for name, definition in table.by_name.items():
        constructor = table.members(definition).methods.get("__init__")
        if constructor is None:
            continue
        for call in file.calls(name):
            if {dotted(argument).rpartition(".")[2] for argument in call.args} == sizes:
                given = {p.arg for p in parameters(constructor.args)} - {"self"}
                found[definition] = _matrices(constructor, frozenset(given), file)
        if definition not in found:
            found[definition] = _matrices(constructor, sizes, file)
    return {definition: matrices for definition, matrices in found.items() if matrices}


def _matrices(constructor: Function, sizes: frozenset[str], file: FileView) -> int:
    """Return how many matrices of two sizes a constructor makes, 0 where it branches or repeats."""
    if any(isinstance(node, REPEATING) for node in walk(constructor)):
        return 0
    calls = (call for call in scan(constructor, {ast.Call}) if isinstance(call, ast.Call))
    return sum({_size(s, file) for s in _shape(call, file)} == sizes for call in calls)


def _shape(call: ast.Call, file: FileView) -> list[ast.expr]:
    """Return the sizes of the matrix that a linear layer or a learned parameter holds."""
    name = file.resolve(call.func) or ""
    if name == "torch.nn.Linear":
        named = {k.arg: k.value for k in call.keywords}
        given = [*call.args[:2], named.get("in_features"), named.get("out_features")]
        return [each for each in given if each is not None]
    if name != "torch.nn.Parameter" or not call.args:
        return []
    made = call.args[0]
    is_made = isinstance(made, ast.Call) and (file.resolve(made.func) or "")[6:] in FACTORIES
    return made.args if isinstance(made, ast.Call) and is_made else []
