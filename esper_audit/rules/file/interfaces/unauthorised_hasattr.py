"""The rule `unauthorised-hasattr`: asking an object what it is, where a Protocol could say so."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.interfaces import unauthorised_hasattr_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.fallbacks.exception_handling import (
    SUPPRESS,
    caught,
    header,
    may_catch,
    own_nodes,
    raises,
    suppressed,
    tells,
)
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import arguments_of
from esper_audit.text.phrases import quoted

MISSING = "builtins.AttributeError"
MISSING_NAMES = frozenset({"AttributeError"})
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


class UnauthorisedHasattr(Rule):
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
    Options = HasattrOptions
    options: HasattrOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report calls that ask, and handlers that answer for the missing attribute."""
        if isinstance(node, ast.ExceptHandler):
            found = list(self._check_handler(node, file))
        elif isinstance(node, ast.Call):
            found = list(self._check_call(node, file))
        else:
            return
        functions = file.functions(node) if found else []
        if not functions or functions[-1].name not in MACHINERY:
            yield from found

    def _check_call(self, call: ast.Call, file: FileView) -> Iterator[Violation]:
        name = file.resolve(call.func) or ""
        if name == SUPPRESS and MISSING in suppressed(call, file):
            yield Violation(call, f"{_code(call, file)} passes over a missing attribute")
        arguments = arguments_of(call)
        if len(arguments) != ARGUMENTS.get(name) or any(map(_is_spread, arguments)):
            return
        asked, attribute, *default = [_value(argument) for argument in arguments]
        if self._may_be_asked_for(attribute) or self._may_be_asked(asked, file):
            return
        if default:
            answer = f"reads a missing attribute as {_code(default[0], file)}"
        else:
            answer = "asks what a Protocol could promise"
        yield Violation(call, f"{_code(call, file)} {answer}")

    def _may_be_asked(self, asked: ast.expr, file: FileView) -> bool:
        """Return whether something is exported by another package, in a version not of our choice."""
        name = file.resolve(asked)
        if name is None or name.startswith((".", "builtins.")) or self.options.imports:
            return False
        return name.partition(".")[0] not in file.source.path.split("/")

    def _may_be_asked_for(self, name: ast.expr) -> bool:
        if isinstance(name, ast.Constant) and isinstance(name.value, (str, bytes)):
            literal = str(name.value)
            is_dunder = literal.startswith("__") and literal.endswith("__")
            return is_dunder and not self.options.dunders
        is_constant = isinstance(name, ast.Name) and name.id.isupper()
        return not is_constant and not self.options.computed_names

    def _check_handler(self, handler: ast.ExceptHandler, file: FileView) -> Iterator[Violation]:
        if handler.type is None or not may_catch(handler, MISSING_NAMES):
            return
        kinds = caught(handler, file)
        if MISSING not in kinds or "builtins.ImportError" in kinds:
            return
        attempt = file.parent(handler)
        if raises(handler.body) or tells(handler) or not isinstance(attempt, ast.Try):
            return
        if self._asks_in_vain(attempt.body, file):
            yield Violation(handler, f"{header(handler, file)} answers for a missing attribute")

    def _asks_in_vain(self, block: Sequence[ast.stmt], file: FileView) -> bool:
        """Return whether a `try` reads an attribute it may not ask for, and none that it may."""
        questions = [node for node in own_nodes(block) if _is_question(node, file)]
        return bool(questions) and not any(
            self._may_be_asked(q.value, file)
            if isinstance(q, ast.Attribute)
            else isinstance(q, ast.Call) and self._may_be_asked_for(_value(arguments_of(q)[1]))
            for q in questions
        )


def _is_question(node: ast.AST, file: FileView) -> bool:
    """Return whether a node reads an attribute: `host.dim` not written to, or a bare `getattr`."""
    if isinstance(node, ast.Attribute):
        above = file.parent(node)
        written = isinstance(above, ast.Assign) and node in above.targets
        return not written and node.attr not in COLLECTS
    if not isinstance(node, ast.Call) or len(arguments_of(node)) != ARGUMENTS["builtins.hasattr"]:
        return False
    return file.resolve(node.func) == "builtins.getattr"


def _is_spread(argument: ast.expr | ast.keyword) -> bool:
    """Return whether an argument is `*args` or `**kwargs`."""
    is_double = isinstance(argument, ast.keyword) and argument.arg is None
    return is_double or isinstance(argument, ast.Starred)


def _value(argument: ast.expr | ast.keyword) -> ast.expr:
    return argument.value if isinstance(argument, (ast.keyword, ast.Starred)) else argument


def _code(node: ast.expr, file: FileView) -> str:
    return quoted(file.code(node, parentheses=True))
