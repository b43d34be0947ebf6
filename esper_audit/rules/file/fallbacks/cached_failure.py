"""The rule `cached-failure`: a failure that passes is remembered as the result for good."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name

CACHES = frozenset({"lru_cache", "cache", "cached_property"})
CACHE_NAME = re.compile(r"(?i)cache|memo")
PROBE = re.compile(r"^_*(is|has|can|supports?)_|availab|support|installed|version")
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


class CachedFailure(Rule):
    """A failure that passes is remembered as the result for good.

    What: an `except` that takes `Exception`, an operating system or network error, and returns a constant
    from a function under `lru_cache`, `cache` or `cached_property`, or writes the constant into a cache
    (`self._cache[key] = None`).

    Why: a full disk, a busy device or a lost connection at the first call decides for the life of the
    process: each later call returns the default, and the log names the error once or never.

    Quiet: errors that stay, such as ImportError, ValueError or AttributeError; a probe of the environment
    (only True or False, no argument, `is_`, `has_`, a version) or one that imports; handlers that raise or
    compute a value.

    Tickets: real code
    """

    contract = "sound-cache"
    category = Category.CORRECTNESS
    severity = Severity.P2
    precision = "0 of 0 by readers in 28 packages, after mending; 0 of 1 before"
    triggers = Triggers(
        nodes=frozenset({"Try"}),
        parts=frozenset({"cache", "Cache", "CACHE", "memo", "Memo", "MEMO"}),
    )

    VALID = (
        Valid(
            "a probe that returns whether something works",
            """
            from functools import lru_cache

            @lru_cache
            def check_window(warn=False):
                try:
                    show(blank())
                    return True
                except Exception as error:
                    print(error if warn else "")
                    return False
            """,
        ),
        Valid(
            "errors that stay, and a probe that imports",
            """
            from functools import cache, lru_cache

            @lru_cache
            def parse(text):
                try:
                    return int(text)
                except ValueError:
                    return None

            @cache
            def has_triton():
                try:
                    import triton
                    return triton.ok()
                except Exception:
                    return False
            """,
        ),
        Valid(
            "a handler that raises, and one that computes",
            """
            from functools import lru_cache

            @lru_cache(maxsize=None)
            def read(path):
                try:
                    return open(path).read()
                except OSError as error:
                    raise KeyError(path) from error

            @lru_cache
            def load(path):
                try:
                    return fetch(path)
                except ConnectionError:
                    return read_local(path)
            """,
        ),
        Valid(
            "a function that remembers nothing, and a cache of results alone",
            """
            def read(path):
                try:
                    return open(path).read()
                except OSError:
                    return None

            class Store:
                def get(self, key):
                    try:
                        value = self._cache[key] = fetch(key)
                    except OSError:
                        return None
                    return value
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a cached function that returns a default",
            """
            import functools

            @functools.lru_cache(maxsize=1)
            def device_memory(index):
                try:
                    return query(index)
                except Exception:
                    return 0

            class Model:
                @functools.cached_property
                def revision(self):
                    try:
                        text = download(self.url)
                    except (ValueError, OSError):
                        text = ""
                    return text
            """,
            (
                (
                    7,
                    (
                        "the cache of `device_memory` remembers the default of `Exception` for every later "
                        "call. Raise, or keep failures out of it."
                    ),
                ),
                (
                    15,
                    (
                        "the cache of `revision` remembers the default of `OSError` for every later call. "
                        "Raise, or keep failures out of it."
                    ),
                ),
            ),
        ),
        Invalid(
            "a default that is written into a cache",
            """
            _CACHE = {}

            def config(name):
                if name not in _CACHE:
                    try:
                        _CACHE[name] = fetch(name)
                    except:
                        _CACHE[name] = {}
                return _CACHE[name]
            """,
            (
                (
                    7,
                    (
                        "`_CACHE` remembers the default of `except:` for every later call. Raise, or keep "
                        "failures out of it."
                    ),
                ),
            ),
        ),
        Invalid(
            "a default that goes into a cache below",
            """
            class Store:
                def size(self, path):
                    if path in self._memo:
                        return self._memo[path]
                    try:
                        size = stat(path)
                    except OSError:
                        size = None
                    self._memo[path] = size
                    return size
            """,
            (
                (
                    7,
                    (
                        "`self._memo` remembers the default of `OSError` for every later call. Raise, or keep "
                        "failures out of it."
                    ),
                ),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep statements with a handler."""
        return [node for node in nodes if isinstance(node, ast.Try) and node.handlers]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report handlers whose constant is remembered."""
        functions = file.functions(node) if isinstance(node, ast.Try) else []
        function = functions[-1] if functions else None
        if not isinstance(node, ast.Try) or function is None or _is_settled(node, file):
            return
        if PROBE.search(function.name) or _is_yes_or_no(function) or not function.args.args:
            return
        for handler in node.handlers:
            names = _passing(handler)
            where = _remembered(handler, function)
            if names and where:
                message = f"{where} remembers the default of `{names[0]}` for every later call"
                yield Violation(handler, f"{message}. Raise, or keep failures out of it.")


def _is_yes_or_no(function: Function) -> bool:
    """Return whether a function returns nothing but True and False."""
    found = [
        r.value for r in scan(function, {ast.Return}, NESTED_SCOPES) if isinstance(r, ast.Return)
    ]
    return bool(found) and all(
        isinstance(v, ast.Constant) and v.value in (True, False) for v in found
    )


def _is_settled(node: ast.Try, file: FileView) -> bool:
    """Return whether what is tried fails for good: an import, or the inspection of code."""
    wanted = {ast.Import, ast.ImportFrom, ast.Call}
    for part in (part for statement in node.body for part in scan(statement, wanted)):
        if not isinstance(part, ast.Call):
            return True
        if (file.resolve(part.func) or "").startswith("inspect."):
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
