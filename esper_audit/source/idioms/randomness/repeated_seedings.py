"""Generators that a function run for each batch makes anew with the same seed."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.randomness.generators import (
    SEEDED_GENERATORS,
    TORCH_GENERATORS,
    is_constant_seed,
    seeded_name,
)
from esper_audit.source.syntax.ast_walk import names_in, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

COLLATING = frozenset(
    {"torch.nn.utils.rnn.pad_sequence", "torch.stack", "torch.utils.data.default_collate"}
    | {
        "torch.utils.data.dataloader.default_collate",
        "torch.utils.data._utils.collate.default_collate",
    }
)
OBJECTS = frozenset({"self", "cls"})


def is_repeated(seeding: ast.Call, file: FileView) -> bool:
    """Return whether each batch gets a generator of its own with the same seed, and draws from it."""
    function = file.functions(seeding)[-1]
    if not _is_made_here(seeding, function, file) or not _is_fixed(seeding.args[:1], file):
        return False
    if not _has_draw(seeding, function, file) or _is_chosen(seeding, function, file):
        return False
    entries = _entries(function, file)
    return _is_in_training_loop(seeding, file) or any(_is_of_batch(f, file) for f in entries)


def _is_made_here(seeding: ast.Call, function: Function, file: FileView) -> bool:
    """Return whether the function itself makes the generator that a call seeds, and does not keep it."""
    if seeded_name(seeding, file).startswith("self."):
        return False
    if file.resolve(seeding.func) in SEEDED_GENERATORS:
        return True
    if terminal_name(seeding.func) != "manual_seed" or not isinstance(seeding.func, ast.Attribute):
        return False
    own = scan(function, {ast.Call})
    made = file.once(Constructors).made_by(seeding.func.value)
    return any(file.resolve(maker.func) in TORCH_GENERATORS and maker in own for maker in made)


def _is_fixed(seeds: list[ast.expr], file: FileView) -> bool:
    """Return whether a seed is a number, an attribute that only the constructor binds, or a closure's."""
    if not seeds:
        return False
    seed = seeds[0]
    if isinstance(seed, ast.Attribute) and dotted(seed.value) == "self":
        family = _family(seed, file)
        if family is None:
            return False
        bindings = family.bindings(seed.attr)
        fields = (
            s for m in family.members for s in m.definition.body if isinstance(s, ast.AnnAssign)
        )
        is_field = any(dotted(field.target) == seed.attr for field in fields)
        return bool(bindings or is_field) and all(b.method.name == "__init__" for b in bindings)
    *outer, own = file.functions(seed)
    if isinstance(seed, ast.Name) and any(
        seed.id == p.arg for f in outer for p in parameters(f.args)
    ):
        names = (n for n in scan(own, {ast.Name}) if isinstance(n, ast.Name))
        bound = {n.id for n in names if isinstance(n.ctx, ast.Store)}
        return seed.id not in bound | {p.arg for p in parameters(own.args)}
    return is_constant_seed(seed, file)


def _has_draw(seeding: ast.Call, function: Function, file: FileView) -> bool:
    """Return whether a function draws from the generator of a seeding."""
    name = seeded_name(seeding, file)
    for call in scan(function, {ast.Call}):
        assert isinstance(call, ast.Call)
        given = [k.value for k in call.keywords if k.arg == "generator"]
        if any(value is seeding or (name and dotted(value) == name) for value in given):
            return True
        is_method = isinstance(call.func, ast.Attribute) and dotted(call.func.value) == name
        if name and is_method and call is not seeding:
            return True
    return False


def _is_chosen(seeding: ast.Call, function: Function, file: FileView) -> bool:
    """Return whether a switch of the object or the caller decides about a seeding."""
    given = {p.arg for p in parameters(function.args)}
    above = file.parent(seeding)
    while above is not None and above is not function:
        if isinstance(above, (ast.If, ast.IfExp)) and names_in(above.test) & (given | OBJECTS):
            return True
        above = file.parent(above)
    return False


def _is_in_training_loop(seeding: ast.Call, file: FileView) -> bool:
    """Return whether the innermost loop around a seeding runs a backward pass in each round."""
    loops = [s for s in file.enclosing(seeding) if isinstance(s, (ast.For, ast.While))]
    calls = scan(loops[-1], {ast.Call}) if loops else []
    return any(isinstance(c, ast.Call) and terminal_name(c.func) == "backward" for c in calls)


def _entries(function: Function, file: FileView) -> list[Function]:
    """Return the function, and the `__call__` of its class that reaches it."""
    family = _family(function.body[0], file)
    reached = family.reached_from("__call__") if family is not None else []
    return [function, reached[0]] if function in reached else [function]


def _is_of_batch(function: Function, file: FileView) -> bool:
    """Return whether a function makes a batch of rows: a loader gets it, or it pads or stacks its argument."""
    owner = file.once(class_table).owner(function)
    if owner is not None and function.name != "__call__":
        return False
    name = owner.name if owner is not None else function.name
    collators = [
        maker
        for call in file.nodes(ast.Call)
        for keyword in call.keywords
        if keyword.arg == "collate_fn"
        for maker in (keyword.value, *file.once(Constructors).made_by(keyword.value))
    ]
    makers = {dotted(maker.func if isinstance(maker, ast.Call) else maker) for maker in collators}
    if name in makers or any(f.name in makers for f in file.functions(function.body[0])):
        return True
    rows = [p.arg for p in parameters(function.args) if p.arg not in OBJECTS][:1]
    return any(
        isinstance(call, ast.Call)
        and file.resolve(call.func) in COLLATING
        and bool(names_in(call) & set(rows))
        for call in scan(function, {ast.Call})
    )


def _family(node: ast.expr | ast.stmt, file: FileView) -> ClassFamily | None:
    classes = [d for d in file.definitions(node) if isinstance(d, ast.ClassDef)]
    return file.once(class_table).family(classes[-1]) if classes else None
