"""The rule `unauthorised-hasattr`: a run-time check for an attribute instead of a Protocol."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.interfaces import unauthorised_hasattr_cases as cases
from esper_audit.rules.rule import Options, Reach, Rule, Triggers, Violation
from esper_audit.source.idioms.fallbacks.exception_handling import (
    caught_types,
    clause_header,
    has_raise,
    is_exception_used,
    is_possible_handler,
    own_nodes,
    suppressed_types,
)
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.node_view import View
from esper_audit.text.phrases import quoted

ATTRIBUTE_ERROR = "builtins.AttributeError"
ARGUMENTS = {"builtins.hasattr": 2, "builtins.getattr": 3}
ATTRIBUTE_METHODS = frozenset(
    {"__getattr__", "__getattribute__", "__setattr__", "__delattr__", "__del__"}
)
COLLECTING_METHODS = frozenset({"append", "extend", "add"})


class HasattrOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Additional checks, which are off by default.

    `imports`: report checks on exports of other packages.
    `computed_names`: report checks for a name that is only known at run time.
    `dunders`: report checks for names such as `__len__`.
    """

    imports: bool = False
    computed_names: bool = False
    dunders: bool = False


class UnauthorisedHasattr(Rule):
    """An object is checked for an attribute at run time.

    What: `hasattr`, `getattr` with a default, or an `AttributeError` that is caught or suppressed to
    continue with something else, also through an alias of the builtin, without an authorisation
    that names its author and a reason.

    Why: an attribute that is missing by mistake (a typo, a rename, a host that does not conform)
    looks exactly like one that is missing on purpose, so the error silently selects another path.
    A Protocol, an abstract method or an attribute with a declared default expresses the same and
    fails with an error.

    Quiet: an authorised place (`# hasattr AUTHORIZED by NAME on DATE` with `# Justification: ...`,
    or `# esper-audit: allow ...`); a function of the project with the name `hasattr`; `getattr`
    without a default; an export of another package that its other versions lack, for which no
    Protocol helps (option `imports`); a name computed at run time, which no Protocol can declare
    (option `computed_names`); a dunder name, which is part of the language (option `dunders`);
    `__getattr__`, `__setattr__` and similar methods, and `__del__`, which may run on a partly built
    object; a handler that raises or uses the exception or also catches ImportError, and one whose
    `try` reads no attribute, or only attributes that the lines above permit.

    Tickets: deep dive 4, real code
    """

    contract = "no-hasattr"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P3
    precision = (
        "111 of 115 findings were correct (transformers, timm, torchtune, stable_baselines3)"
    )
    authorised_words = frozenset({"hasattr", "getattr"})
    triggers = Triggers(
        calls=frozenset({"hasattr", "getattr", "suppress"}),
        nodes=frozenset({"ExceptHandler"}),
        words=frozenset({"hasattr", "getattr", "AttributeError"}),
    )
    reach = Reach.STATEMENT
    Options = HasattrOptions
    options: HasattrOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Keep handlers that may catch AttributeError, and calls with a literal attribute name."""
        if isinstance(node, ast.ExceptHandler):
            always_raises = any(isinstance(statement, ast.Raise) for statement in node.body)
            named = node.type is not None
            return (
                named
                and not always_raises
                and is_possible_handler(node, frozenset({"AttributeError"}))
            )
        if not isinstance(node, ast.Call) or not node.args:
            return False
        if len(node.args) not in ARGUMENTS.values():
            return True
        name = node.args[1]
        constant = isinstance(name, ast.Name) and name.id.isupper()
        return constant or isinstance(name, ast.Constant) or self.options.computed_names

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report calls that check for an attribute, and handlers of a missing attribute."""
        if isinstance(node, cst.ExceptHandler):
            found = self._check_handler(node, view)
        elif isinstance(node, cst.Call) and ATTRIBUTE_ERROR in suppressed_types(node, view):
            found = iter([Violation(node, f"{_code(node, view)} suppresses a missing attribute")])
        elif isinstance(node, cst.Call):
            found = self._check_call(node, view)
        functions = view.functions(node)
        if not functions or functions[-1].name not in ATTRIBUTE_METHODS:
            yield from found

    def _check_call(self, call: cst.Call, view: View) -> Iterator[Violation]:
        count = ARGUMENTS.get(view.resolve(call.func) or "")
        if len(call.args) != count or any(argument.star for argument in call.args):
            return
        subject, name, *default = [argument.value for argument in call.args]
        if self._is_export(subject, view) or self._is_permitted_name(name):
            return
        if default:
            effect = f"replaces a missing attribute by {_code(default[0], view)}"
        else:
            effect = "checks for an undeclared attribute"
        yield Violation(call, f"{_code(call, view)} {effect}")

    def _is_export(self, subject: cst.CSTNode, view: View) -> bool:
        """Return whether an expression is an export of another package, whose version may vary."""
        name = view.resolve(subject)
        if name is None or name.startswith((".", "builtins.")) or self.options.imports:
            return False
        return name.partition(".")[0] not in view.source.path.split("/")

    def _is_permitted_name(self, name: cst.CSTNode) -> bool:
        """Return whether an attribute name may be checked: a dunder or a name computed at run time."""
        if isinstance(name, (cst.SimpleString, cst.ConcatenatedString)):
            literal = str(name.evaluated_value)
            is_dunder = literal.startswith("__") and literal.endswith("__")
            return is_dunder and not self.options.dunders
        is_constant = isinstance(name, cst.Name) and name.value.isupper()
        return not is_constant and not self.options.computed_names

    def _check_handler(self, handler: cst.ExceptHandler, view: View) -> Iterator[Violation]:
        kinds = caught_types(handler, view)
        if ATTRIBUTE_ERROR not in kinds or "builtins.ImportError" in kinds:
            return
        attempt = view.parent(handler)
        if (
            has_raise([handler.body])
            or is_exception_used(handler)
            or not isinstance(attempt, cst.Try)
        ):
            return
        if self._has_unpermitted_read(attempt.body, view):
            yield Violation(handler, f"{clause_header(handler, view)} handles a missing attribute")

    def _has_unpermitted_read(self, block: cst.CSTNode, view: View) -> bool:
        """Return whether a block reads attributes, none of which may be checked."""
        reads = [node for node in own_nodes([block]) if _is_attribute_read(node, view)]
        return bool(reads) and not any(
            self._is_export(read.value, view)
            if isinstance(read, cst.Attribute)
            else isinstance(read, cst.Call) and self._is_permitted_name(read.args[1].value)
            for read in reads
        )


def _is_attribute_read(node: cst.CSTNode, view: View) -> bool:
    """Return whether a node reads an attribute: `host.dim`, or `getattr` without a default."""
    if isinstance(node, cst.Attribute):
        written = isinstance(view.parent(node), cst.AssignTarget)
        return not written and node.attr.value not in COLLECTING_METHODS
    if not isinstance(node, cst.Call) or len(node.args) != ARGUMENTS["builtins.hasattr"]:
        return False
    return view.resolve(node.func) == "builtins.getattr"


def _code(node: cst.CSTNode, view: View) -> str:
    return quoted(view.code(node))
