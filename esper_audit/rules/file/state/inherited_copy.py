"""The rule `inherited-copy`: a copying method names its class, so that a subclass comes back as its base."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.state import inherited_copy_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.classes.attribute_use import own_name
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.classes.subclass_members import (
    has_member,
    inherits,
    is_factory,
    is_made_alike,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters
from esper_audit.text.phrases import quoted

# Methods whose result is of another shape, and may be of a simpler kind.
SHAPING = frozenset(
    {
        "expand",
        "repeat",
        "reshape",
        "view",
        "flatten",
        "unsqueeze",
        "squeeze",
        "__getitem__",
        "flip",
    }
)
COPYING = SHAPING | {
    *(
        "to",
        "clone",
        "copy",
        "deepcopy",
        "__copy__",
        "__deepcopy__",
        "detach",
        "cpu",
        "cuda",
        "half",
    ),
    *(
        "float",
        "double",
        "bfloat16",
        "pin_memory",
        "contiguous",
        "type_as",
        "type",
        "numpy",
        "replace",
    ),
}


class InheritedCopy(Rule):
    """A copying method names its class, so that a subclass comes back as its base.

    What: a method such as `to`, `clone`, `copy`, `detach` or `__getitem__` that returns a new object of
    its own class by that class's name, from the attributes of the object, where a subclass in the file
    inherits it.

    Why: `CausalShape(...).to(device)` is a `Shape`: the override that masks is gone, and later positions
    are seen. Nothing raises, since the base has the same methods.

    Quiet: a subclass with a constructor or a second base of its own, an object that is made without an
    argument of its constructor, for methods of other names; a subclass of class methods alone;
    `type(self)(...)`, `self.__class__(...)`, `copy.copy(self)`, `dataclasses.replace(self, ...)`; a
    subclass with a method of its own; a class that the file does not derive from; class methods; methods of
    other names, and those that change the shape, where no subclass adds a member.

    Tickets: real code
    """

    contract = "copies-keep-type"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "0 of 0 by readers in 131 packages, after mending on them, the known bug is found; 0 of 1 "
        "in the last 65 unseen packages, before mending on them"
    )
    triggers = Triggers(
        nodes=frozenset({"FunctionDef", "Return"}),
        collected=frozenset({"ClassDef"}),
        words=frozenset({"class"}),
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions with the name of a copying method, and results that a capitalised name makes."""
        return [node for node in nodes if _may_copy(node)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the first object that a copying method makes by the name of its class."""
        method = node
        if isinstance(node, ast.Return):
            functions = file.functions(node)
            method = functions[-1] if functions else node
        table = file.once(class_table)
        owner = table.owner(method) if isinstance(method, Function) else None
        if not isinstance(method, Function) or owner is None or _is_exempt(method):
            return
        made = _first_made(method, owner.name)
        if made is None or isinstance(node, Function) is not (method.name in COPYING):
            return
        if isinstance(node, ast.Return) and not (
            node.value is made
            and _hands_over_own(made, own_name(method))
            and not _leaves_out(made, table.family(owner).method("__init__"))
        ):
            return
        others = [other for other in table.subclasses(owner) if inherits(other, method, table)]
        # A subclass with its own constructor may not take what its base takes.
        alike = (o for o in others if is_made_alike(o, owner, table))
        is_copy = method.name in COPYING - SHAPING
        heirs = [h.name for h in alike if not is_factory(h) and (is_copy or has_member(h))]
        if heirs:
            message = f"`{quoted(file.code(made))}` makes a `{owner.name}` whatever `{method.name}` is called on"
            advice = f"a `{heirs[0]}` loses its class. Use `type({own_name(method)})(...)`."
            yield Violation(made, f"{message}: {advice}")


def _may_copy(node: ast.AST) -> bool:
    if isinstance(node, Function):
        return node.name in COPYING
    value = node.value if isinstance(node, ast.Return) else None
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id[0].isupper()
    )


def _is_exempt(method: Function) -> bool:
    return not own_name(method) or bool(method.decorator_list) or _is_about_type(method)


def _hands_over_own(made: ast.Call, own: str) -> bool:
    """Return whether an object is made from an attribute of the own one and from no other object's."""
    values = [*made.args, *(keyword.value for keyword in made.keywords)]
    names = [dotted(value).split(".") for value in values]
    owners = {parts[0] for parts in names if len(parts) == 2}
    return owners == {own}


def _leaves_out(made: ast.Call, constructor: Function | None) -> bool:
    """Return whether an object is made without an argument that the constructor takes: of a part alone."""
    if constructor is None or any(isinstance(a, ast.Starred) for a in made.args):
        return False
    taken = [p.arg for p in parameters(constructor.args)][1 + len(made.args) :]
    return not set(taken) <= {keyword.arg for keyword in made.keywords}


def _is_about_type(method: Function) -> bool:
    """Return whether a method decides by the exact type of its object."""
    tests = (node for node in scan(method, {ast.Compare}) if isinstance(node, ast.Compare))
    return any("type(" in ast.unparse(test) or "__class__" in ast.unparse(test) for test in tests)


def _first_made(method: Function, name: str) -> ast.Call | None:
    """Return the first object of a class that a method makes and returns."""
    returned = [node.value for node in scan(method, {ast.Return}) if isinstance(node, ast.Return)]
    names = {dotted(value) for value in returned if value is not None}
    made = [value for value in returned if isinstance(value, ast.Call)]
    for node in scan(method, {ast.Assign}):
        if isinstance(node, ast.Assign) and dotted(node.targets[0]) in names - {""}:
            made += [node.value] if isinstance(node.value, ast.Call) else []
    own = [call for call in made if dotted(call.func) in (name, f"{name}.__new__")]
    return min(own, key=lambda call: call.lineno, default=None)
