"""The rule `inherited-copy`: a copying method names its class, so that a subclass comes back as its base."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.classes.attribute_use import own_name
from esper_audit.source.idioms.classes.file_classes import ClassTable, class_table
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted
from esper_audit.text.phrases import quoted

COPYING = frozenset(
    {"to", "clone", "copy", "deepcopy", "__copy__", "__deepcopy__", "detach", "cpu", "cuda", "half"}
    | {
        "float",
        "double",
        "bfloat16",
        "pin_memory",
        "contiguous",
        "type_as",
        "type",
        "numpy",
        "replace",
    }
    | {
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


class InheritedCopy(Rule):
    """A copying method names its class, so that a subclass comes back as its base.

    What: a method such as `to`, `clone`, `copy`, `detach` or `__getitem__` that returns a new object of
    its own class by that class's name, from the attributes of the object, where a subclass in the file
    inherits it.

    Why: `CausalShape(...).to(device)` is a `Shape`: the override that masks is gone, and later positions
    are seen. Nothing raises, since the base has the same methods.

    Quiet: `type(self)(...)`, `self.__class__(...)`, `copy.copy(self)`, `dataclasses.replace(self, ...)`; a
    subclass with a method of its own; a class that the file does not derive from; class methods.

    Tickets: real code
    """

    contract = "copies-keep-type"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = "no findings in 19 packages, the known bug is found"
    triggers = Triggers(
        nodes=frozenset({"FunctionDef", "Return"}),
        collected=frozenset({"ClassDef"}),
        words=frozenset({"class"}),
    )

    VALID = (
        Valid(
            "the class of the object",
            """
            import copy
            import dataclasses

            class Shape:
                def to(self, device):
                    return type(self)(self.size, device)

                def clone(self):
                    return self.__class__(self.size, self.device)

                def copy(self):
                    return copy.copy(self)

                def replace(self, **changes):
                    return dataclasses.replace(self, **changes)

            class Causal(Shape):
                pass
            """,
        ),
        Valid(
            "a subclass with a method of its own",
            """
            class Shape:
                def to(self, device):
                    return Shape(self.size, device)

            class Causal(Shape):
                def to(self, device):
                    return Causal(self.size, device)
            """,
        ),
        Valid(
            "a class without subclasses, and a subclass that makes another object",
            """
            class Boxes:
                def to(self, device):
                    return Boxes(self.tensor.to(device))

            class Frame:
                def copy(self):
                    return Boxes(self.tensor)

            class Wide(Frame):
                pass
            """,
        ),
        Valid(
            "an operation on two objects",
            """
            class Interval:
                def union(self, other):
                    return Interval(self.low, other.high)

            class Positive(Interval):
                pass
            """,
        ),
        Valid(
            "a class method, and a decision on the exact type",
            """
            class Shape:
                @classmethod
                def copy(cls, other):
                    return Shape(other.size)

                def clone(self):
                    if type(self) is Shape:
                        return Shape(self.size)
                    return self._clone()

            class Causal(Shape):
                pass
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a method of another name that changes one field",
            """
            class Layout:
                def with_width(self, width):
                    return Layout(width, self.height, dtype=self.dtype)

            class Padded(Layout):
                pad = 1
            """,
            (
                (
                    3,
                    (
                        "`Layout(width, self.height, dtype=self.dtype)` makes a `Layout` whatever "
                        "`with_width` is called on: a `Padded` loses its class. Use `type(self)(...)`."
                    ),
                ),
            ),
        ),
        Invalid(
            "a subclass that comes back as its base",
            """
            import torch

            class Shape:
                def __init__(self, size, device="cpu"):
                    self.size, self.device = size, device

                def to(self, device):
                    return Shape(self.size, device)

            class Causal(Shape):
                def bias(self):
                    return torch.ones(self.size).triu(1)
            """,
            (
                (
                    8,
                    (
                        "`Shape(self.size, device)` makes a `Shape` whatever `to` is called on: a `Causal` "
                        "loses its class. Use `type(self)(...)`."
                    ),
                ),
            ),
        ),
        Invalid(
            "a copy that is filled before it is returned",
            """
            class State:
                def clone(self) -> "State":
                    other = State()
                    other.memory = self.memory.clone()
                    return other

            class Carry(State):
                pass

            class Deep(Carry):
                def clone(self):
                    return super().clone()
            """,
            (
                (
                    3,
                    (
                        "`State()` makes a `State` whatever `clone` is called on: a `Carry` loses its class. "
                        "Use `type(self)(...)`."
                    ),
                ),
            ),
        ),
        Invalid(
            "copies on two paths, and `__new__`",
            """
            class Batch:
                def detach(self):
                    if self.mask is None:
                        return Batch(self.x.detach())
                    return Batch(self.x.detach(), mask=self.mask)

                def __copy__(self):
                    new = Batch.__new__(Batch)
                    new.__dict__.update(self.__dict__)
                    return new

            class Graph(Batch):
                edges = ()
            """,
            (
                (
                    4,
                    (
                        "`Batch(self.x.detach())` makes a `Batch` whatever `detach` is called on: a `Graph` "
                        "loses its class. Use `type(self)(...)`."
                    ),
                ),
                (
                    8,
                    (
                        "`Batch.__new__(Batch)` makes a `Batch` whatever `__copy__` is called on: a `Graph` "
                        "loses its class. Use `type(self)(...)`."
                    ),
                ),
            ),
        ),
    )

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
            node.value is made and _hands_over_own(made, own_name(method))
        ):
            return
        heirs = [other.name for other in table.subclasses(owner) if _inherits(other, method, table)]
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


def _inherits(heir: ast.ClassDef, method: Function, table: ClassTable) -> bool:
    return table.family(heir).method(method.name) is method


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
