"""Inputs of losses that take logits, and the activation that a value has already been through."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.numerics.probabilities import PROBABILITIES, selected
from esper_audit.source.idioms.numerics.tensor_calls import OPERATIONS, tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.ast_walk import returned_values
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, terminal_name

LOGIT_FUNCTIONS = {
    "torch.nn.functional.cross_entropy": "cross_entropy",
    "torch.nn.functional.binary_cross_entropy_with_logits": "binary_cross_entropy_with_logits",
}
LOGIT_MODULES = {
    "torch.nn.CrossEntropyLoss": "CrossEntropyLoss",
    "torch.nn.BCEWithLogitsLoss": "BCEWithLogitsLoss",
    "torch.nn.modules.loss.CrossEntropyLoss": "CrossEntropyLoss",
    "torch.nn.modules.loss.BCEWithLogitsLoss": "BCEWithLogitsLoss",
}
SEQUENTIAL = "torch.nn.Sequential"
DEEPEST = 3


def logit_loss(call: ast.Call, file: FileView) -> str:
    """Return the name of the loss that a call computes from logits, empty for any other call."""
    named = LOGIT_FUNCTIONS.get(file.resolve(call.func) or "")
    if named is not None:
        return named
    made = file.once(Constructors).of(call.func)
    if isinstance(call.func, ast.Call):
        made = frozenset({file.resolve(call.func.func) or ""})
    return next((LOGIT_MODULES[name] for name in sorted(made) if name in LOGIT_MODULES), "")


def logits_argument(call: ast.Call) -> ast.expr | None:
    """Return the argument of a loss that it takes for logits."""
    given = next((k.value for k in call.keywords if k.arg == "input"), None)
    return given if given is not None else next(iter(call.args), None)


class Activations:
    """The last activation of values and modules of one file."""

    def __init__(self, file: FileView) -> None:
        self._file = file
        self._calls = file.once(LocalCalls)
        self._constructors = file.once(Constructors)

    def of(self, value: ast.expr, depth: int = 0) -> str:
        """Return what makes a value a probability wherever it comes from, empty if it may be none."""
        if depth > DEEPEST:
            return ""
        found = [self._of_origin(o, depth) for o in self._origins(value)]
        return found[0] if found and all(found) else ""

    def _origins(self, value: ast.expr) -> list[ast.expr]:
        origins = self._file.once(ValueOrigins).of(value, selected)
        if isinstance(value, ast.Name) and origins == [value] and not self._file.functions(value):
            bound = [v for v in self._constructors.values(value) if v.lineno < value.lineno]
            return bound[-1:]
        return origins

    def _of_origin(self, origin: ast.expr, depth: int) -> str:
        call = tensor_call(origin, self._file)
        if call is not None and call.name in PROBABILITIES:
            return PROBABILITIES[call.name]
        if not isinstance(origin, ast.Call):
            return ""
        if isinstance(origin.func, ast.Name) and origin.func.id == "self":
            return self._of_forward(self._calls.method(self._calls.owner(origin), "forward"), depth)
        return next(
            (name for m in self._modules(origin.func) if (name := self._last(m, depth))), ""
        )

    def _modules(self, function: ast.expr) -> Iterator[ast.expr]:
        """Yield the expressions that make the module that is called."""
        pending = [function]
        for _ in range(DEEPEST):
            values = [v for name in pending for v in self._constructors.values(name)]
            yield from (v for v in values if isinstance(v, ast.Call))
            pending = [v for v in values if not isinstance(v, ast.Call)]

    def _last(self, module: ast.expr, depth: int) -> str:
        """Return the last activation of a module that an expression makes."""
        if not isinstance(module, ast.Call):
            return ""
        made = self._file.resolve(module.func) or ""
        name = OPERATIONS.get(made.removeprefix("torch.nn."), ("",))[0]
        if made.startswith("torch.nn.") and name in PROBABILITIES:
            return PROBABILITIES[name]
        if made == SEQUENTIAL and module.args:
            return self._last(_last_part(module.args[-1]), depth)
        forward = self._forward(terminal_name(module.func)) if not made else None
        if forward is None:
            is_chained = isinstance(module.func, ast.Attribute)
            return self._last(module.func.value, depth) if is_chained else ""  # type: ignore[attr-defined]  # it is an attribute
        return self._of_forward(forward, depth)

    def _of_forward(self, forward: Function | None, depth: int) -> str:
        """Return the activation of everything that a forward returns."""
        returned = returned_values(forward) if forward is not None else ()
        found = [self.of(value, depth + 1) for value in returned]
        return found[0] if found and all(found) else ""

    def _forward(self, name: str) -> Function | None:
        definition = self._calls.class_named(name)
        return self._calls.method(definition, "forward") if definition is not None else None


def _last_part(part: ast.expr) -> ast.expr:
    """Return the last module of `OrderedDict([("name", module), ...])`, any other part itself."""
    if isinstance(part, ast.Call) and part.args and isinstance(part.args[0], ast.List):
        last = part.args[0].elts[-1] if part.args[0].elts else part
        return last.elts[-1] if isinstance(last, ast.Tuple) and last.elts else last
    return part
