"""The rule `cached-failure`: a failure that passes is remembered as the result for good."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.fallbacks import cached_failure_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.fallbacks.dispatch import is_reported
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name

CACHES = frozenset({"lru_cache", "cache", "cached_property"})
CACHE_NAME = re.compile(r"(?i)cache|memo")
PROBE = re.compile(r"^_*(is|has|can|supports?)_|availab|support|installed|version")
DEVICE = re.compile(r"\.(get_)?device_(capability|properties|name|count)$")
# These may be gone at the next call. What a module lacks, or a value that does not parse, is not.
PASSING = frozenset(
    {
        "Exception",
        "BaseException",
        "OSError",
        "IOError",
        "ConnectionError",
        "TimeoutError",
        "Timeout",
    }
    | {"HTTPError", "URLError", "RequestException", "HTTPException", "TimeoutExpired"}
    | {"OutOfMemoryError"}
)


# What reads from elsewhere, so that `except Exception` takes errors that pass.
REMOTE = ("urllib.", "requests.", "httpx.", "socket.", "subprocess.", "http.", "huggingface_hub.")
ANYTHING = frozenset({"Exception", "BaseException", "except:"})


class CachedFailureOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`any_error`: also report `except Exception` around calls that are not known to read from elsewhere."""

    any_error: bool = False


class CachedFailure(Rule):
    """A failure that passes is remembered as the result for good.

    What: an `except` that takes an operating system or network error, or every error of a call to the
    network or to another process, and returns a constant from a function under `lru_cache`, `cache` or
    `cached_property`, or writes the constant into a cache (`self._cache[key] = None`). With the option
    `any_error` also `except Exception` around any call.

    Why: a full disk, a busy device or a lost connection at the first call decides for the life of the
    process: each later call returns the default, and the log names the error once or never.

    Quiet: errors that stay, such as ImportError, ValueError or AttributeError; a probe of the
    environment (only True or False, no argument, `is_`, `has_`, a version) without a `timeout`, of the
    properties of a device, or one that imports; handlers that raise, compute a value or report the
    error, which is then remembered on purpose.

    Off by default: what fails is mostly missing for as long as the process lives, so the kept default is
    right.

    Tickets: real code
    """

    contract = "sound-cache"
    category = Category.CORRECTNESS
    severity = Severity.P2
    default = False
    precision = (
        "0 of 6 by readers in 27 packages seen last; before: 0 of 0 by readers in 36 fresh packages "
        "after mending; with `any_error` 0 of 8 (nemo_toolkit, axolotl, vllm)"
    )
    triggers = Triggers(
        nodes=frozenset({"Try"}),
        parts=frozenset({"cache", "Cache", "CACHE", "memo", "Memo", "MEMO"}),
    )

    options: CachedFailureOptions
    Options = CachedFailureOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep statements with a handler."""
        return [node for node in nodes if isinstance(node, ast.Try) and node.handlers]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report handlers whose constant is remembered."""
        functions = file.functions(node) if isinstance(node, ast.Try) else []
        function = functions[-1] if functions else None
        if not isinstance(node, ast.Try) or function is None or _is_settled(node, file):
            return
        is_probe = PROBE.search(function.name) is not None or not function.args.args
        if _is_yes_or_no(function) or (is_probe and not _is_timed(node)):
            return
        is_remote = self.options.any_error or _is_remote(node, file)
        for handler in node.handlers:
            names = [name for name in _passing(handler) if is_remote or name not in ANYTHING]
            where = _remembered(handler, function)
            if names and where:
                message = f"{where} remembers the default of `{names[0]}` for every later call"
                yield Violation(handler, f"{message}. Raise, or keep failures out of it.")


def _is_remote(node: ast.Try, file: FileView) -> bool:
    """Return whether what is tried calls the network or another process."""
    calls = (c for statement in node.body for c in scan(statement, {ast.Call}))
    named = (file.resolve(call.func) or "" for call in calls if isinstance(call, ast.Call))
    return any(name.startswith(REMOTE) for name in named)


def _is_timed(node: ast.Try) -> bool:
    """Return whether a call that is tried has a limit of time, within which it may end at the next try."""
    calls = (c for statement in node.body for c in scan(statement, {ast.Call}))
    return any(k.arg == "timeout" for c in calls if isinstance(c, ast.Call) for k in c.keywords)


def _is_yes_or_no(function: Function) -> bool:
    """Return whether a function returns nothing but True and False."""
    found = [
        r.value for r in scan(function, {ast.Return}, NESTED_SCOPES) if isinstance(r, ast.Return)
    ]
    return bool(found) and all(
        isinstance(v, ast.Constant) and v.value in (True, False) for v in found
    )


def _is_settled(node: ast.Try, file: FileView) -> bool:
    """Return whether what is tried fails for good: an import, the inspection of code or of a device."""
    wanted = {ast.Import, ast.ImportFrom, ast.Call}
    for part in (part for statement in node.body for part in scan(statement, wanted)):
        if not isinstance(part, ast.Call):
            return True
        name = file.resolve(part.func) or dotted(part.func)
        if name.startswith("inspect.") or DEVICE.search(name):
            return True
    return False


def _passing(handler: ast.ExceptHandler) -> list[str]:
    """Return the errors of a handler that may not occur at the next call."""
    if handler.type is None:
        return ["except:"]
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [terminal_name(each) for each in types if terminal_name(each) in PASSING]


def _remembered(handler: ast.ExceptHandler, function: Function) -> str:
    """Return what remembers the constant of a handler, empty if nothing does."""
    if any(True for statement in handler.body for _ in scan(statement, {ast.Raise})):
        return ""
    if is_reported(handler.body):
        return ""
    assigned = [s for s in handler.body if isinstance(s, ast.Assign) and _is_constant(s.value)]
    stored = [target for s in assigned for target in s.targets]
    caches = [_cache_of(target) for target in stored if _cache_of(target)]
    returned = [s for s in handler.body if isinstance(s, ast.Return) and s.value is not None]
    names = {dotted(target) for target in stored if isinstance(target, ast.Name)}
    for node in scan(function, {ast.Assign}, NESTED_SCOPES):
        if isinstance(node, ast.Assign) and dotted(node.value) in names - {""}:
            caches += [_cache_of(target) for target in node.targets if _cache_of(target)]
    if caches:
        return f"`{caches[0]}`"
    if not any(_decorator(d) in CACHES for d in function.decorator_list):
        return ""
    is_default = any(_is_constant(s.value) for s in returned if s.value is not None)
    later = (
        node for node in scan(function, {ast.Return}, NESTED_SCOPES) if isinstance(node, ast.Return)
    )
    is_named = any(dotted(s.value) in names - {""} for s in later if s.value is not None)
    return f"the cache of `{function.name}`" if is_default or is_named else ""


def _decorator(decorator: ast.expr) -> str:
    return terminal_name(decorator.func if isinstance(decorator, ast.Call) else decorator)


def _cache_of(target: ast.expr) -> str:
    """Return the cache of which a target is an entry, empty for other targets."""
    owner = dotted(target.value) if isinstance(target, ast.Subscript) else ""
    return owner if CACHE_NAME.search(owner) else ""


def _is_constant(value: ast.expr) -> bool:
    if isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        return not value.elts
    if isinstance(value, ast.Dict):
        return not value.keys
    return isinstance(value, ast.Constant)
