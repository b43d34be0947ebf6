"""The rule `default-refused`: the first checks of a function reject a default of its own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.classes.named_literals import with_literal
from esper_audit.source.idioms.fallbacks.constant_tests import truth_with
from esper_audit.source.syntax.ast_walk import names_in
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, defaults, dotted

NOT_SUPPORTED = re.compile(r"support|implement", re.IGNORECASE)
PLAIN_BASES = frozenset({"builtins.object", "torch.nn.Module", "abc.ABC", "typing.Protocol"})


class DefaultRefused(Rule):
    """The first checks of a function reject a default of its own.

    What: a parameter whose default makes a leading `if ...: raise` or `assert` of the body fail:
    `x=None` and `if x is None: raise`, `rate=0.0` and `if rate <= 0: raise`, `mode=""` and `if mode not
    in (...): raise`.

    Why: the signature permits a call that always raises. Make the argument required, or the default one
    that works.

    Quiet: a check that other arguments decide too (one of two is required); a method whose signature a
    base prescribes, also that of a family ("not supported"); private parameters; a name that is bound
    before the check; checks after other statements; a flag that is the whole check (`if strict: raise`),
    as it is a mode.

    Off by default: most authors who refuse a None mean it. It keeps a signature that other functions
    share, or takes what a configuration lacks, and the message names the argument.

    Tickets: real code
    """

    contract = "working-defaults"
    category = Category.API_CONTRACT
    severity = Severity.P3
    default = False
    precision = "1 of 8 by readers in 28 packages, after mending; 1 of 10 before"
    triggers = Triggers(nodes=frozenset({"FunctionDef"}), words=frozenset({"raise", "assert"}))
    VALID = (
        Valid(
            "choices of a class that hold the default, that subclasses replace, and that a file rebinds",
            """
            from torch import nn
            MODES = ("mean",)
            MODES = MODES + ("sum",)

            class Loss(nn.Module):
                KINDS = ("none", "mean")
                OTHERS = ("none", "mean")

                def __init__(self, kind="mean", other="sum", mode="sum"):
                    super().__init__()
                    if kind not in self.KINDS:
                        raise ValueError(kind)
                    if other not in self.OTHERS:
                        raise ValueError(other)
                    if mode not in MODES:
                        raise ValueError(mode)

                def widen(self):
                    self.OTHERS = ("sum",)
            """,
        ),
        Valid(
            "a default that passes, and a required argument",
            """
            def step(rate=0.1, mode="mean", *, size):
                if rate <= 0:
                    raise ValueError(rate)
                if mode not in ("mean", "sum"):
                    raise ValueError(mode)
                assert size is not None
                return rate
            """,
        ),
        Valid(
            "one of two is required",
            """
            def embed(ids=None, embeds=None):
                if ids is None and embeds is None:
                    raise ValueError("give one")
                if ids is not None and embeds is not None:
                    raise ValueError("give one only")
                return ids
            """,
        ),
        Valid(
            "a signature that a base prescribes",
            """
            class Base:
                def forward(self, x, mask=None):
                    return x


            class Masked(Base):
                def forward(self, x, mask=None):
                    if mask is None:
                        raise ValueError("mask")
                    return x * mask


            class Foreign(Other):
                def reset(self, size=None):
                    assert size is not None
            """,
        ),
        Valid(
            "a signature of a family, and a call that only the module itself makes",
            """
            def set_checkpointing(self, enable=True):
                assert not enable, "checkpointing not supported"


            def select(self, _from_state=False):
                if not _from_state:
                    raise ValueError("call it by the state")
            """,
        ),
        Valid(
            "a flag that decides whether to raise",
            """
            def verify(rows, strict=True):
                if strict:
                    raise ValueError("rows do not match")
                return rows
            """,
        ),
        Valid(
            "a name that is bound before, and a check further down",
            """
            def load(path=None, kind=""):
                path = path or default_path()
                if path is None:
                    raise ValueError(path)
                read(path)
                if not kind:
                    raise ValueError(kind)
            """,
        ),
    )
    INVALID = (
        Invalid(
            "choices of a class, of a file and of a local name",
            """
            from torch import nn

            MODES: tuple[str, ...] = ("mean", "sum")

            class Loss(nn.Module):
                KINDS = ("none", "mean")

                def __init__(self, gamma=2.0, kind: str = "batchmean"):
                    super().__init__()
                    if kind not in self.KINDS:
                        raise ValueError(kind)

            class Other:
                def __init__(self, kind="max"):
                    if kind not in Loss.KINDS and kind not in MODES:
                        raise ValueError(kind)

            def reduce(x, mode="max", axis="rows"):
                axes = ["row", "column"]
                assert mode in MODES
                assert axis in axes
            """,
            (
                (8, "the default `'batchmean'` of `kind` is refused on line 10"),
                (18, "the default `'max'` of `mode` is refused on line 20"),
                (18, "the default `'rows'` of `axis` is refused on line 21"),
            ),
        ),
        Invalid(
            "two defaults that do not fit, and a constructor of a scheduler",
            """
            from torch.optim.lr_scheduler import LRScheduler

            def frames(wave, size: int = 512, window: int = 1024, step=None):
                if window > size:
                    raise ValueError("the window is too long")
                return wave.unfold(-1, size, step or window)

            class Cycles(LRScheduler):
                def __init__(self, opt, period=0, mult=1.0):
                    assert period > 0
                    super().__init__(opt)
            """,
            (
                (3, "the default `1024` of `window` is refused on line 4"),
                (9, "the default `0` of `period` is refused on line 10"),
            ),
        ),
        Invalid(
            "None that is refused",
            """
            class Loader:
                def open(self, path=None, *, rate: float = 0.0):
                    \'\'\'Open a file.\'\'\'
                    if path is None:
                        raise ValueError("path is required")
                    if not 0 < rate <= 1:
                        raise ValueError(rate)
                    return read(path, rate)
            """,
            (
                (2, "the default `None` of `path` is refused on line 4"),
                (2, "the default `0.0` of `rate` is refused on line 6"),
            ),
        ),
        Invalid(
            "asserts, choices and types",
            """
            def build(width=0, kind="", name=None):
                assert width > 0, "width"
                if kind not in {"a", "b"}:
                    raise KeyError(kind)
                elif not isinstance(name, str):
                    raise TypeError(name)
            """,
            (
                (1, "the default `0` of `width` is refused on line 2"),
                (1, "the default `''` of `kind` is refused on line 3"),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions with defaults."""
        functions = (node for node in nodes if isinstance(node, Function))
        return [f for f in functions if f.args.defaults or f.args.kw_defaults]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the defaults that a leading check rejects."""
        if not isinstance(node, Function) or _is_prescribed(node, file):
            return
        given = defaults(node.args)
        for statement, test, refused in _leading_checks(node):
            test = _with_default(with_literal(test, node, file), given)
            names = names_in(test) & set(given)
            name = next(iter(names)) if len(names) == 1 else ""
            default = given.get(name)
            if not isinstance(default, ast.Constant) or name.startswith("_"):
                continue
            if isinstance(default.value, bool) and isinstance(test, ast.Name):
                continue
            if truth_with(test, name, default.value) is refused:
                where = f"is refused on line {statement.lineno}"
                message = f"the default `{default.value!r}` of `{name}` {where}"
                yield Violation(default, message, argument=name)


def _is_preparation(statement: ast.stmt) -> bool:
    """Return whether a statement is a docstring, the call of a base's constructor or a table of literals."""
    if not isinstance(statement, (ast.Expr, ast.Assign)):
        return False
    value = statement.value
    if isinstance(statement, ast.Assign):
        is_table = isinstance(value, (ast.Tuple, ast.List, ast.Set))
        return is_table and all(isinstance(e, ast.Constant) for e in value.elts)  # type: ignore[attr-defined]  # a display
    is_super = isinstance(value, ast.Call) and ast.unparse(value.func) == "super().__init__"
    return isinstance(value, ast.Constant) or is_super


