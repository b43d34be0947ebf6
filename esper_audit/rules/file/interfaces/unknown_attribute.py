"""The rule `unknown-attribute`: a class reads an attribute of its own that nothing sets."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.interfaces import unknown_attribute_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.classes.unset_attributes import (
    is_closed_module,
    is_method_of_mixin,
    known_attributes,
    unset_attributes,
)
from esper_audit.source.idioms.interfaces.keywords import similar_name
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted

ASKING = frozenset({"hasattr", "getattr"})


class UnknownAttribute(Rule):
    """A class reads an attribute of its own that nothing sets.

    What: `self.x` in a module of torch where neither the class nor its bases set or define `x`; in
    other classes only where they have a similar name (`time_casual_padding`, `time_causal_padding`).
    Also `hasattr` and `getattr` of a literal, or of a name that is bound nowhere.

    Why: the module raises an AttributeError at its first forward, or in the one method that no test
    reaches.

    Quiet: bases that the file does not show; classes with `__getattr__`, `setattr` by computed names
    or a decorator; mixins, abstract classes and classes with open methods, to which subclasses add;
    an attribute that a subclass in the file has, that other code of the file sets, or whose name the
    class passes on with itself (`hasattr(self, "x")`); a method that a plain class calls where only a
    value has a similar name, as a class beside it brings it; a private method that is called only for
    an argument which is None by default.

    Tickets: real code
    """

    contract = "known-names"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "50 of 55 by a reader in 111 packages, after mending on them; 35 of 64 in five rounds of unseen "
        "packages, before mending on each"
    )
    triggers = Triggers(
        nodes=frozenset({"ClassDef"}), calls=ASKING, parts=frozenset({"self.", "attr("})
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep classes, and the calls that ask for an attribute."""
        return [n for n in nodes if isinstance(n, (ast.ClassDef, ast.Call))]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the unset attributes of a class, and questions to what has no attributes."""
        if isinstance(node, ast.ClassDef):
            yield from _unset(node, file)
        elif isinstance(node, ast.Call) and node.args and dotted(node.func) in ASKING:
            asked = node.args[0]
            if isinstance(asked, ast.Constant) and len(node.args) > 1:
                what = f"{type(asked.value).__name__} {file.code(asked)}"
                yield Violation(node, f"asks the {what} for an attribute, and no object")


def _unset(definition: ast.ClassDef, file: FileView) -> Iterator[Violation]:
    for use in unset_attributes(definition, file):
        meant = similar_name(use.name, known_attributes(definition, file))
        if meant and is_method_of_mixin(use, meant, definition, file):
            continue
        if meant or is_closed_module(definition, file):
            it_has = f": it has `{meant}`" if meant else ""
            message = (
                f"`self.{use.name}` is set nowhere in `{definition.name}` or its bases{it_has}"
            )
            yield Violation(use.node, message)
