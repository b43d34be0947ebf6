"""The rule `constant-generator`: a library draws from a constant seed where its caller gave no generator."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.randomness import constant_generator_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.distributed.ranks import Ranks
from esper_audit.source.idioms.randomness.generators import (
    constant_seeding,
    seeded_name,
    shuffler_of,
)
from esper_audit.source.idioms.randomness.repeated_seedings import is_repeated
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import parameters, terminal_name, text_of
from esper_audit.text.phrases import quoted

MESSAGE = (
    "`{}` decides the random numbers where `{}` is not given: the caller's `torch.manual_seed` has no "
    "effect. Draw the seed from the default generator"
)
ORDERED = (
    "`{}` gives `{}` the same order in each run: the caller's `torch.manual_seed` has no effect. Take the "
    "generator or the seed as an argument"
)
REPEATED = (
    "`{}` starts the same stream for each batch: all of them draw the same numbers. Make the generator "
    "once, and keep it"
)
DEFAULTING = frozenset({"get", "pop", "setdefault"})


class ConstantGeneratorOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`every_library`: also report generators of `random` and NumPy."""

    every_library: bool = False


class ConstantGenerator(Rule):
    """A function draws from a constant seed where its caller gave no generator.

    What: in a function, a generator with a constant seed that stands in for one that was not given: in the
    branch of `if generator is None`, after `generator or`, in a conditional on it, or as the default of
    `options.get("generator", ...)`. Also one that the function gives a sampler or a loader that shuffles,
    and one that a collator, or the round of a training loop, makes anew with the same seed and draws from.

    Why: the user's seed no longer decides. Every run has the same order or noise, two loaders have the
    same stream, and runs with several seeds measure nothing.

    Quiet: generators of `random` and NumPy (option `every_library`), which `torch.manual_seed` does not
    decide either, unless a collator repeats them; a draw outside of training; a seed that is a parameter;
    scripts, and loaders of files with a `main` guard or of functions that read the rank
    (`same-seed-on-every-rank`); generators for splits and initialisation that no caller can give.

    Tickets: real code
    """

    contract = "random-streams"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "0 of 0 in 69 packages, after mending on them; generators of other libraries are an option; no "
        "finding in the last 65 unseen packages; no finding in 147 packages as widened since"
    )
    triggers = Triggers(calls=frozenset({"manual_seed", "default_rng", "RandomState", "Random"}))

    Options = ConstantGeneratorOptions
    options: ConstantGeneratorOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report constant generators that stand in for one that was not given."""
        if not isinstance(node, ast.Call) or not file.functions(node):
            return
        if is_repeated(node, file):
            yield Violation(node, REPEATED.format(quoted(file.code(node))))
            return
        if not constant_seeding(node, file):
            return
        if terminal_name(node.func) != "manual_seed" and not self.options.every_library:
            return
        missing = _missing_in_expression(node, file) or _missing_in_branch(node, file)
        if missing:
            yield Violation(node, MESSAGE.format(quoted(file.code(node)), missing))
            return
        shuffler = shuffler_of(node, file)
        is_own = "__main__" in file.source.text
        if shuffler is not None and not is_own and not _is_run_by_ranks(node, file):
            code = quoted(file.code(node))
            yield Violation(node, ORDERED.format(code, terminal_name(shuffler.func)))


def _is_run_by_ranks(node: ast.Call, file: FileView) -> bool:
    """Return whether the function around a node reads the rank, whose streams are another rule's."""
    ranks = file.once(Ranks)
    calls = scan(file.functions(node)[-1], {ast.Call, ast.Subscript})
    return any(isinstance(call, ast.expr) and ranks.is_rank(call) for call in calls)


def _missing_in_expression(node: ast.Call, file: FileView) -> str:
    """Return the name in front of `or`, or in the test of a conditional, that a generator stands in for."""
    above = file.parent(node)
    if isinstance(above, ast.Call) and terminal_name(above.func) in DEFAULTING:
        return _key(above) if above.args[1:] == [node] else ""
    if isinstance(above, ast.BoolOp) and isinstance(above.op, ast.Or):
        return text_of(above.values[0]) if above.values[0] is not node else ""
    if isinstance(above, ast.IfExp):
        name, is_none = _none_test(above.test)
        chosen = above.body if is_none else above.orelse
        return name if chosen is node and _is_given(name, node, file) else ""
    return ""


def _key(call: ast.Call) -> str:
    """Return the key of `options.get(key, default)`."""
    key = call.args[0]
    return str(key.value) if isinstance(key, ast.Constant) else text_of(key)


def _missing_in_branch(node: ast.Call, file: FileView) -> str:
    """Return the name whose absence the branch around a seeding handles by assigning to it."""
    seeded = seeded_name(node, file)
    for statement in reversed(file.enclosing(node)):
        if not isinstance(statement, ast.If):
            continue
        name, is_none = _none_test(statement.test)
        branches = list(blocks(statement))
        branch = branches[0] if is_none else branches[1]
        if not name or not any(part is node for s in branch for part in scan(s, {ast.Call})):
            continue
        assigned = {
            text_of(target): text_of(a.value)
            for s in branch
            for a in scan(s, {ast.Assign})
            if isinstance(a, ast.Assign)
            for target in a.targets
        }
        stands_in = seeded == name or assigned.get(name) == seeded
        if stands_in or (bool(seeded) and _is_given(name, node, file)):
            return name
    return ""


def _is_given(name: str, node: ast.Call, file: FileView) -> bool:
    """Return whether a name is a parameter of the function around a node, or a part of one."""
    function = file.functions(node)[-1]
    return name.partition(".")[0] in {p.arg for p in parameters(function.args)}


def _none_test(test: ast.expr) -> tuple[str, bool]:
    """Return the name that a test checks for None, and whether the test is true for None."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _asked(test.operand), True
    if isinstance(test, ast.Compare) and isinstance(test.comparators[0], ast.Constant):
        is_none = test.comparators[0].value is None
        name = _asked(test.left) if is_none else ""
        return name, isinstance(test.ops[0], (ast.Is, ast.Eq))
    is_name = isinstance(test, (ast.Name, ast.Attribute)) and terminal_name(test) != "training"
    return (text_of(test) if is_name else "", False)


def _asked(node: ast.expr) -> str:
    """Return the text of what a test asks for, `a.b` for `getattr(a, "b", None)` and `hasattr(a, "b")`."""
    if isinstance(node, ast.Call) and terminal_name(node.func) in ("getattr", "hasattr"):
        owner, name = node.args[:2]
        is_text = isinstance(name, ast.Constant) and isinstance(name.value, str)
        return f"{text_of(owner)}.{ast.literal_eval(name)}" if is_text else ""
    return text_of(node)
