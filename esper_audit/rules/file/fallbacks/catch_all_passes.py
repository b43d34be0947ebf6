"""The rule `catch-all-passes`: a value that no case expects passes a check."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.fallbacks.dispatch import Dispatch, dispatch_of, is_last_literal
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import is_constant, text_of
from esper_audit.text.phrases import quoted

MESSAGE = "any `{}` other than {} passes: it {}. Reject what is not expected"
MOST_NAMED = 3


class CatchAllPasses(Rule):
    """A value that no case expects passes a check.

    What: a `match` or a chain of `==` on strings or members of an enumeration whose last block, for every
    other value, is `return True` where a named case rejects, or only `pass`.

    Why: a new member, a misspelt level or a value from an old file is accepted without a look.

    Quiet: a last block that raises, warns, rejects or does something; cases that never reject; fewer
    than two named values.

    Off by default: a predicate whose last case is true looks like a check that lets everything pass.

    Tickets: deep dive 2, real code
    """

    contract = "unknown-values"
    category = Category.DEFENSIVE_PROGRAMMING
    severity = Severity.P2
    default = False
    precision = (
        "0 of 1 by readers in 27 packages seen last; before: 0 findings in 47 packages (monai, "
        "torchtune, trl, deepchem, allennlp and 42 more)"
    )
    triggers = Triggers(nodes=frozenset({"Match", "If"}), words=frozenset({"match", "return"}))

    VALID = (
        Valid(
            "the last of the literals of a type",
            """
            from typing import Literal

            Scope = Literal["process", "global", "local"]

            def is_logged(scope: Scope, mode: Literal["a", "b"] = "a") -> bool:
                if scope == "global":
                    return is_first()
                if scope == "local":
                    return is_first_here()
                return True
            """,
        ),
        Valid(
            "rejected by default",
            """
            def may_pass(stage, score):
                match stage:
                    case Stage.NEW:
                        return score > 1
                    case Stage.OLD:
                        return False
                    case _:
                        raise ValueError(stage)
            """,
        ),
        Valid(
            "the named cases are the exceptions",
            """
            def is_trainable(kind):
                if kind == "embedding":
                    return True
                elif kind == "norm":
                    return True
                else:
                    return False
            """,
        ),
        Valid(
            "one value and the rest",
            """
            def is_open(mode):
                if mode == "closed":
                    return False
                else:
                    return True
            """,
        ),
        Valid(
            "a last block that does something",
            """
            def run(mode):
                match mode:
                    case "train":
                        train()
                    case "test":
                        test()
                    case _:
                        usage()
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a gate that accepts the rest",
            """
            def may_pass(stage, score) -> bool:
                match stage:
                    case Stage.NEW:
                        return score > 1
                    case Stage.OLD | Stage.BROKEN:
                        return False
                    case _:
                        return True
            """,
            (
                (
                    7,
                    MESSAGE.format(
                        "stage", "`Stage.NEW`, `Stage.OLD`, `Stage.BROKEN`", "returns True"
                    ),
                ),
            ),
        ),
        Invalid(
            "a chain of strings",
            """
            def check(level, values):
                if level == "strict":
                    return not values
                elif level == "normal":
                    if len(values) > 3:
                        return False
                    return True
                elif level in ("loose", "lax"):
                    return len(values) < 10
                else:
                    return True
            """,
            (
                (
                    11,
                    MESSAGE.format(
                        "level", "`'strict'`, `'normal'`, `'loose'` ...", "returns True"
                    ),
                ),
            ),
        ),
        Invalid(
            "one return after the other",
            """
            def may_pass(stage, score):
                if stage == Stage.NEW:
                    return score > 1
                if stage == Stage.OLD:
                    return False
                return True
            """,
            ((6, MESSAGE.format("stage", "`Stage.NEW`, `Stage.OLD`", "returns True")),),
        ),
        Invalid(
            "nothing happens",
            """
            def apply(self, action):
                match action:
                    case "grow":
                        self.grow()
                    case "prune":
                        self.prune()
                    case _:
                        pass
            """,
            ((7, MESSAGE.format("action", "`'grow'`, `'prune'`", "is ignored")),),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep matches, and chains that end in `return True` or `pass`."""
        return [node for node in nodes if isinstance(node, ast.Match) or _may_pass(node)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report last blocks that accept every other value."""
        if not isinstance(node, (ast.If, ast.Match)):
            return
        dispatch = dispatch_of(node, file)
        if dispatch is None or len(dispatch.values) < 2:
            return
        effect, functions = _effect(dispatch), file.functions(node)
        is_left = functions and is_last_literal(
            dispatch.subject, len(dispatch.values), functions[-1], file
        )
        if effect and not is_left:
            names = [f"`{text_of(value)}`" for value in dispatch.values]
            named = ", ".join(names[:MOST_NAMED]) + (" ..." if len(names) > MOST_NAMED else "")
            message = MESSAGE.format(quoted(dispatch.subject), named, effect)
            yield Violation(dispatch.default, message)


def _may_pass(node: ast.AST) -> bool:
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
        return False
    last = node.orelse
    if not last:
        return isinstance(node.body[-1], (ast.Return, ast.Raise))
    while len(last) == 1 and isinstance(last[0], ast.If):
        last = last[0].orelse
    return len(last) == 1 and isinstance(last[0], (ast.Return, ast.Pass))


def _effect(dispatch: Dispatch) -> str:
    """Return what happens to any other value if that accepts it, empty otherwise."""
    last = dispatch.otherwise
    if len(last) != 1:
        return ""
    if isinstance(last[0], ast.Pass):
        return "is ignored" if isinstance(dispatch.default, ast.MatchAs) else ""
    is_accepted = isinstance(last[0], ast.Return) and is_constant(last[0].value, True)
    rejects = any(_rejects(block) for block in dispatch.blocks)
    return "returns True" if is_accepted and rejects else ""


def _rejects(block: list[ast.stmt]) -> bool:
    """Return whether a block may return something other than True."""
    returned = [r for s in block for r in scan(s, {ast.Return}) if isinstance(r, ast.Return)]
    return any(not is_constant(statement.value, True) for statement in returned)
