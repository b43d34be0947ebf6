"""Data loaders of a file: constructed directly, by a partial function, or with options of a dict."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.numerics.gradient_modes import is_without_gradients
from esper_audit.source.idioms.training.torch_objects import LOADERS
from esper_audit.source.syntax.ast_walk import names_in, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import defaults, dotted, is_constant, text_of

Comprehension = ast.ListComp | ast.GeneratorExp
PARTIAL = "functools.partial"
OWN_ORDER = frozenset({"sampler", "batch_sampler"})


def loaders_with(options: ast.Call, file: FileView) -> Iterator[ast.Call]:
    """Yield the loaders that a call makes, or that get its keywords by `partial(...)` or `**dict(...)`.

    A loader that overrides `drop_last` itself is left out.
    """
    if file.resolve(options.func) in LOADERS:
        yield options
        return
    is_partial = file.resolve(options.func) == PARTIAL and bool(options.args)
    if not (is_partial or dotted(options.func) == "dict"):
        return
    values = file.once(Constructors).values
    for call in file.nodes(ast.Call):
        given = [call.func] if is_partial else [k.value for k in call.keywords if k.arg is None]
        has_options = any(options in values(each) for each in given)
        is_own = any(k.arg == "drop_last" for k in call.keywords)
        if has_options and not is_own and _is_loader(call, file):
            yield call


def option(loader: ast.Call, name: str, file: FileView) -> ast.expr | None:
    """Return the value of an option of a loader: its own, or that of a literal dict that it unpacks."""
    own = next((k.value for k in loader.keywords if k.arg == name), None)
    if own is not None:
        return own
    values = file.once(Constructors).values
    tables = (v for k in loader.keywords if k.arg is None for v in values(k.value))
    for table in (t for t in tables if isinstance(t, ast.Dict)):
        for key, value in zip(table.keys, table.values, strict=True):
            if is_constant_text(key, name) and not _is_changed(loader, name, file):
                return value
    return None


def _is_changed(loader: ast.Call, name: str, file: FileView) -> bool:
    """Return whether the function of a loader assigns to an entry of a dict under the name of an option."""
    functions = file.functions(loader)
    stores = scan(functions[-1], {ast.Subscript}) if functions else []
    return any(
        isinstance(store, ast.Subscript)
        and isinstance(store.ctx, ast.Store)
        and is_constant_text(store.slice, name)
        for store in stores
    )


def is_constant_text(node: ast.expr | None, text: str) -> bool:
    """Return whether a node is a literal text."""
    return isinstance(node, ast.Constant) and node.value == text


def data_set(loader: ast.Call) -> ast.expr | None:
    """Return the data set that a loader is given."""
    given = next((k.value for k in loader.keywords if k.arg == "dataset"), None)
    return given if given is not None else next(iter(loader.args), None)


def is_held_out(loader: ast.Call, file: FileView) -> bool:
    """Return whether a loader keeps the order of its data beside one of the function that shuffles other data."""
    functions = file.functions(loader)
    if not functions or _shuffles(loader, file) or not _has_plain_order(loader):
        return False
    data = data_set(loader)
    for other in file.nodes(ast.Call):
        is_beside = file.functions(other)[-1:] == functions[-1:] and _is_loader(other, file)
        if is_beside and _shuffles(other, file) and data is not None:
            given = data_set(other)
            return given is not None and text_of(given) != text_of(data)
    return False


def is_held_out_by_call(loader: ast.Call, file: FileView) -> bool:
    """Return whether an argument decides the order: one call shuffles, one keeps the order of other data."""
    functions, data = file.functions(loader), data_set(loader)
    flag = next((k.value for k in _keywords(loader, file) if k.arg == "shuffle"), None)
    if flag is None or not OWN_ORDER.isdisjoint(k.arg or "" for k in loader.keywords):
        return False
    if isinstance(flag, ast.Compare):
        return isinstance(flag.ops[0], ast.Eq) and is_constant_text(flag.comparators[0], "train")
    if not functions or not isinstance(flag, ast.Name) or not isinstance(data, ast.Name):
        return False
    calls, function = file.once(LocalCalls), functions[-1]
    given = [
        defaults(function.args) | dict(calls.arguments(c, function)) for c in calls.uses(function)
    ]
    pairs = [(text_of(g[data.id]), g.get(flag.id)) for g in given if data.id in g]
    shuffled = {name for name, order in pairs if order is not None and is_constant(order, True)}
    kept = {name for name, order in pairs if order is not None and is_constant(order, False)}
    return bool(shuffled) and bool(kept - shuffled)


def _is_loader(call: ast.Call, file: FileView) -> bool:
    """Return whether a call makes a loader, also through a partial function."""
    if file.resolve(call.func) in LOADERS:
        return True
    made = file.once(Constructors).values(call.func)
    calls = [value for value in made if isinstance(value, ast.Call)]
    return any(
        file.resolve(value.func) == PARTIAL
        and bool(value.args)
        and file.resolve(value.args[0]) in LOADERS
        for value in calls
    )


def _shuffles(loader: ast.Call, file: FileView) -> bool:
    """Return whether a loader shuffles for certain."""
    value = next((k.value for k in _keywords(loader, file) if k.arg == "shuffle"), None)
    return isinstance(value, ast.Constant) and value.value is True


def _has_plain_order(loader: ast.Call) -> bool:
    """Return whether a loader has neither a sampler nor an order that a variable decides."""
    value = next((k.value for k in loader.keywords if k.arg == "shuffle"), None)
    is_plain = value is None or (isinstance(value, ast.Constant) and value.value is False)
    return is_plain and OWN_ORDER.isdisjoint(k.arg or "" for k in loader.keywords)


def _keywords(loader: ast.Call, file: FileView) -> Iterator[ast.keyword]:
    """Yield the keywords of a loader, its own first, then those of a partial function or a dict."""
    yield from (k for k in loader.keywords if k.arg is not None)
    values = file.once(Constructors).values
    shared = [loader.func, *(k.value for k in loader.keywords if k.arg is None)]
    for value in (value for each in shared for value in values(each)):
        yield from value.keywords if isinstance(value, ast.Call) else ()


def measuring_comprehension(loader: ast.Call, file: FileView) -> Comprehension | None:
    """Return the comprehension without gradients that runs a module on the batches of a loader."""
    found: list[Comprehension] = [*file.nodes(ast.ListComp), *file.nodes(ast.GeneratorExp)]
    for node in found:
        is_over = loader in file.once(Constructors).made_by(node.generators[0].iter)
        if is_over and is_without_gradients(node, file) and _runs_module(node):
            return node
    return None


def _runs_module(node: Comprehension) -> bool:
    """Return whether a comprehension calls a name on what it iterates."""
    taken = names_in(node.generators[0].target)
    calls = (c for c in scan(node.elt, {ast.Call}) if isinstance(c, ast.Call))
    return any(
        isinstance(c.func, ast.Name | ast.Attribute)
        and not names_in(c.func) & taken
        and any(isinstance(a, ast.Name) and a.id in taken for a in c.args)
        for c in calls
    )
