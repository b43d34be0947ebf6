"""The rule `unchecked-enum-integer`: a place of an enumeration gets an integer that is no member."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Replacement, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.ast_walk import returned_values, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

ENUMERATIONS = frozenset({"enum.Enum", "enum.IntEnum"})
MESSAGE = (
    "`{0}` is an integer that nothing checks, where `{1}` is to be a `{2}`. Make it `{2}({0})`"
)


class UncheckedEnumInteger(Rule):
    """A place that is declared as an enumeration gets an integer that is no member of it.

    What: a value of `int(...)`, of `.item()`, or of a parameter that is declared as `int`, which is
    assigned to a name or attribute declared as an enumeration of the file, is passed for a field of a
    class of the file that is declared so, or is returned where the function is declared to return it.

    Why: an integer of a newer version, of a damaged file or of a wrong column is no member. It equals
    none of them, so every branch on the member lets it pass; `Stage(value)` raises. With a plain `Enum`
    even the right integer equals no member.

    Quiet: a declaration that admits integers too; flags, whose sums are values; a value that the
    function compares, or from which it makes the member elsewhere; enumerations of other files.

    Tickets: real code
    """

    contract = "unknown-values"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "no finding in 280 packages, 866 files with an enumeration: the precision is not known"
    )
    triggers = Triggers(
        nodes=frozenset({"ClassDef"}),
        collected=frozenset({"AnnAssign", "Call", "FunctionDef"}),
        words=frozenset({"Enum", "IntEnum"}),
    )

    VALID = (
        Valid(
            "a member that is made, a declaration that admits integers, an integer that is compared",
            """
            from dataclasses import dataclass
            from enum import IntEnum, IntFlag

            class Stage(IntEnum):
                NEW = 0
                OLD = 1

            class Bits(IntFlag):
                A = 1

            @dataclass
            class Report:
                stage: Stage
                code: Stage | int
                bits: Bits

            def decode(row) -> Report:
                return Report(stage=Stage(int(row[0])), code=int(row[1]), bits=int(row[2]))

            def checked(value: int) -> Stage:
                if value not in (0, 1):
                    raise ValueError(value)
                return value

            def made(value: int, rows) -> Stage:
                stage: Stage = Stage(value)
                return stage if rows else Stage.NEW
            """,
        ),
        Valid(
            "a class with fields of its base, and texts",
            """
            from dataclasses import dataclass
            from enum import Enum

            class Kind(Enum):
                A = "a"

            class Base:
                size: int

            @dataclass
            class Report(Base):
                kind: Kind

            def decode(row) -> Kind:
                return Report(int(row[0]), row[1]) if row else Kind(str(row))
            """,
        ),
        Valid(
            "an enumeration that another file defines",
            """
            from stages import Stage

            def decode(row) -> Stage:
                return int(row[0])
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a result, a name, an attribute and a field",
            """
            import enum
            from dataclasses import dataclass

            class Stage(enum.IntEnum):
                NEW = 0
                OLD = 1

            @dataclass
            class Report:
                stage: Stage
                size: int

            def decode(row) -> Stage:
                return int(row[3])

            def read(row, size):
                stage: Stage = row[3].item()
                return Report(stage, size), Report(int(row[3]), size), Report(stage=int(row[3]), size=1)

            class Slot:
                def __init__(self, stage: int) -> None:
                    self.stage: Stage = stage
            """,
            (
                (14, MESSAGE.format("int(row[3])", "decode", "Stage")),
                (17, MESSAGE.format("row[3].item()", "stage", "Stage")),
                (18, MESSAGE.format("int(row[3])", "Report.stage", "Stage")),
                (18, MESSAGE.format("int(row[3])", "Report.stage", "Stage")),
                (22, MESSAGE.format("stage", "self.stage", "Stage")),
            ),
        ),
        Invalid(
            "a parameter and a local name, of a plain enumeration",
            """
            from enum import Enum

            class Kind(Enum):
                A = 1

            class Slot:
                def __init__(self, kind: int) -> None:
                    self.kind: Kind = kind

                def load(self, state) -> "Kind":
                    kind_id = int(state["kind"])
                    return kind_id
            """,
            (
                (8, MESSAGE.format("kind", "self.kind", "Kind")),
                (12, MESSAGE.format("kind_id", "load", "Kind")),
            ),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report each integer for a place of an enumeration."""
        if not isinstance(node, ast.ClassDef) or not _is_enumeration(node, file):
            return
        for value, place in _places(node.name, file):
            is_reported = _is_integer(value, file) and not _is_declared_so(value, node.name, file)
            if is_reported and not _is_checked(value, node.name, file):
                code = file.code(value)
                fix = Replacement(
                    value, f"{node.name}({code})", safe=False, description="make the member"
                )
                yield Violation(value, MESSAGE.format(code, place, node.name), fix)


def _is_enumeration(definition: ast.ClassDef, file: FileView) -> bool:
    """Return whether a class of a module is an enumeration and no flag."""
    return definition in file.tree.body and any(
        file.resolve(base) in ENUMERATIONS for base in definition.bases
    )


def _places(name: str, file: FileView) -> Iterator[tuple[ast.expr, str]]:
    """Yield the values that places declared as an enumeration get, each with the place."""
    for statement in file.nodes(ast.AnnAssign):
        if _is_declared(statement.annotation, name) and statement.value is not None:
            yield statement.value, dotted(statement.target)
    for function in file.nodes(ast.FunctionDef):
        if _is_declared(function.returns, name):
            yield from ((value, function.name) for value in returned_values(function))
    for definition in file.once(class_table).classes:
        fields = _fields(definition)
        calls = file.calls(definition.name) if name in map(_declared, fields.values()) else []
        for call in (c for c in calls if dotted(c.func) == definition.name):
            given = dict(zip(fields, call.args, strict=False))
            given |= {k.arg: k.value for k in call.keywords if k.arg is not None}
            yield from (
                (value, f"{definition.name}.{field}")
                for field, value in given.items()
                if _is_declared(fields.get(field), name)
            )


def _fields(definition: ast.ClassDef) -> dict[str, ast.expr]:
    """Return the fields of a dataclass with their declarations, of no other class."""
    is_dataclass = any("dataclass" in ast.unparse(d) for d in definition.decorator_list)
    is_plain = is_dataclass and not definition.bases
    declared = (s for s in definition.body if is_plain and isinstance(s, ast.AnnAssign))
    return {dotted(statement.target): statement.annotation for statement in declared}


def _declared(annotation: ast.expr | None) -> str:
    """Return a declaration as a dotted name, also where it is a text."""
    if isinstance(annotation, ast.Constant):
        return annotation.value if isinstance(annotation.value, str) else ""
    return dotted(annotation) if annotation is not None else ""


def _is_declared(annotation: ast.expr | None, name: str) -> bool:
    """Return whether a declaration is an enumeration alone."""
    return _declared(annotation) == name


def _is_declared_so(value: ast.expr, name: str, file: FileView) -> bool:
    """Return whether a value is a name whose own declaration is the place that is reported."""
    around = file.functions(value)
    own = (s for s in file.nodes(ast.AnnAssign) if file.functions(s) == around)
    declared = (s for s in own if _is_declared(s.annotation, name))
    return dotted(value) in {dotted(statement.target) for statement in declared} - {""}


def _is_integer(value: ast.expr, file: FileView) -> bool:
    """Return whether a value is an integer by `int()`, `.item()` or the declaration of a parameter."""
    origins = file.once(ValueOrigins).of(value, calls=0)
    return bool(origins) and all(_is_plain_integer(origin, file) for origin in origins)


def _is_plain_integer(origin: ast.expr, file: FileView) -> bool:
    if isinstance(origin, ast.Call):
        is_item = isinstance(origin.func, ast.Attribute) and origin.func.attr == "item"
        return dotted(origin.func) == "int" or (is_item and not origin.args)
    functions = file.functions(origin)
    taken = parameters(functions[-1].args) if functions and isinstance(origin, ast.Name) else []
    declared = {p.arg: dotted(p.annotation) for p in taken if p.annotation is not None}
    return declared.get(dotted(origin)) == "int"


def _is_checked(value: ast.expr, name: str, file: FileView) -> bool:
    """Return whether a function compares a value, or makes the member of it."""
    functions: list[Function] = file.functions(value)
    text = ast.unparse(value)
    if not functions:
        return False
    made = (c for c in scan(functions[-1], {ast.Call}) if isinstance(c, ast.Call))
    if any(terminal_name(c.func) == name and text in map(ast.unparse, c.args) for c in made):
        return True
    tests = (t for t in scan(functions[-1], {ast.Compare}) if isinstance(t, ast.Compare))
    return any(text in map(ast.unparse, (test.left, *test.comparators)) for test in tests)