def _with_default(test: ast.expr, given: Mapping[str, ast.expr]) -> ast.expr:
    """Return a comparison of two parameters as one of the first with the default of the second."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return test
    right = given.get(dotted(test.comparators[0]))
    is_pair = dotted(test.left) in given and isinstance(right, ast.Constant)
    return ast.Compare(test.left, test.ops, [right]) if is_pair and right is not None else test


def _leading_checks(function: Function) -> Iterator[tuple[ast.stmt, ast.expr, bool]]:
    """Yield the checks at the start of a body, each with its test and the truth that is refused."""
    for statement in function.body:
        if _is_preparation(statement):
            continue
        if isinstance(statement, (ast.Assert, ast.If)) and NOT_SUPPORTED.search(
            ast.unparse(statement)
        ):
            continue
        if isinstance(statement, ast.Assert):
            yield statement, statement.test, False
        elif isinstance(statement, ast.If) and isinstance(statement.body[0], ast.Raise):
            yield statement, statement.test, True
        else:
            return


def _is_prescribed(function: Function, file: FileView) -> bool:
    """Return whether a base of the class may prescribe the signature of a method."""
    table = file.once(class_table)
    owner = table.owner(function)
    if owner is None:
        return False
    family = table.family(owner)
    inherited = any(function.name in member.methods for member in family.members[1:])
    if function.name == "__init__":
        return not all(b in PLAIN_BASES or b.startswith("torch.") for b in family.foreign_bases)
    return inherited or not family.foreign_bases <= PLAIN_BASES or function.name == "forward"
