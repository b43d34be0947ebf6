"""Conditions on attributes and local names that a class never meets, or always."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.source.idioms.classes.attribute_use import AttributeUse
from esper_audit.source.idioms.classes.file_classes import ClassFamily
from esper_audit.source.idioms.fallbacks.constant_tests import truth_with
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import block_in, is_within
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, defaults, dotted, parameters, terminal_name

Constants = list[object] | None
OWN = "self."
ENDS = (ast.Return, ast.Raise)


class ConstantAttributes(msgspec.Struct, frozen=True):
    """The values that a class gives its attributes, and the locals of its methods, where all are constants.

    `families` are those of the class and of its subclasses, `outside` the attributes that other code sets.
    """

    families: Sequence[ClassFamily]
    outside: frozenset[str]
    file: FileView

    def is_dead(self, node: ast.expr | ast.stmt, method: Function) -> bool:
        """Return whether the constants rule out each way to a node: by branches, operands and returns."""
        below: ast.AST = node
        above = self.file.parent(node)
        while above is not None and below is not method:
            if self._is_never_taken(above, below, method):
                return True
            below, above = above, self.file.parent(above)
        return False

    def _is_never_taken(self, above: ast.AST, below: ast.AST, method: Function) -> bool:
        """Return whether a node never leads to the one directly below it."""
        if isinstance(above, ast.BoolOp) and isinstance(below, ast.expr):
            earlier = above.values[: above.values.index(below)]
            return isinstance(above.op, ast.Or) in {self._truth(part, method) for part in earlier}
        if isinstance(above, (ast.If, ast.IfExp, ast.While)) and below is not above.test:
            is_met = below is above.body if isinstance(above, ast.IfExp) else below in above.body
            truth = self._truth(above.test, method)
            if is_met and self._is_unnamed_option(above.test):
                return True
            if truth is not None and truth != is_met:
                return True
        return isinstance(below, ast.stmt) and any(
            self._ends(earlier, method) for earlier in _earlier(below, above)
        )

    def _ends(self, statement: ast.stmt, method: Function) -> bool:
        """Return whether a statement leaves the function whatever happens."""
        if not isinstance(statement, ast.If):
            return isinstance(statement, ENDS)
        truth = self._truth(statement.test, method)
        taken = statement.body if truth else statement.orelse
        return truth is not None and bool(taken) and isinstance(taken[-1], ENDS)

    def _is_unnamed_option(self, test: ast.expr) -> bool:
        """Return whether a condition compares with a text that the file names nowhere else, and has another default."""
        if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq):
            return False
        attribute, asked = dotted(test.left).removeprefix(OWN), test.comparators[0]
        bound = [b for family in self.families for b in family.bindings(attribute)]
        given = [defaults(b.method.args).get(dotted(b.value)) for b in bound if b.value is not None]
        usual = {default.value for default in given if isinstance(default, ast.Constant)}
        if not isinstance(asked, ast.Constant) or not isinstance(asked.value, str):
            return False
        is_option = len(bound) == 1 and bool(usual - {None, asked.value})
        named = re.findall(rf"(?<![.\w]){re.escape(asked.value)}\b", self.file.source.text)
        return is_option and len(named) == 1

    def _truth(self, test: ast.expr, method: Function) -> bool | None:
        """Return the truth of a condition of a method, None where the constants leave it open."""
        if isinstance(test, ast.BoolOp):
            parts = [self._truth(part, method) for part in test.values]
            ends = isinstance(test.op, ast.Or)
            open_ = None if None in parts else not ends
            return ends if ends in parts else open_
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self._truth(test.operand, method)
            return None if inner is None else not inner
        name = dotted(test.left if isinstance(test, ast.Compare) else test)
        values = self._values(name, method) or []
        if isinstance(test, ast.Compare) and name.startswith(OWN) and None in values:
            return None  # a place that other code of the tree may fill
        truths = {truth_with(test, name, value) for value in values}
        return truths.pop() if len(truths) == 1 else None

    def _values(self, name: str, method: Function) -> Constants:
        if not name.startswith(OWN):
            return self._plain_values(name, method) if name.isidentifier() else None
        attribute = name.removeprefix(OWN)
        bound = {id(b.node): b for family in self.families for b in family.bindings(attribute)}
        values = _joined(self._bound_values(binding) for binding in bound.values())
        # What turns a switch on from outside sets the rest as well.
        return None if attribute in self.outside and any(values or ()) else values

    def _plain_values(self, name: str, method: Function) -> Constants:
        """Return the constants of a local name, or of one that the module alone binds."""
        own = {p.arg for p in parameters(method.args)} | {node.id for node in _stored(method)}
        if name in own:
            return _local_values(name, method)
        stored = [
            n for n in self.file.nodes(ast.Name) if n.id == name and isinstance(n.ctx, ast.Store)
        ]
        bound = [
            s for s in self.file.tree.body if isinstance(s, ast.Assign) and name in _names_bound(s)
        ]
        values = [s.value.value for s in bound if isinstance(s.value, ast.Constant)]
        return list(values) if values and len(values) == len(stored) else None

    def _bound_values(self, binding: AttributeUse) -> Constants:
        value, method = binding.value, binding.method
        if isinstance(value, ast.Constant):
            return [value.value]
        if not isinstance(value, ast.Name) or method.name != "__init__" or len(self.families) > 1:
            return None
        is_bound_again = any(n.id == value.id for n in _stored(method))
        return None if is_bound_again else self._argument_values(value.id, method)

    def _argument_values(self, name: str, constructor: Function) -> Constants:
        """Return what the file passes for a parameter of the constructor wherever it makes an object."""
        made = self.families[0].members[0].definition.name
        asked = [c.args[1] for c in self.file.calls("isinstance") if len(c.args) > 1]
        mentions = [n for n in self.file.nodes(ast.Name) if n.id == made and n not in asked]
        calls = [c for c in self.file.calls(made) if dotted(c.func) == made]
        if len(mentions) != len(calls):
            return None  # the class is passed on, and other code makes the objects
        return _joined(self._passed(call, name, constructor) for call in calls)

    def _passed(self, call: ast.Call, name: str, constructor: Function) -> Constants:
        taken = [p.arg for p in parameters(constructor.args)][1:]
        has_rest = any(isinstance(a, ast.Starred) for a in call.args)
        if has_rest or any(k.arg is None for k in call.keywords) or name not in taken:
            return None
        given = dict(zip(taken, call.args, strict=False))
        given |= {k.arg: k.value for k in call.keywords if k.arg is not None}
        value = given.get(name, defaults(constructor.args).get(name))
        around = self.file.functions(call)
        if isinstance(value, ast.Name) and around:
            return _local_values(value.id, around[-1])
        return [value.value] if isinstance(value, ast.Constant) else None


def _earlier(statement: ast.stmt, above: ast.AST) -> list[ast.stmt]:
    """Return the statements in front of one in its block."""
    block = block_in(above, statement) if isinstance(above, ast.stmt) else [statement]
    return block[: block.index(statement)]


def _names_bound(statement: ast.Assign) -> list[str]:
    """Return the names that an assignment binds to one value."""
    return [dotted(target) for target in statement.targets]


def is_without_layer(use: AttributeUse, family: ClassFamily, file: FileView) -> bool:
    """Return whether a read is where a layer is missing that the class always makes."""
    for branch in file.enclosing(use.node):
        if isinstance(branch, ast.If) and is_within(use.node, branch.orelse):
            layer = branch.test.attr if isinstance(branch.test, ast.Attribute) else ""
            values = [bound.value for bound in family.bindings(layer)]
            made = [terminal_name(v.func) for v in values if isinstance(v, ast.Call)]
            if made and len(made) == len(values) and all(name[:1].isupper() for name in made):
                return True
    return False


def _local_values(name: str, function: Function) -> Constants:
    """Return the constants that a function binds to a local name, None where it binds anything else."""
    if any(name == parameter.arg for parameter in parameters(function.args)):
        return None
    stored = [node for node in _stored(function) if node.id == name]
    assigned = [
        statement.value.value
        for statement in scan(function, {ast.Assign})
        if isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Constant)
        and [dotted(target) for target in statement.targets] == [name]
    ]
    return list(assigned) if assigned and len(assigned) == len(stored) else None


def _stored(function: Function) -> list[ast.Name]:
    names = (node for node in scan(function, {ast.Name}) if isinstance(node, ast.Name))
    return [node for node in names if isinstance(node.ctx, ast.Store)]


def _joined(groups: Iterable[Constants]) -> Constants:
    """Return all values, None where one group is unknown or there is none."""
    found: list[object] = []
    for values in groups:
        if values is None:
            return None
        found += values
    return found or None
