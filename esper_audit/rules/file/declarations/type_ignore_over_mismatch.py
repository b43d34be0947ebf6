"""The rule `type-ignore-over-mismatch`: a comment hides a value of another type than the declared one."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.declarations import type_ignore_over_mismatch_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.declarations.ignored_types import (
    KEY_ERRORS,
    VALUE_ERRORS,
    class_of,
    declared_for,
    ignored_errors,
    is_closed,
    is_open,
    is_typed_dict,
    keys_of,
    literal_keys,
)
from esper_audit.source.idioms.declarations.undeclared_attributes import class_without
from esper_audit.source.syntax.file_view import FileView

ATTRIBUTE_ERRORS = frozenset({"attr-defined", "reportAttributeAccessIssue"})


class TypeIgnoreOverMismatch(Rule):
    """A comment for the type checker hides a value of another type than the declared one.

    What: under `# type: ignore` or `# pyright: ignore`, a dict that is written out where another type is
    declared, or whose keys are not those of its TypedDict; an attribute of an object whose class, in
    the same file, neither sets nor declares it.

    Why: the reader of the value asks for `event.data.device` and gets an AttributeError, or a key that
    is misspelt is missed without a word. An attribute beside the declared ones is lost by `asdict`,
    `replace` and `==`.

    Quiet: a dict where a dict, a mapping or one of several types is declared; a comment without a code
    where the file does not show the declared type; classes with bases of other files, `__getattr__` or
    unknown decorators; attributes of functions, modules of Python and objects of other files' classes.

    Off unless selected: the comment mostly stands there for another reason on its line.

    Tickets: B1-DRL-06, real code
    """

    contract = "declared-types"
    category = Category.API_CONTRACT
    severity = Severity.P3
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "0 of 5 by readers in 37 packages (oumi, otx, lightning-pose, flwr): comments for another reason on "
        "the line, values that fit the declared type of a parameter"
    )
    triggers = Triggers(
        nodes=frozenset({"Dict", "Call", "Attribute"}),
        parts=frozenset({"type: ignore", "type:ignore", "pyright: ignore", "pyright:ignore"}),
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep dicts with keys, and attributes of names."""
        return [node for node in nodes if _may_mismatch(node)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report a dict or an attribute that the declared type does not have, where a comment hides it."""
        if not isinstance(node, ast.expr) or not _may_mismatch(node):
            return
        codes = ignored_errors(node, file)
        if codes is None:
            return
        if isinstance(node, ast.Attribute):
            yield from _check_attribute(node, codes, file)
        else:
            yield from _check_dict(node, codes, file)


def _may_mismatch(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id not in ("self", "cls")
    return isinstance(node, (ast.Dict, ast.Call)) and literal_keys(node) is not None


def _check_attribute(
    node: ast.Attribute, codes: frozenset[str], file: FileView
) -> Iterator[Violation]:
    definition = class_without(node, file) if not codes or codes & ATTRIBUTE_ERRORS else None
    if definition is not None:
        message = f"the comment hides that `{definition.name}` has no `{node.attr}`"
        yield Violation(node, f"{message}. Declare it in the class.")


def _check_dict(value: ast.expr, codes: frozenset[str], file: FileView) -> Iterator[Violation]:
    declared, keys = declared_for(value, file), literal_keys(value)
    if declared is None or keys is None or (codes and not codes & VALUE_ERRORS):
        return
    definition = class_of(declared.annotation, file)
    if definition is not None and is_typed_dict(definition, file):
        every, required = keys_of(definition, file)
        wrong = [*_difference("lacks", required - keys), *_difference("adds", keys - every)]
        if wrong:
            message = f"the comment hides that this `{definition.name}` {' and '.join(wrong)}"
            yield Violation(value, f"{message}. Write the keys that the type declares.")
    elif definition is not None and is_closed(definition, file):
        message = f"the comment hides a dict where `{definition.name}` is declared"
        yield Violation(value, f"{message}. Make a `{definition.name}`.")
    elif definition is None and not is_open(declared.annotation, file):
        is_known = bool(codes) or declared.annotation is not None
        if is_known:
            what = "keys that the type does not have" if codes & KEY_ERRORS else "a dict"
            where = f"`{file.code(declared.annotation)}`" if declared.annotation else "another type"
            message = f"the comment hides {what} where {where} is declared"
            yield Violation(value, f"{message}. Make a value of the declared type.")


def _difference(verb: str, keys: frozenset[str]) -> list[str]:
    """Return "lacks `a`", or nothing without keys."""
    return [f"{verb} {', '.join(f'`{key}`' for key in sorted(keys))}"] if keys else []
