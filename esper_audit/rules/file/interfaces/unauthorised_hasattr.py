"""The rule `unauthorised-hasattr`: a run-time check for an attribute instead of a Protocol."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.interfaces import unauthorised_hasattr_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.fallbacks.exception_handling import (
    SUPPRESS,
    caught_types,
    clause_header,
    has_raise,
    is_exception_used,
    is_possible_handler,
    own_nodes,
    suppressed_types,
)
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import arguments_of, dotted
from esper_audit.text.phrases import quoted

ATTRIBUTE_ERROR = "builtins.AttributeError"
ATTRIBUTE_ERROR_NAMES = frozenset({"AttributeError"})
ARGUMENTS = {"builtins.hasattr": 2, "builtins.getattr": 3}
ATTRIBUTE_METHODS = frozenset(
    {"__getattr__", "__getattribute__", "__setattr__", "__delattr__", "__del__"}
)
THREAD_LOCALS = frozenset({"threading.local", "_thread._local"})
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
    (option `computed_names`); a `threading.local()`, which starts empty in each thread; a dunder
    name, which is part of the language (option `dunders`); `__getattr__`, `__setattr__` and similar
    methods, and `__del__`, which may run on a partly built object; a handler that raises or uses the
    exception or also catches ImportError, and one whose `try` reads no attribute, or only attributes
    that the lines above permit.

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
    Options = HasattrOptions
    options: HasattrOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report calls that check for an attribute, and handlers of a missing attribute."""
        if isinstance(node, ast.ExceptHandler):
            found = list(self._check_handler(node, file))
        elif isinstance(node, ast.Call):
            found = list(self._check_call(node, file))
        else:
            return
        functions = file.functions(node) if found else []
        if not functions or functions[-1].name not in ATTRIBUTE_METHODS:
            yield from found

    def _check_call(self, call: ast.Call, file: FileView) -> Iterator[Violation]:
        name = file.resolve(call.func) or ""
        if name == SUPPRESS and ATTRIBUTE_ERROR in suppressed_types(call, file):
            yield Violation(call, f"{_code(call, file)} suppresses a missing attribute")
        arguments = arguments_of(call)
        if len(arguments) != ARGUMENTS.get(name) or any(map(_is_unpacked, arguments)):
            return
        subject, attribute, *default = [_value(argument) for argument in arguments]
        if self._is_permitted_name(attribute) or self._is_export(subject, file):
            return
        if dotted(subject) in file.once(_thread_locals):
            return
        if default:
            effect = f"replaces a missing attribute by {_code(default[0], file)}"
        else:
            effect = "checks for an undeclared attribute"
        yield Violation(call, f"{_code(call, file)} {effect}")

    def _is_export(self, subject: ast.expr, file: FileView) -> bool:
        """Return whether an expression is an export of another package, whose version may vary."""
        name = file.resolve(subject)
        if name is None or name.startswith((".", "builtins.")) or self.options.imports:
            return False
        return name.partition(".")[0] not in file.source.path.split("/")

    def _is_permitted_name(self, name: ast.expr) -> bool:
        """Return whether an attribute name may be checked: a dunder or a name computed at run time."""
        if isinstance(name, ast.Constant) and isinstance(name.value, (str, bytes)):
            literal = str(name.value)
            is_dunder = literal.startswith("__") and literal.endswith("__")
            return is_dunder and not self.options.dunders
        is_constant = isinstance(name, ast.Name) and name.id.isupper()
        return not is_constant and not self.options.computed_names

    def _check_handler(self, handler: ast.ExceptHandler, file: FileView) -> Iterator[Violation]:
        if handler.type is None or not is_possible_handler(handler, ATTRIBUTE_ERROR_NAMES):
            return
        kinds = caught_types(handler, file)
        if ATTRIBUTE_ERROR not in kinds or "builtins.ImportError" in kinds:
            return
        attempt = file.parent(handler)
        if has_raise(handler.body) or is_exception_used(handler):
            return
        if isinstance(attempt, ast.Try) and self._has_unpermitted_read(attempt.body, file):
            yield Violation(handler, f"{clause_header(handler, file)} handles a missing attribute")

    def _has_unpermitted_read(self, block: Sequence[ast.stmt], file: FileView) -> bool:
        """Return whether a block reads attributes, none of which may be checked."""
        reads = [node for node in own_nodes(block) if _is_attribute_read(node, file)]
        return bool(reads) and not any(
            self._is_export(read.value, file)
            if isinstance(read, ast.Attribute)
            else isinstance(read, ast.Call)
            and self._is_permitted_name(_value(arguments_of(read)[1]))
            for read in reads
        )


def _thread_locals(file: FileView) -> frozenset[str]:
    """Return the names that hold a `threading.local()`, of which each thread sets its own attributes."""
    made = (n for n in file.nodes(ast.Assign) if isinstance(n.value, ast.Call))
    local = (n for n in made if _is_thread_local(n.value, file))
    return frozenset(dotted(target) for node in local for target in node.targets)


def _is_thread_local(value: ast.expr, file: FileView) -> bool:
    return isinstance(value, ast.Call) and (file.resolve(value.func) or "") in THREAD_LOCALS


def _is_attribute_read(node: ast.AST, file: FileView) -> bool:
    """Return whether a node reads an attribute: `host.dim`, or `getattr` without a default."""
    if isinstance(node, ast.Attribute):
        above = file.parent(node)
        written = isinstance(above, ast.Assign) and node in above.targets
        return not written and node.attr not in COLLECTING_METHODS
    if not isinstance(node, ast.Call) or len(arguments_of(node)) != ARGUMENTS["builtins.hasattr"]:
        return False
    return file.resolve(node.func) == "builtins.getattr"


def _is_unpacked(argument: ast.expr | ast.keyword) -> bool:
    """Return whether an argument is `*args` or `**kwargs`."""
    is_double = isinstance(argument, ast.keyword) and argument.arg is None
    return is_double or isinstance(argument, ast.Starred)


def _value(argument: ast.expr | ast.keyword) -> ast.expr:
    return argument.value if isinstance(argument, (ast.keyword, ast.Starred)) else argument


def _code(node: ast.expr, file: FileView) -> str:
    return quoted(file.code(node, parentheses=True))
