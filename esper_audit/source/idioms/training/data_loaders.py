"""Data loaders of a file: constructed directly, by a partial function, or with options of a dict."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.training.torch_objects import LOADERS
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, text_of

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
