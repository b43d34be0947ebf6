"""The rule `unauthorised-hasattr`: asking an object what it is, where a Protocol could say so."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.interfaces import unauthorised_hasattr_cases as cases
from esper_audit.rules.rule import CstRule, Options, Reach, Triggers, Violation
from esper_audit.source.idioms.fallbacks.exception_handling import (
    caught,
    header,
    may_catch,
    own_nodes,
    raises,
    suppressed,
    tells,
)
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.node_view import View
from esper_audit.text.phrases import quoted

MISSING = "builtins.AttributeError"
ARGUMENTS = {"builtins.hasattr": 2, "builtins.getattr": 3}
MACHINERY = frozenset({"__getattr__", "__getattribute__", "__setattr__", "__delattr__", "__del__"})
COLLECTS = frozenset({"append", "extend", "add"})


class HasattrOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What else is asked about, and quiet unless switched on.

    `imports` reports questions put to what another package exports, `computed_names` those for a
    name that is only known at run time, `dunders` those for names such as `__len__`.
    """

    imports: bool = False
    computed_names: bool = False
    dunders: bool = False


class UnauthorisedHasattr(CstRule):
    """An object is asked whether it has an attribute.

    What: `hasattr`, `getattr` with a default, or an `AttributeError` caught or suppressed to go on
    with something else, under whatever name the builtin goes, without an authorisation that names a
    person and a reason.

    Why: the attribute that is missing by mistake (a typo, a rename, a host that does not conform)
    reads exactly like the one that is missing on purpose, so the error becomes a silent other path.
    A Protocol, an abstract method or an attribute with a declared default says the same and fails
    loudly.

    Quiet: an authorised place (`# hasattr AUTHORIZED by NAME on DATE` with `# Justification: ...`,
    or `# esper-audit: allow ...`); a function of our own called `hasattr`; `getattr` without
    a default; a module or class of another package asked for what its other versions lack, where
    no Protocol of ours can help (option `imports`); a name computed at run time, which no Protocol
    can declare (option `computed_names`); a dunder, the language's own protocol (option `dunders`);
    `__getattr__`, `__setattr__` and their kin, which are the machinery, and `__del__`, which may
    meet a half-built object; a handler that raises or tells the exception, one that also catches
    ImportError, and one whose `try` asks nothing, or only what the lines above allow.

    Tickets: deep dive 4, real code
    """

    contract = "no-hasattr"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P3
    precision = "111 of 115 read were right (transformers, timm, torchtune, stable_baselines3)"
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
        """Keep handlers that may catch AttributeError, and calls that name what they ask for."""
        if isinstance(node, ast.ExceptHandler):
            always_raises = any(isinstance(statement, ast.Raise) for statement in node.body)
            named = node.type is not None
            return named and not always_raises and may_catch(node, frozenset({"AttributeError"}))
        if not isinstance(node, ast.Call) or not node.args:
            return False
        if len(node.args) not in ARGUMENTS.values():
            return True
        name = node.args[1]
        constant = isinstance(name, ast.Name) and name.id.isupper()
        return constant or isinstance(name, ast.Constant) or self.options.computed_names

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report calls that ask, and handlers that answer for the missing attribute."""
        if isinstance(node, cst.ExceptHandler):
            found = self._check_handler(node, view)
        elif isinstance(node, cst.Call) and MISSING in suppressed(node, view):
            found = iter([Violation(node, f"{_code(node, view)} passes over a missing attribute")])
        elif isinstance(node, cst.Call):
            found = self._check_question(node, view)
        functions = view.functions(node)
        if not functions or functions[-1].name not in MACHINERY:
            yield from found

    def _check_question(self, call: cst.Call, view: View) -> Iterator[Violation]:
        wanted = ARGUMENTS.get(view.resolve(call.func) or "")
        if len(call.args) != wanted or any(argument.star for argument in call.args):
            return
        asked, name, *default = [argument.value for argument in call.args]
        if self._may_be_asked(asked, view) or self._may_be_asked_for(name):
            return
        if default:
            answer = f"reads a missing attribute as {_code(default[0], view)}"
        else:
            answer = "asks what a Protocol could promise"
        yield Violation(call, f"{_code(call, view)} {answer}")

    def _may_be_asked(self, asked: cst.CSTNode, view: View) -> bool:
        """Return whether something is exported by another package, in a version not of our choice."""
        name = view.resolve(asked)
        if name is None or name.startswith((".", "builtins.")) or self.options.imports:
            return False
        return name.partition(".")[0] not in view.source.path.split("/")

    def _may_be_asked_for(self, name: cst.CSTNode) -> bool:
        if isinstance(name, (cst.SimpleString, cst.ConcatenatedString)):
            literal = str(name.evaluated_value)
            is_dunder = literal.startswith("__") and literal.endswith("__")
            return is_dunder and not self.options.dunders
        is_constant = isinstance(name, cst.Name) and name.value.isupper()
        return not is_constant and not self.options.computed_names

    def _check_handler(self, handler: cst.ExceptHandler, view: View) -> Iterator[Violation]:
        kinds = caught(handler, view)
        if MISSING not in kinds or "builtins.ImportError" in kinds:
            return
        attempt = view.parent(handler)
        if raises([handler.body]) or tells(handler) or not isinstance(attempt, cst.Try):
            return
        if self._asks_in_vain(attempt.body, view):
            yield Violation(handler, f"{header(handler, view)} answers for a missing attribute")

    def _asks_in_vain(self, block: cst.CSTNode, view: View) -> bool:
        """Return whether a `try` reads an attribute it may not ask for, and none that it may."""
        questions = [node for node in own_nodes([block]) if _is_question(node, view)]
        return bool(questions) and not any(
            self._may_be_asked(q.value, view)
            if isinstance(q, cst.Attribute)
            else isinstance(q, cst.Call) and self._may_be_asked_for(q.args[1].value)
            for q in questions
        )


def _is_question(node: cst.CSTNode, view: View) -> bool:
    """Return whether a node reads an attribute: `host.dim` not written to, or a bare `getattr`."""
    if isinstance(node, cst.Attribute):
        written = isinstance(view.parent(node), cst.AssignTarget)
        return not written and node.attr.value not in COLLECTS
    if not isinstance(node, cst.Call) or len(node.args) != ARGUMENTS["builtins.hasattr"]:
        return False
    return view.resolve(node.func) == "builtins.getattr"


def _code(node: cst.CSTNode, view: View) -> str:
    return quoted(view.code(node))
