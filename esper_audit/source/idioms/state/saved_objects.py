"""The states that a file saves by key, and the keys of a checkpoint that its loaders restore."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.training.torch_objects import (
    LoopNames,
    is_optimizer,
    is_scaler,
    is_scheduler,
)
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

LOADING = "load_state_dict"
# How a function reads entries of a checkpoint: `state["key"]`, `state.get("key")`, `"key" in state`.
ENTRY_READS = (ast.Subscript, ast.Attribute, ast.Compare)


class SavedState(NamedTuple):
    """The state of an object in a dict that a function makes: its key, its object and their place."""

    key: str
    owner: ast.expr
    place: ast.expr


class Restored(NamedTuple):
    """A call that restores an object from a key of a checkpoint that a function loads."""

    key: str
    call: ast.Call


def saved_states(function: Function, file: FileView) -> list[SavedState]:
    """Return the states of objects that a function stores under constant keys."""
    found = [*_entries(function), *_later_entries(function), *_keywords(function)]
    states = ((key, _owner_of_state(value), place) for key, value, place in found)
    return [SavedState(key, owner, place) for key, owner, place in states if owner is not None]


def restored_states(function: Function) -> list[Restored]:
    """Return what a function restores from keys of the checkpoint that it loads or is given."""
    calls = (call for call in scan(function, {ast.Call}, NESTED_SCOPES))
    loads = [c for c in calls if isinstance(c, ast.Call) and terminal_name(c.func) == LOADING]
    loads.sort(key=lambda call: (call.lineno, call.col_offset))
    keys = ((_key(c.args[0]), c) for c in loads if c.args)
    return [Restored(key, call) for key, call in keys if key]


def is_loader(function: Function, file: FileView) -> bool:
    """Return whether a function reads a checkpoint from a file itself, and hands it to no other."""
    calls = [call for call in scan(function, {ast.Call}) if isinstance(call, ast.Call)]
    loads = [call for call in calls if "torch.load" in file.once(Constructors).of(call)]
    names = {
        dotted(target)
        for node in scan(function, {ast.Assign})
        if isinstance(node, ast.Assign) and any(part in loads for part in walk(node.value))
        for target in node.targets
    }
    uses = (n for n in scan(function, {ast.Name}) if isinstance(n, ast.Name) and n.id in names)
    reads = (file.parent(use) for use in uses if isinstance(use.ctx, ast.Load))
    return bool(names) and all(isinstance(read, ENTRY_READS) for read in reads)


def is_written_key(place: ast.expr, file: FileView) -> bool:
    """Return whether a text is the key of a dict, or of an entry that is assigned."""
    above = file.parent(place)
    if isinstance(above, ast.Dict):
        return place in above.keys
    return isinstance(above, ast.Subscript) and isinstance(above.ctx, ast.Store)


def is_trained_with(owner: ast.expr, file: FileView) -> bool:
    """Return whether an object is an optimizer, by its constructor or by how the file uses it."""
    name = dotted(owner)
    if is_optimizer(file.once(Constructors).of(owner)) or name in file.once(LoopNames).optimizers:
        return True
    methods = {c.func.attr for c in file.calls("step", "zero_grad") if _is_on(c, name)}  # type: ignore[attr-defined]  # a method
    return {"step", "zero_grad"} <= methods


def gets_unused_optimizer(function: Function, file: FileView) -> bool:
    """Return whether a function is given an optimizer that it never reads."""
    calls = file.once(LocalCalls)
    read = {n.id for n in scan(function, {ast.Name}) if isinstance(n, ast.Name)}
    unread = (p.arg for p in parameters(function.args) if p.arg not in read)
    given = (v for name in unread for v in calls.parameter_values(function, name))
    return any(is_trained_with(value, file) for value in given)


def is_of_training(owner: ast.expr, file: FileView) -> bool:
    """Return whether an object is an optimizer, a scheduler or a gradient scaler, as a resume restores."""
    origins = file.once(Constructors).of(owner)
    return is_scheduler(origins) or is_scaler(origins) or is_trained_with(owner, file)


def same_home(function: Function, other: Function, file: FileView) -> bool:
    """Return whether two functions are methods of one class, or both functions of the module."""
    calls = file.once(LocalCalls)
    return calls.owner(function) is calls.owner(other)


def _is_on(call: ast.Call, name: str) -> bool:
    return bool(name) and isinstance(call.func, ast.Attribute) and dotted(call.func.value) == name


def _entries(function: Function) -> Iterator[tuple[str, ast.expr, ast.expr]]:
    for node in scan(function, {ast.Dict}, NESTED_SCOPES):
        assert isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value, key


def _later_entries(function: Function) -> Iterator[tuple[str, ast.expr, ast.expr]]:
    for node in scan(function, {ast.Assign}, NESTED_SCOPES):
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        key = target.slice if isinstance(target, ast.Subscript) else None
        is_text = isinstance(key, ast.Constant) and isinstance(key.value, str)
        if is_text and isinstance(key, ast.Constant) and isinstance(node, ast.Assign):
            yield str(key.value), node.value, key


def _keywords(function: Function) -> Iterator[tuple[str, ast.expr, ast.expr]]:
    for node in scan(function, {ast.Call}, NESTED_SCOPES):
        if isinstance(node, ast.Call) and dotted(node.func) == "dict":
            yield from ((k.arg, k.value, k.value) for k in node.keywords if k.arg)


def _owner_of_state(value: ast.expr) -> ast.expr | None:
    """Return the object of `x.state_dict()`, None for any other value."""
    value = value.body if isinstance(value, ast.IfExp) else value
    is_state = isinstance(value, ast.Call) and terminal_name(value.func) == "state_dict"
    function = value.func if is_state and isinstance(value, ast.Call) else None
    return function.value if isinstance(function, ast.Attribute) else None


def _key(value: ast.expr) -> str:
    """Return the key of `state["key"]` or `state.get("key")`, empty for any other value."""
    key: ast.expr | None = value.slice if isinstance(value, ast.Subscript) else None
    if isinstance(value, ast.Call) and terminal_name(value.func) in ("get", "pop") and value.args:
        key = value.args[0]
    is_text = isinstance(key, ast.Constant) and isinstance(key.value, str)
    return str(key.value) if is_text and isinstance(key, ast.Constant) else ""
