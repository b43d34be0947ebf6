"""One construction of a class with a call of the module, as plain data: what a line of a journal holds."""

from __future__ import annotations

import functools
import inspect
import math
import sys
from typing import Any

import msgspec
from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.recipes.plain_data import encode_arguments, map_names
from esper_audit.probes.recipes.values import Arguments, CallSpec, tensors_in

UNCOUNTED = 1 << 40  # the cost of a module whose parameters have no size yet


class Recorded(msgspec.Struct, frozen=True):
    """One construction of a class, with a call of the module if there was one, as plain data.

    `cost` is the number of elements that a call touches, `files` are those of the modules that the arguments
    name. `reason` is set instead where it cannot be written down.
    """

    target: str
    file: str
    build: dict[str, Any] = {}
    call: dict[str, Any] | None = None
    cost: int = 0
    reason: str = ""
    files: dict[str, str] = {}


def structure_of(one: Recorded) -> str:
    """Return what distinguishes a signature from others but for numbers and sizes."""
    return repr((_structure(one.build), _structure(one.call), one.reason))


def _structure(plain: Any) -> Any:
    if isinstance(plain, dict):
        if "tensor" in plain:
            return ("tensor", len(plain["tensor"]), plain.get("dtype"))
        return {key: _structure(item) for key, item in plain.items()}
    if isinstance(plain, list):
        parts = [_structure(item) for item in plain]
        return parts[:1] if all(part == parts[0] for part in parts) else parts
    is_number = isinstance(plain, (int, float)) and not isinstance(plain, bool)
    return "number" if is_number else plain


def signature_of(
    module: nn.Module, found: CallSpec | str, call: Arguments | str | None
) -> Recorded:
    """Return a construction with a call of the module, or why they cannot be written down."""
    if isinstance(found, str):
        return unwritten(type(module), found)
    if isinstance(call, str):
        return unwritten(type(module), call)
    build = encode_arguments(Arguments(found.args, found.kwargs))
    cost = 0 if call is None else _elements(call) + _weights(module)
    plain = None if call is None else encode_arguments(call)
    file = _file(type(module).__module__)
    return Recorded(found.path, file, build, plain, cost, files=_files_named(build, plain))


def unwritten(kind: type, reason: str) -> Recorded:
    """Return that a construction or call of a class cannot be written down."""
    path = f"{kind.__module__}:{kind.__qualname__}"
    return Recorded(path, _file(kind.__module__), reason=reason)


@functools.cache
def _file(name: str) -> str:
    module = sys.modules.get(name)
    if not inspect.ismodule(module) or not vars(module).get("__file__"):
        return ""  # such as `__main__` of `python -c`, or a module of C
    return inspect.getsourcefile(module) or ""


def _files_named(*plain: dict[str, Any] | None) -> dict[str, str]:
    """Return the file of each module, other than those of torch, that plain data names."""
    found: dict[str, str] = {}

    def note(path: str) -> str:
        module = path.partition(":")[0]
        if module.partition(".")[0] != "torch":
            found[module] = _file(module)
        return path

    for arguments in plain:
        map_names(arguments, note)
    return {module: file for module, file in found.items() if file}


def _elements(call: Arguments) -> int:
    return sum(math.prod(spec.shape) for spec in tensors_in(call))


def _weights(module: nn.Module) -> int:
    try:
        return sum(p.numel() for p in nn.Module.parameters(module) if isinstance(p, Tensor))
    # Lazy parameters have no size, and a module may override what iterates them.
    except FAILURES:
        return UNCOUNTED
