"""Inputs of losses that take logits, and the activation that a value has already been through."""

from __future__ import annotations

import ast
from functools import cached_property

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.numerics.probabilities import PROBABILITIES, selected
from esper_audit.source.idioms.numerics.tensor_calls import OPERATIONS, tensor_call
from esper_audit.source.idioms.numerics.value_origins import (
    ValueOrigins,
    called_function,
    passed_arguments,
)
from esper_audit.source.syntax.ast_walk import returned_values, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

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
ADDING = frozenset({"append", "extend", "insert"})
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
        if isinstance(origin, ast.Name):
            return self._of_parameter(origin, depth) or self._of_element(origin, depth)
        if not isinstance(origin, ast.Call):
            return ""
        if isinstance(origin.func, ast.Name) and origin.func.id == "self":
            return self._of_forward(self._calls.method(self._calls.owner(origin), "forward"), depth)
        return self._of_module(origin.func, depth)

    def _of_parameter(self, name: ast.Name, depth: int) -> str:
        """Return the activation of everything that the file passes for a parameter."""
        passed = passed_arguments(name, self._file) or self._passed_to_object(name)
        found = [self.of(value, depth + 1) for value in passed]
        return found[0] if found and all(found) else ""

    def _passed_to_object(self, name: ast.Name) -> list[ast.expr]:
        """Return what the file passes for a parameter by calling an object: a loss that is a module."""
        function = self._file.functions(name)[-1:]
        calls = self._constructors.calls_of(function[0]) if function else []
        passed = (self._calls.arguments(call, function[0]).get(name.id) for call in calls)
        return [value for value in passed if value is not None]

    def _of_element(self, name: ast.Name, depth: int) -> str:
        """Return the activation of one of several results, which a name is bound to by unpacking."""
        bound = self._file.once(FunctionValues).reaching(name)
        call, index = (bound[0].value, bound[0].index) if len(bound) == 1 else (None, None)
        if not isinstance(call, ast.Call) or index is None:
            return ""
        function = called_function(call, self._file)
        results = list(returned_values(function)) if function is not None else []
        parts = [r.elts[index] for r in results if isinstance(r, ast.Tuple) and index < len(r.elts)]
        found = [self.of(part, depth + 1) for part in parts]
        return found[0] if found and all(found) and len(parts) == len(results) else ""

    def _of_module(self, module: ast.expr, depth: int) -> str:
        """Return the activation that the output of a module has been through."""
        made = self._constructors.made_by(module)
        found = next((name for each in made if (name := self._last(each, depth))), "")
        origins = sorted(filter(None, self._constructors.of(module)))
        is_open = not made and set(origins) <= {"torch.nn", "torch.nn.Module", *self._class_origins}
        classes = [o for o in origins if o in self._class_origins]
        if found or not is_open or not (classes or self._is_given(module)):
            return found
        classes = classes or self._free_modules
        last = [self._of_forward(self._forward(o[1:]), depth) for o in classes]
        return last[0] if last and all(last) else ""

    def _is_given(self, module: ast.expr) -> bool:
        """Return whether a module is a parameter, or an attribute that is bound to one."""
        names = [module] if isinstance(module, ast.Name) else self._constructors.values(module)
        given = {p.arg for n in names for f in self._file.functions(n) for p in parameters(f.args)}
        return bool(names) and all(dotted(name) in given for name in names)

    @cached_property
    def _class_origins(self) -> frozenset[str]:
        return frozenset(f".{node.name}" for node in self._file.nodes(ast.ClassDef))

    @cached_property
    def _free_modules(self) -> list[str]:
        """The origins of the modules with a `forward` that the file makes outside of its classes."""
        made = {
            call.func.id
            for call in self._file.nodes(ast.Call)
            if isinstance(call.func, ast.Name) and self._calls.owner(call) is None
        }
        return [f".{name}" for name in sorted(made) if self._forward(name) is not None]

    def _last(self, module: ast.expr, depth: int) -> str:
        """Return the last activation of a module that an expression makes."""
        if not isinstance(module, ast.Call):
            return ""
        made = self._file.resolve(module.func) or ""
        name = OPERATIONS.get(made.removeprefix("torch.nn."), ("",))[0]
        if made.startswith("torch.nn.") and name in PROBABILITIES:
            return PROBABILITIES[name]
        if made == SEQUENTIAL and module.args:
            last = _last_part(module.args[-1])
            return self._last(last_added(last, self._file) or last, depth)
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


def last_added(parts: ast.expr, file: FileView) -> ast.expr | None:
    """Return what `parts.append` adds last to the list of `*parts`, None if that is not certain."""
    name = dotted(parts.value) if isinstance(parts, ast.Starred) else ""
    functions = file.functions(parts)
    if not name or not functions:
        return None
    changes = [
        call
        for call in scan(functions[-1], {ast.Call})
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if dotted(call.func.value) == name and call.func.attr in ADDING
    ]
    last = max(changes, key=lambda call: call.lineno, default=None)
    is_certain = last is not None and file.enclosing(last)[-2:-1] == functions[-1:]
    is_append = last is not None and terminal_name(last.func) == "append" and bool(last.args)
    return last.args[0] if is_certain and is_append and last is not None else None


def _last_part(part: ast.expr) -> ast.expr:
    """Return the last module of `OrderedDict([("name", module), ...])`, any other part itself."""
    if isinstance(part, ast.Call) and part.args and isinstance(part.args[0], ast.List):
        last = part.args[0].elts[-1] if part.args[0].elts else part
        return last.elts[-1] if isinstance(last, ast.Tuple) and last.elts else last
    return part
