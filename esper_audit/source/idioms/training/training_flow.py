"""Flows of training: the events of each function in order, with those of the helpers that it calls."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.training.torch_objects import is_without_gradients
from esper_audit.source.idioms.training.training_events import (
    EventKind,
    EventReader,
    Path,
    TrainingEvent,
)
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, scan
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, text_of

DEEPEST = 2
MOST_EVENTS = 500
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class TrainingFlow:
    """The events of one function, or of the module itself where `function` is None."""

    def __init__(self, function: Function | None, events: list[TrainingEvent]) -> None:
        self.function = function
        self.events = events

    def of_kind(self, *kinds: EventKind) -> list[TrainingEvent]:
        """Return the events of some kinds in order."""
        return [event for event in self.events if event.kind in kinds]

    def between(
        self, first: TrainingEvent, last: TrainingEvent, *kinds: EventKind
    ) -> list[TrainingEvent]:
        """Return the events of some kinds after one event and before another."""
        start, end = self.events.index(first), self.events.index(last)
        return [event for event in self.events[start + 1 : end] if event.kind in kinds]

    def after(self, event: TrainingEvent, *kinds: EventKind) -> list[TrainingEvent]:
        """Return the events of some kinds after an event."""
        return [e for e in self.events[self.events.index(event) + 1 :] if e.kind in kinds]


class TrainingFlows:
    """The flows of a file, in which each event is found by its node."""

    def __init__(self, file: FileView) -> None:
        self._file = file
        self._calls = file.once(LocalCalls)
        self._reader = file.once(EventReader)
        self._of_modules = dict(self._methods_of_modules())
        self.flows = [
            TrainingFlow(function, self._read(function, 0)) for function in self._relevant()
        ]
        self._by_node: dict[tuple[ast.AST, EventKind], list[TrainingFlow]] = defaultdict(list)
        for flow in self.flows:
            for place in {(event.node, event.kind) for event in flow.events}:
                self._by_node[place].append(flow)

    def having(self, node: ast.AST, kind: EventKind) -> list[TrainingFlow]:
        """Return the flows in which a node is an event of a kind."""
        return self._by_node.get((node, kind), [])

    def _relevant(self) -> list[Function | None]:
        """Return the functions with an event, and those that call one of them."""
        found: dict[Function | None, None] = {}
        for call in self._file.nodes(ast.Call):
            if self._reader.is_event(call) and self._reader.read(call) is not None:
                found[self._function_around(call)] = None
        for function in [function for function in found if function is not None]:
            by_module = (call for call, method in self._of_modules.items() if method is function)
            for call in [*self._calls.uses(function), *by_module]:
                found[self._function_around(call)] = None
        return list(found)

    def _methods_of_modules(self) -> Iterator[tuple[ast.Call, Function]]:
        """Yield the calls of methods on modules that the file is given, where one class of it has the method."""
        table, origins = self._file.once(class_table), self._file.once(Constructors)
        classes = [found for found in table.classes if table.family(found).is_module]
        methods = [(m, found) for found in classes for m in table.members(found).functions]
        named = Counter(method.name for method, _ in methods)
        for method, owner in methods:
            calls = self._file.calls(method.name) if named[method.name] == 1 else []
            for call in (c for c in calls if self._reader.is_on_module(c)):
                made = origins.of(call.func.value)  # type: ignore[attr-defined]  # a method
                if not made or f".{owner.name}" in made:
                    yield call, method

    def _function_around(self, node: ast.expr) -> Function | None:
        functions = self._file.functions(node)
        return functions[-1] if functions else None

    def _read(self, function: Function | None, depth: int) -> list[TrainingEvent]:
        body = self._file.tree.body if function is None else function.body
        return list(islice(self._block(body, (), depth), MOST_EVENTS))

    def _block(self, body: Sequence[ast.stmt], path: Path, depth: int) -> Iterator[TrainingEvent]:
        for statement in body:
            if isinstance(statement, DEFINITIONS):
                continue
            nested = list(blocks(statement))
            for expression in _header(statement) if nested else (statement,):
                yield from self._expression(expression, path, depth)
            for number, inner in enumerate(nested):
                yield from self._block(inner, (*path, (statement, number)), depth)

    def _expression(self, node: ast.AST, path: Path, depth: int) -> Iterator[TrainingEvent]:
        if isinstance(node, ast.Assign) and _clears_gradient(node):
            yield TrainingEvent(EventKind.ZERO, node.targets[0], "", path)
        calls = [c for c in scan(node, {ast.Call}, NESTED_SCOPES) if isinstance(c, ast.Call)]
        calls.sort(key=lambda call: (call.end_lineno or 0, call.end_col_offset or 0))
        for call in calls:
            yield from self._call(call, path, depth)

    def _call(self, call: ast.Call, path: Path, depth: int) -> Iterator[TrainingEvent]:
        target = self._calls.target(call) or self._calls.method_of_object(call)
        target = target or self._of_modules.get(call)
        if target is not None:
            if depth < DEEPEST:
                yield from self._inlined(call, target, path, depth)
            return
        for argument in call.args:
            closure = self._calls.named(argument) if isinstance(argument, ast.Name) else None
            if closure is not None and depth < DEEPEST:
                yield from self._inlined(call, closure, path, depth)
        event = self._reader.read(call)
        if event is not None:
            yield event.inside(path, {}, "")

    def _inlined(
        self, call: ast.Call, target: Function, path: Path, depth: int
    ) -> Iterator[TrainingEvent]:
        names = {name: f"{target.name}().{name}" for name in self._local_names(target)}
        passed = self._calls.arguments(call, target).items()
        names |= {name: text_of(value) for name, value in passed}
        names.pop("self", None)
        if self._calls.target(call) is None and isinstance(call.func, ast.Attribute):
            names["self"] = text_of(call.func.value)
        for event in self._read(target, depth + 1):
            yield event.inside(path, names, target.name)

    def _local_names(self, function: Function) -> Iterable[str]:
        return self._file.source.names.function(function).bound


def has_no_gradients(event: TrainingEvent, flow: TrainingFlow, file: FileView) -> bool:
    """Return whether an event happens where gradients are switched off."""
    blocks = [s for s, _ in event.path if isinstance(s, (ast.With, ast.AsyncWith))]
    managers = (item.context_expr for block in blocks for item in block.items)
    if any(is_without_gradients(manager, file) for manager in managers):
        return True
    functions = [*file.functions(event.node), *([flow.function] if flow.function else [])]
    return any(
        is_without_gradients(decorator, file)
        for function in functions
        for decorator in function.decorator_list
    )


def _header(statement: ast.stmt) -> list[ast.expr]:
    """Return the expressions that a compound statement evaluates before its blocks."""
    if isinstance(statement, (ast.If, ast.While)):
        return [statement.test]
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        return [statement.iter]
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        return [item.context_expr for item in statement.items]
    return [statement.subject] if isinstance(statement, ast.Match) else []


def _clears_gradient(node: ast.Assign) -> bool:
    """Return whether a statement is `p.grad = None`."""
    target = node.targets[0]
    is_none = isinstance(node.value, ast.Constant) and node.value.value is None
    return is_none and isinstance(target, ast.Attribute) and target.attr == "grad"
