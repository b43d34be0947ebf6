"""The rule `exception-not-raised`: an exception that is made or returned and never raised."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Replacement, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.branches.unreachable_code import is_unreachable
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name

EXCEPTIONS = frozenset(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)
OPEN = "NotImplementedError"
EXCEPTION_TYPE = re.compile(r"Exception|Error|\b[Tt]ype\b")
MADE = "`{}` is made and not {}: what it was to stop goes on"
RETURNED = "`{}` is returned and not raised: the caller takes it for a result"


class ExceptionNotRaised(Rule):
    """An exception is made or returned, and never raised.

    What: a call of an exception class of Python that stands alone as a statement; `return
    NotImplementedError`, and `return ValueError(...)` in a function that returns other values elsewhere.

    Why: the check has found what is wrong, and the function goes on with it. A returned exception is
    true, has no shape, and fails in another file, or is averaged into a metric.

    Quiet: functions that make exceptions for their callers to raise: those that return nothing else
    but None, that are annotated so, or whose result the file raises; abstract methods; classes of
    exceptions that the file defines; the `else` behind a branch for each value that is admitted; code that
    nothing of the file can run.

    Tickets: real code
    """

    contract = "unknown-values"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "79 of 84 by readers in 260 packages (llm-foundry, mattersim, ray), after mending on the first 201 of "
        "them; 39 of 47 in the last 124 unseen packages, before mending on them"
    )
    triggers = Triggers(nodes=frozenset({"Expr", "Return"}), words=EXCEPTIONS)

    VALID = (
        Valid(
            "exceptions that are raised, kept, or made for a caller",
            """
            def refused(name):
                return ValueError(f"unknown: {name}")


            def checked(rows) -> Exception | None:
                if not rows:
                    return ValueError("no rows")
                return None


            def problem(rows):
                if not rows:
                    return TypeError("no rows")
                return rows.error


            def load(rows, name):
                if name is None:
                    raise problem(rows)
                errors = [ValueError(name)]
                raise errors[0]


            def known(kind):
                return (ValueError, TypeError) if kind == "input" else RuntimeError


            def class_of(name) -> "Optional[type]":
                if name == "OSError":
                    return OSError
                return getattr(errors, name, None)
            """,
        ),
        Valid(
            "an abstract method",
            """
            from abc import abstractmethod


            class Loss:
                @abstractmethod
                def name(self):
                    return NotImplementedError
            """,
        ),
        Valid(
            "a class of the file with the name of an exception",
            """
            class TimeoutError:
                def __init__(self, text):
                    log(text)


            def stop():
                TimeoutError("late")
            """,
        ),
        Valid(
            "what nothing runs: a branch on a constant, a nested function, a definition that is replaced",
            """
            VERBOSE = False
            __all__ = ["Loader"]


            class Loader:
                groups = 1

                def __init__(self, kind):
                    if kind not in ("a", "b"):
                        raise KeyError(kind)
                    self.depth = 2
                    if kind == "c":
                        ValueError(kind)

                def load(self, mode):
                    assert mode == "x" or mode == "y"
                    if VERBOSE:
                        Warning("slow")
                    if self.depth > 2:
                        ValueError("deep")
                    if mode == "x":
                        return 1
                    elif mode == "y":
                        return 2
                    else:
                        ValueError(mode)

                def _old(self):
                    ValueError("old")


            class Unlisted:
                def load(self):
                    ValueError("unlisted")


            def read():
                def helper():
                    ValueError("unused")

                return 1


            def read():
                return Loader("a")
            """,
        ),
        Valid(
            "the rest behind a branch for each value that is admitted",
            """
            def short(sex, kind):
                assert sex in ["female", "male"], sex
                if sex == "female":
                    sex = "f"
                elif sex == "male":
                    sex = "m"
                else:
                    ValueError(sex)
                if kind == "none":
                    return None
                elif kind in ("a", "b"):
                    if kind == "a":
                        return 1
                    elif kind == "b":
                        return 2
                    else:
                        return NotImplementedError(kind)
                return 3
            """,
        ),
    )
    INVALID = (
        Invalid(
            "an exception as a statement",
            """
            def fuse(audio, video, mode):
                if mode == "add":
                    return audio + video
                else:
                    ValueError(f"unknown mode: {mode}")
            """,
            (
                (
                    5,
                    '`ValueError(f"unknown mode: {mode}")` is made and not raised: what it was to stop goes on',
                ),
            ),
            fixed="""
            def fuse(audio, video, mode):
                if mode == "add":
                    return audio + video
                else:
                    raise ValueError(f"unknown mode: {mode}")
            """,
        ),
        Invalid(
            "a warning as a statement",
            """
            def load(path):
                if not path.exists():
                    RuntimeWarning("no model")
            """,
            (
                (
                    3,
                    '`RuntimeWarning("no model")` is made and not warned of: what it was to stop goes on',
                ),
            ),
        ),
        Invalid(
            "an exception as a result",
            """
            class Loss:
                def name(self):
                    return NotImplementedError


            def decode(features):
                if features.ndim != 3:
                    return TypeError("rank")
                return features.mean()
            """,
            (
                (
                    3,
                    "`NotImplementedError` is returned and not raised: the caller takes it for a result",
                ),
                (
                    8,
                    '`TypeError("rank")` is returned and not raised: the caller takes it for a result',
                ),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep statements of an exception and returns of one."""
        return [node for node in nodes if _class_of(node)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report exceptions that nothing raises."""
        name = _class_of(node)
        if not name or not isinstance(node, (ast.Expr, ast.Return)) or node.value is None:
            return
        made = node.value
        function = made.func if isinstance(made, ast.Call) else made
        if file.resolve(function) != f"builtins.{name}" or is_unreachable(node, file):
            return
        code = " ".join(file.code(made).split())
        if isinstance(node, ast.Return):
            if not _is_result(node, name, file):
                return
            message = RETURNED.format(code)
        elif name.endswith("Warning"):
            yield Violation(node, MADE.format(code, "warned of"))
            return
        else:
            message = MADE.format(code, "raised")
        fix = Replacement(node, f"raise {file.code(made)}", safe=False, description="raise it")
        yield Violation(node, message, fix)


def _class_of(node: ast.AST) -> str:
    """Return the name of the exception of Python that a statement makes or returns."""
    value = node.value if isinstance(node, (ast.Expr, ast.Return)) else None
    if isinstance(value, ast.Call):
        value = value.func
    elif not isinstance(node, ast.Return):
        return ""
    return value.id if isinstance(value, ast.Name) and value.id in EXCEPTIONS else ""


def _is_result(node: ast.Return, name: str, file: FileView) -> bool:
    """Return whether callers take a returned exception for a result."""
    functions = file.functions(node)
    if not functions or _is_for_callers(functions[-1], file):
        return False
    return name == OPEN or any(
        _has_value(r) for r in scan(functions[-1], {ast.Return}, NESTED_SCOPES)
    )


def _has_value(node: ast.AST) -> bool:
    """Return whether a return gives a value that is neither None nor an exception."""
    value = node.value if isinstance(node, ast.Return) else None
    is_none = isinstance(value, ast.Constant) and value.value is None
    is_class = dotted(value).endswith(("Error", "Exception")) if value is not None else False
    return value is not None and not is_none and not is_class and not _class_of(node)


def _is_for_callers(function: Function, file: FileView) -> bool:
    """Return whether a function is to return exceptions, or is to be replaced."""
    if any("abstract" in dotted(decorator) for decorator in function.decorator_list):
        return True
    annotation = ast.unparse(function.returns) if function.returns is not None else ""
    if EXCEPTION_TYPE.search(annotation):
        return True
    raised = (node.exc for node in file.nodes(ast.Raise) if isinstance(node.exc, ast.Call))
    return any(terminal_name(call.func) == function.name for call in raised)
