"""The flows of arguments of one file, with calls of its own functions followed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.source.idioms.aliasing.alias_flow import (
    NO_EFFECTS,
    AliasFlow,
    ArgumentWrite,
    CalleeEffects,
)
from esper_audit.source.idioms.aliasing.argument_reach import (
    BINDING,
    is_possible_write,
    names_reached,
)
from esper_audit.source.idioms.aliasing.tensor_parameters import possible_tensors
from esper_audit.source.idioms.classes.attribute_use import own_name
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

# A module's forward is a call, and so is the helper that it calls.
DEPTH = 2
LIST = "ModuleList"


class ArgumentFlows:
    """The flow of each function of a file, computed at its first query."""

    def __init__(self, file: FileView) -> None:
        self._file = file
        self._flows: dict[Function, AliasFlow] = {}
        self._tensors: dict[Function, frozenset[str]] = {}
        self._reached: dict[ast.Call, list[Function]] = {}
        self._reported: set[tuple[ast.AST, str]] = set()
        self._known: dict[tuple[Function, int], CalleeEffects] = {}
        self._functions: dict[str, Function] = {
            statement.name: statement
            for statement in file.tree.body
            if isinstance(statement, Function)
        }

    def flow(self, function: Function) -> AliasFlow:
        """Return the flow of a function."""
        if function not in self._flows:
            self._flows[function] = AliasFlow(
                function, self._file.resolve, lambda call: self._effects_of(call, function)
            )
        return self._flows[function]

    def first_writes(self, function: Function) -> Iterator[ArgumentWrite]:
        """Yield the first write into each parameter, except the object of a method."""
        seen = {own_name(function)} if self._is_method(function) else set()
        for write in self.flow(function).writes:
            if write.parameter not in seen:
                seen.add(write.parameter)
                yield write

    def may_write(self, node: ast.AST, function: Function) -> bool:
        """Return whether a node may write into a tensor that the function is given."""
        if function not in self._tensors:
            given = possible_tensors(function)
            bindings = [n for k in BINDING for n in self._file.inside(function, k)] if given else []
            self._tensors[function] = names_reached(
                bindings, given, lambda call: self._callees(call, function)
            )
        reached = self._tensors[function]
        return bool(reached) and is_possible_write(
            node, reached, lambda call: self._callees(call, function)
        )

    def callers(self, helper: Function) -> Iterator[tuple[ast.Call, Function]]:
        """Yield the calls of a function of the file, each with the function that contains it.

        The `forward` of a class is called where its object, an attribute of another one, is called.
        """
        for call in self._file.nodes(ast.Call):
            if helper.name != "forward" and terminal_name(call.func) != helper.name:
                continue
            around = self._file.functions(call)
            if around and around[-1] is not helper and helper in self._callees(call, around[-1]):
                yield call, around[-1]

    def is_first(self, write: ArgumentWrite) -> bool:
        """Return whether a write is looked up for the first time, of the several that lead to a call."""
        key = (write.node, write.parameter)
        is_new = key not in self._reported
        self._reported.add(key)
        return is_new

    def is_internal(self, function: Function) -> bool:
        """Return whether a function is private or nested, or the forward of a class that this file builds."""
        table = self._file.once(class_table)
        owner = table.owner(function)
        if len(self._file.functions(function)) > 0:
            return True
        if function.name != "forward" or owner is None:
            is_special = function.name.endswith("__")
            return function.name.startswith("_") and not is_special
        return any(
            any(
                isinstance(s, ast.ClassDef) and s is not owner for s in self._file.definitions(call)
            )
            for call in self._file.nodes(ast.Call)
            if terminal_name(call.func) == owner.name
        )

    def written_again_read(self, call: ast.Call, caller: Function) -> Iterator[ast.Name]:
        """Yield the names that a call writes into, hands back as its result, and that are read below."""
        effects = self._effects_of(call, caller)
        is_last = isinstance(self._file.enclosing(call)[-1], ast.Return)
        positions = frozenset() if is_last else effects.written & effects.returned
        for given in (a for at, a in enumerate(call.args) if at in positions):
            if isinstance(given, ast.Name) and _is_read_after(given, call, caller):
                yield given

    def _effects_of(self, call: ast.Call, caller: Function, depth: int = DEPTH) -> CalleeEffects:
        callees = self._callees(call, caller)
        if not callees or any("inplace" in (keyword.arg or "") for keyword in call.keywords):
            return NO_EFFECTS
        found = [self._effects(c, depth) for c in callees if c is not caller]
        return CalleeEffects(
            frozenset().union(*(each.written for each in found)),
            frozenset().union(*(each.returned for each in found)),
        )

    def _effects(self, callee: Function, depth: int) -> CalleeEffects:
        """Return what a function does to its arguments, with the calls in it followed `depth` deep."""
        key = (callee, depth)
        if depth == 0:
            return NO_EFFECTS
        if key not in self._known:
            self._known[key] = NO_EFFECTS
            flow = AliasFlow(
                callee,
                self._file.resolve,
                lambda call: self._effects_of(call, callee, depth - 1),
            )
            self._known[key] = _summary(flow, self._parameters(callee))
        return self._known[key]

    def _parameters(self, callee: Function) -> list[str]:
        """Return the parameters to which the arguments of a call belong, without the own object."""
        names = [p.arg for p in parameters(callee.args)]
        return names[1:] if self._is_method(callee) and own_name(callee) else names

    def _callees(self, call: ast.Call, caller: Function) -> list[Function]:
        """Return the functions of this file that a call may reach, by name or on the own object."""
        if call not in self._reached:
            self._reached[call] = self._found_callees(call, caller)
        return self._reached[call]

    def _found_callees(self, call: ast.Call, caller: Function) -> list[Function]:
        function = call.func
        if isinstance(function, ast.Name) and function.id in self._functions:
            return [self._functions[function.id]]
        if isinstance(function, ast.Attribute) and dotted(function.value) == own_name(caller) != "":
            owner = self._file.once(class_table).owner(caller)
            return list(self._members(function.attr, owner)) if owner is not None else []
        listed = self._listed(function, caller) if self._file.calls(LIST) else ""
        owner = self._file.once(class_table).owner(caller) if listed else None
        return list(self._members(listed, owner)) if owner is not None else []

    def _listed(self, function: ast.expr, caller: Function) -> str:
        """Return the attribute of the own object whose items are called, by index or in a loop over them."""
        held = function.value if isinstance(function, ast.Subscript) else None
        if isinstance(function, ast.Name):
            values = self._file.once(FunctionValues).reaching(function)
            loop = values[0].statement if len(values) == 1 else None
            held = loop.iter if isinstance(loop, ast.For) else None
            if isinstance(held, ast.Call) and dotted(held.func) in ("enumerate", "zip", "reversed"):
                held = next((a for a in held.args if self._listed_name(a, caller)), None)
        return self._listed_name(held, caller) if held is not None else ""

    def _listed_name(self, held: ast.expr, caller: Function) -> str:
        held = held.value if isinstance(held, ast.Subscript) else held
        is_own = isinstance(held, ast.Attribute) and dotted(held.value) == own_name(caller) != ""
        return held.attr if isinstance(held, ast.Attribute) and is_own else ""

    def _members(self, name: str, owner: ast.ClassDef) -> Iterator[Function]:
        """Yield the method of a class, or the forward of each module that its attribute may hold."""
        table = self._file.once(class_table)
        family = table.family(owner)
        method = family.method(name)
        if method is not None:
            yield method
        for use in family.bindings(name):
            for made in _made(use.value):
                held = table.by_name.get(terminal_name(made.func))
                forward = table.family(held).method("forward") if held is not None else None
                if forward is not None and held is not owner:
                    yield forward

    def _is_method(self, function: Function) -> bool:
        return self._file.once(class_table).owner(function) is not None


def _made(value: ast.expr | None) -> Iterator[ast.Call]:
    """Yield the call that makes a module, or those that make the items of a list of modules."""
    if not isinstance(value, ast.Call):
        return
    yield value
    for argument in value.args if terminal_name(value.func) == LIST else ():
        items = argument.value if isinstance(argument, ast.Starred) else argument
        parts = items.elts if isinstance(items, (ast.List, ast.Tuple)) else [items]
        made = [p.elt if isinstance(p, (ast.ListComp, ast.GeneratorExp)) else p for p in parts]
        yield from (call for call in made if isinstance(call, ast.Call))


def _summary(flow: AliasFlow, names: Sequence[str]) -> CalleeEffects:
    written = {write.parameter for write in flow.writes}
    return CalleeEffects(
        frozenset(at for at, name in enumerate(names) if name in written),
        frozenset(at for at, name in enumerate(names) if name in flow.returned),
    )


def _is_read_after(given: ast.Name, call: ast.Call, caller: Function) -> bool:
    """Return whether a name is read below a call, without being bound in between."""
    end = call.end_lineno or call.lineno
    below = [
        node
        for node in scan(caller, {ast.Name})
        if isinstance(node, ast.Name) and node.id == given.id
        if node.lineno > end or (isinstance(node.ctx, ast.Store) and node.lineno == call.lineno)
    ]
    below.sort(key=lambda node: (node.lineno, isinstance(node.ctx, ast.Load), node.col_offset))
    return bool(below) and isinstance(below[0].ctx, ast.Load)


def argument_flows(file: FileView) -> ArgumentFlows:
    """Return the flows of a file. Ask for them by `file.once(argument_flows)`."""
    return ArgumentFlows(file)
