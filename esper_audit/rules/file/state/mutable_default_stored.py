"""The rule `mutable-default-stored`: a default object that all calls share is changed or kept."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity, Span
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.state import mutable_default_stored_cases as cases
from esper_audit.rules.rule import Options, Replacement, Rule, Triggers, Violation
from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.idioms.classes.mutable_values import (
    changes_of,
    is_empty_container,
    is_mutable,
    is_removal,
    is_stateful_layer,
    stores_of,
)
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.insertion import before_line_of, first_statement
from esper_audit.source.syntax.names import Function, defaults
from esper_audit.source.syntax.spans import code_of
from esper_audit.text.phrases import quoted


class MutableDefaultOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`kept`: also report an empty default that is kept and handed on, but not changed in the file."""

    kept: bool = False


class MutableDefaultStored(Rule):
    """A default object that all calls share is changed or kept.

    What: a parameter whose default is a list, dict or set, or a layer with parameters, and that the
    function changes (`items.append(x)`, `table[k] = v`, `names += more`), or keeps in an attribute that
    the class changes. With the option `kept` also an empty default that is only kept and handed on.

    Why: the default is made once. The second object starts with the entries of the first, two networks
    share the weights of a default `nn.PReLU()`.

    Quiet: a default that is only read; a copy (`list(items)`, `items or {}`); a memo, which the function
    looks up and fills under the same parameter; a name that is bound anew before the change.

    Off by default: most stored defaults are changed by nothing that a second call would see.

    Tickets: real code
    """

    contract = "fresh-defaults"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "1 of 5 by readers in 27 packages seen last; before: 5 of 6 by readers in 28 packages, after "
        "mending; 8 of 14 before; 7 of 11 in 49 packages more, before mending on them"
    )
    triggers = Triggers(
        nodes=frozenset({"FunctionDef"}),
        collected=frozenset({"ClassDef"}),
        words=frozenset({"def"}),
    )

    Options = MutableDefaultOptions
    options: MutableDefaultOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions with a list, a dict, a set or a call as a default."""
        return [n for n in nodes if isinstance(n, Function) and any(map(is_mutable, _defaults(n)))]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the defaults that are changed or kept."""
        if not isinstance(node, Function):
            return
        for name, default in defaults(node.args).items():
            if _is_waived(default, file):
                continue
            if is_mutable(default) and (use := self._use(node, name, default, file)):
                message = f"the default `{quoted(file.code(default))}` of `{name}` is one object for all calls"
                fix = _default_of_none(node, name, default, file)
                yield Violation(
                    default, f"{message}, and {use}. Default to None.", fix, argument=name
                )

    def _use(self, function: Function, name: str, default: ast.expr, file: FileView) -> str:
        """Return how a function changes or keeps a default, empty if it does not."""
        is_layer = is_stateful_layer(default, file.resolve)
        if isinstance(default, ast.Call) and not is_layer and not is_empty_container(default):
            return ""
        changes = [] if is_layer else changes_of(function, name)
        if is_empty_container(default) and all(map(is_removal, changes)):
            # Nothing can be taken out of an empty default.
            changes = []
        if changes:
            return f"line {changes[0].lineno} changes it"
        owner = file.once(class_table).owner(function)
        for attribute in stores_of(function, name) if owner is not None else ():
            family = file.once(class_table).family(owner) if owner is not None else None
            change = _change_of_attribute(attribute, function, family) if family is not None else ""
            is_shared = (
                self.options.kept
                and is_empty_container(default)
                and family is not None
                and _is_handed_on(attribute, family, file)
            )
            if change or is_layer or is_shared:
                return f"`{ast.unparse(attribute)}` keeps it{change}"
        return ""


def _default_of_none(
    function: Function, name: str, default: ast.expr, file: FileView
) -> Replacement | None:
    """Return the fix that makes the default at each call, or None where lines hold several statements."""
    lines, first = file.source.lines, first_statement(function)
    place = before_line_of(first, lines) if first is not None else None
    if place is None:
        return None
    start = file.span(default)
    between = code_of(Span(start.end_line, start.end_column, place.line, place.column), lines)
    indent = " " * place.column
    made = f"if {name} is None:\n{indent}    {name} = {file.code(default)}\n{indent}"
    whole = Span(start.line, start.column, place.line, place.column)
    return Replacement(whole, f"None{between}{made}", safe=True, description="make it at each call")


def _change_of_attribute(attribute: ast.Attribute, function: Function, family: ClassFamily) -> str:
    """Return which line of a class changes what an attribute keeps, empty if none does."""
    methods = [method for member in family.members for method in member.functions]
    kept = ast.unparse(attribute)
    changed = [c for m in methods for c in changes_of(m, kept, has_memo=m is not function)]
    changed = [] if all(map(is_removal, changed)) else changed
    return f", which line {changed[0].lineno} changes" if changed else ""


def _is_handed_on(attribute: ast.Attribute, family: ClassFamily, file: FileView) -> bool:
    """Return whether others get what an attribute keeps: the class does not read it, or hands it on."""
    uses = family.reads(attribute.attr)
    return not uses or any(_is_whole(use.node, file) for use in uses)


def _is_whole(node: ast.AST, file: FileView) -> bool:
    """Return whether an expression hands on the object itself, as an argument or as a result."""
    above = file.parent(node)
    if isinstance(above, ast.keyword):
        return above.arg is not None
    if isinstance(above, ast.Call) and node is not above.func:
        return not (file.resolve(above.func) or "").startswith("builtins.")
    return isinstance(above, ast.Return)


def _is_waived(default: ast.expr, file: FileView) -> bool:
    """Return whether a comment keeps another linter's rule about mutable defaults off the line."""
    comment = file.source.lines[(default.end_lineno or default.lineno) - 1].partition("#")[2]
    return "B006" in comment


def _defaults(function: Function) -> list[ast.expr]:
    given = [default for default in function.args.kw_defaults if default is not None]
    return [*function.args.defaults, *given]
