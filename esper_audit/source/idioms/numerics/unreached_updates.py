"""Updates of running averages behind a test that never passes: a late counter, a prefix that no name has."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.numerics.ema_update import literal_number
from esper_audit.source.idioms.numerics.lost_updates import has_update
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.enclosing import block_in
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name

EXITS = (ast.Return, ast.Continue)
RESTORING = frozenset({"load_state_dict", "__setstate__", "set_extra_state"})
WRAPPERS = ("module.", "_orig_mod.")
NAMING = frozenset({"named_parameters", "named_buffers", "state_dict"})
PLAIN_ORIGINS = frozenset({"", "copy.deepcopy", "torch.nn", "torch.nn.Module"})


class LateCounter(NamedTuple):
    """A counter that must have been raised before a test, and the statement behind it that raises it."""

    counter: str
    raised: ast.stmt


def late_counter(branch: ast.If, file: FileView) -> LateCounter | None:
    """Return the counter whose only increments lie behind its own test around the update of an average."""
    compared = _skipping_test(branch, file) if file.functions(branch) else None
    if compared is None or not any(_updates(s, file) for s in compared[1]):
        return None
    counter, behind = compared
    restored = file.once(_restored)
    writes = [s for s in _statements(file, counter, branch) if s not in restored]
    raised = [s for s in writes if _is_increment(s, counter)]
    others = [s for s in writes if s not in raised]
    is_started = bool(others) and all(_is_zero(s, counter) for s in others)
    is_late = all(_runs_behind(s, behind, file.functions(branch)[-1], file) for s in raised)
    return LateCounter(counter, raised[0]) if raised and is_started and is_late else None


def unmatched_prefixes(loop: ast.For, file: FileView) -> Iterator[tuple[ast.Call, str, str]]:
    """Yield each `name.startswith(prefix)` that no parameter of the module of a loop passes.

    With the prefix and the class of the module.
    """
    names, module = _named_source(loop)
    attributes = _part_names(module, file) if module is not None else None
    for call in scan(loop, {ast.Call}) if attributes is not None else ():
        is_test = isinstance(call, ast.Call) and terminal_name(call.func) == "startswith"
        if not is_test or not isinstance(call, ast.Call) or len(call.args) != 1:
            continue
        owner = call.func.value if isinstance(call.func, ast.Attribute) else call.func
        if dotted(owner) not in names or not _lets_through(call, loop, file):
            continue
        for prefix in _texts(call.args[0], file):
            if attributes and not _is_met(prefix, attributes[1]):
                yield call, prefix, attributes[0]


def _skipping_test(branch: ast.If, file: FileView) -> tuple[str, list[ast.stmt]] | None:
    """Return the counter of a test that skips the rest while it is small, and what is skipped."""
    test = branch.test
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    counter, limit, kind = test.left, test.comparators[0], type(test.ops[0])
    if not isinstance(counter, ast.Name | ast.Attribute):
        return None
    is_exit = isinstance(branch.body[-1], EXITS) and not branch.orelse
    skipping = (ast.Lt, ast.LtE) if is_exit else (ast.Gt, ast.GtE)
    if kind not in skipping or not _skips_zero(limit, kind in (ast.LtE, ast.Gt), file):
        return None
    block = block_in(file.enclosing(branch)[-2], branch)
    return dotted(counter), block[block.index(branch) + 1 :] if is_exit else branch.body


def _skips_zero(limit: ast.expr, is_inclusive: bool, file: FileView) -> bool:
    """Return whether a counter of 0 is too small for a limit, which by default is not 0."""
    values = file.once(Constructors).values
    possible = [limit, *values(limit)]
    possible += [inner for value in possible[1:] for inner in values(value)]
    numbers = [n for value in possible if (n := literal_number(value)) is not None]
    return all(number > 0 or (is_inclusive and number == 0) for number in numbers)


def _statements(file: FileView, counter: str, branch: ast.If) -> list[ast.stmt]:
    """Return the statements that may bind a counter: those of its function, or of the file for an attribute."""
    attribute = counter.rpartition(".")[2] if "." in counter else ""
    kinds = {ast.Name, ast.Attribute}
    functions = file.functions(branch)
    found: dict[ast.stmt, None] = {}
    for node in scan(file.tree if attribute else functions[-1], kinds):
        is_same = isinstance(node, ast.Attribute) and node.attr == attribute
        is_same |= isinstance(node, ast.Name) and node.id == counter
        if is_same and isinstance(node.ctx, ast.Store):  # type: ignore[attr-defined]  # a name or an attribute
            found[file.enclosing(node)[-1]] = None  # type: ignore[arg-type]  # likewise
    return list(found)


def _restored(file: FileView) -> set[ast.stmt]:
    """Return the statements of the methods that restore a state."""
    methods = (f for f in file.once(LocalCalls).functions if f.name in RESTORING)
    return {node for method in methods for node in walk(method) if isinstance(node, ast.stmt)}


def _is_increment(statement: ast.stmt, counter: str) -> bool:
    if isinstance(statement, ast.AugAssign):
        return isinstance(statement.op, ast.Add)
    value = statement.value if isinstance(statement, ast.Assign) else None
    is_sum = isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add)
    return is_sum and isinstance(value, ast.BinOp) and _is_same(dotted(value.left), counter)


def _is_same(name: str, counter: str) -> bool:
    """Return whether two names are one counter, an attribute by its last part."""
    is_attribute = "." in name and "." in counter
    return name == counter or (is_attribute and name.split(".")[-1] == counter.split(".")[-1])


def _is_zero(statement: ast.stmt, counter: str) -> bool:
    """Return whether a statement binds a counter to 0, also as one of several names."""
    if isinstance(statement, ast.AnnAssign):
        return statement.value is not None and literal_number(statement.value) == 0
    if not isinstance(statement, ast.Assign):
        return False
    target, value = statement.targets[0], statement.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        bound = zip(map(dotted, target.elts), value.elts, strict=False)
        return any(_is_same(name, counter) and literal_number(v) == 0 for name, v in bound)
    return literal_number(value) == 0


def _runs_behind(
    statement: ast.stmt, behind: Sequence[ast.stmt], function: Function, file: FileView
) -> bool:
    """Return whether a statement runs behind a test only: itself, or by the calls of its function."""
    around = file.enclosing(statement)
    if not set(around).isdisjoint(behind):
        return True
    own = file.functions(statement)
    if not own or own[-1] is function:
        return False
    callers = file.once(LocalCalls).uses(own[-1])
    return bool(callers) and all(not set(file.enclosing(c)).isdisjoint(behind) for c in callers)


def _updates(statement: ast.stmt, file: FileView) -> bool:
    """Return whether a statement, or a function of the file that it calls, updates an average."""
    calls = file.once(LocalCalls)
    found = (c for c in scan(statement, {ast.Call}) if isinstance(c, ast.Call))
    targets = [calls.target(call) or calls.method_of_object(call) for call in found]
    return has_update(statement) or any(t is not None and has_update(t) for t in targets)


def _named_source(loop: ast.For) -> tuple[set[str], ast.expr | None]:
    """Return the variables of a loop that are names of parameters, and the module that has them."""
    for call in scan(loop.iter, {ast.Call}):
        if not isinstance(call, ast.Call) or terminal_name(call.func) not in NAMING:
            continue
        first = loop.target.elts[0] if isinstance(loop.target, ast.Tuple) else loop.target
        inner = first.elts[0] if isinstance(first, ast.Tuple) else first
        module = call.func.value if isinstance(call.func, ast.Attribute) else None
        return {dotted(inner)} - {""}, module
    return set(), None


def _part_names(module: ast.expr, file: FileView) -> tuple[str, set[str]] | None:
    """Return the class of a module with the names of its parts, None unless the file shows them all."""
    origins = file.once(Constructors).of(module)
    table = file.once(class_table)
    classes = {o[1:] for o in origins if o[1:] in table.by_name}
    if len(classes) != 1 or not {o for o in origins if o[1:] not in classes} <= PLAIN_ORIGINS:
        return None
    name = classes.pop()
    family = table.family(table.by_name[name])
    if family.is_dynamic or family.foreign_bases != {"torch.nn.Module"}:
        return None
    return name, {part for member in family.members for part in member.bound}


def _lets_through(call: ast.Call, loop: ast.For, file: FileView) -> bool:
    """Return whether an average is updated only where a test is true."""
    for branch in scan(loop, {ast.If}):
        if not isinstance(branch, ast.If):
            continue
        test = branch.test
        is_negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        if is_negated and isinstance(test, ast.UnaryOp) and test.operand is call:
            return isinstance(branch.body[-1], ast.Continue)
        if test is call:
            return any(_updates(s, file) for s in branch.body) and not branch.orelse
    return False


def _texts(node: ast.expr, file: FileView) -> list[str]:
    """Return the texts that an expression may be, empty unless all are known."""
    values = [node] if isinstance(node, ast.Constant) else file.once(Constructors).values(node)
    texts = [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
    return texts if len(texts) == len(values) else []


def _is_met(prefix: str, attributes: set[str]) -> bool:
    """Return whether a name of a parameter may begin with a prefix."""
    first, dot, _ = prefix.partition(".")
    if not prefix or prefix.startswith(WRAPPERS) or prefix in ("module", "_orig_mod"):
        return True
    return first in attributes if dot else any(name.startswith(first) for name in attributes)
