"""The rule `decision-reads-drift-metric`: a decision reads a metric that drifts by itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import (
    AnyOptions,
    Invalid,
    Options,
    Rule,
    Triggers,
    Valid,
    Violation,
)
from esper_audit.source.idioms.training.metric_reads import MetricMentions, first_read
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import terminal_name
from esper_audit.text.phrases import quoted

REWARDS = frozenset({"advantage", "bonus", "decision", "fitness", "penalty", "reward", "score"})
REWARD = re.compile(rf"(?i)(^|_)({'|'.join(sorted(REWARDS))})s?(_|$)")
GATE_WORDS = (
    "accepts?|advance|allows?|approves?|can|check|choose|cull|decides?|eligible|fossilize|gates?|is|judge"
    "|may|pass(?:es|ed)?|permits?|promote|prune|ready|rejects?|select|should|verdict|wants?"
)
GATE = re.compile(rf"(?i)(^|_)({GATE_WORDS})(_|$)")
REPORT_CALLS = frozenset(
    {"add_scalar", "debug", "emit", "error", "exception", "info", "log", "print", "record", "warn"}
    | {"warning", "write"}
)


class DecisionReadsDriftMetricOptions(
    Options, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """`metrics`: names of metrics that may be reported but must not decide."""

    metrics: frozenset[str] = frozenset({"blending_delta"})


class DecisionReadsDriftMetric(Rule):
    """A decision reads a metric that drifts by itself.

    What: a name of the option `metrics`, as an attribute, a key, a variable or a local variable
    computed from one of these, in a condition, in the return value of a gate, or in a value that is
    assigned to a reward, a score or a decision (judging by their names).

    Why: `blending_delta` is the current accuracy minus the accuracy at the start of blending. The
    host keeps learning in the meantime, so the metric credits the seed with progress of the host.
    A reward from it trains a policy to germinate whenever the host improves anyway.

    Quiet: reports of the metric: logs, telemetry, return values of other functions, a condition that
    only guards a report; tests of its presence (`is None`, `in`, `isnan`); writes of the metric.

    Tickets: deep dive 1.1
    """

    contract = "drift-metric"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = "25 of 26 findings with other metrics configured were correct; no finding in 40 packages with its own"
    triggers = Triggers(
        nodes=frozenset({"If", "While", "IfExp", "Return", "Assign", "AnnAssign", "AugAssign"}),
        keywords=REWARDS,
        words=DecisionReadsDriftMetricOptions().metrics,
    )
    Options = DecisionReadsDriftMetricOptions
    options: DecisionReadsDriftMetricOptions

    VALID = (
        Valid(
            "a report",
            """
            def report(m):
                log.info('delta %f', m.blending_delta)
                return m.blending_delta
            """,
        ),
        Valid(
            "the definition of the metric",
            """
            def end(self, now):
                self.blending_delta = now - self.began
            """,
        ),
        Valid(
            "a test whether it was measured",
            """
            def row(m):
                if m.blending_delta is None or math.isnan(m.blending_delta):
                    return '-'
                if 'blending_delta' in m.rest:
                    return '+'
                return str(m.blending_delta)
            """,
        ),
        Valid(
            "a condition that only guards a report",
            """
            def tell(m):
                if m.blending_delta < 0:
                    log.warning('drifts')
                    print(m)
            """,
        ),
        Valid(
            "a decision by another metric of the seed",
            """
            def check_gate(m):
                delta, contribution = m.blending_delta, m.contribution
                telemetry.put(delta)
                return contribution > 0
            """,
        ),
        Valid(
            "a project with another metric name",
            """
            def reward(m):
                return m.blending_delta
            """,
            options={"metrics": ["loss_delta"]},
        ),
    )
    INVALID = (
        Invalid(
            "a condition",
            """
            def step(slot):
                if slot.metrics.blending_delta > 0.1 and slot.ready:
                    slot.fossilize()
            """,
            ((2, "a condition reads `blending_delta`, which drifts by itself"),),
        ),
        Invalid(
            "a condition on a derived variable",
            """
            def step(slot):
                delta, n = slot['blending_delta'], 3
                gain = max(delta, 0)
                while gain > n:
                    slot.grow()
                return 1 if getattr(slot, 'blending_delta') else 2
            """,
            (
                (
                    4,
                    "a condition reads `gain` (from `blending_delta`), which drifts by itself",
                ),
                (6, "a condition reads `blending_delta`, which drifts by itself"),
            ),
        ),
        Invalid(
            "the return value of a gate",
            """
            class Gates:
                def check(self, m):
                    return m.get('blending_delta', 0.0) >= self.least
            """,
            (
                (
                    3,
                    "the return value of `check` reads `blending_delta`, which drifts by itself",
                ),
            ),
        ),
        Invalid(
            "a reward",
            """
            def compute_reward(m):
                reward = 0.5 * m.blending_delta
                self.score += m.blending_delta
                return reward - m.rent
            """,
            (
                (2, "`reward` reads `blending_delta`, which drifts by itself"),
                (3, "`self.score` reads `blending_delta`, which drifts by itself"),
                (
                    4,
                    (
                        "the return value of `compute_reward` reads `reward` (from `blending_delta`), "
                        "which drifts by itself"
                    ),
                ),
            ),
        ),
        Invalid(
            "a score that is passed on",
            """
            def judge(m):
                result = Result(passed=True, score=abs(m.blending_delta))
                return result.passed
            """,
            (
                (2, "`score` reads `blending_delta`, which drifts by itself"),
                (
                    3,
                    "the return value of `judge` reads `result` (from `blending_delta`), which drifts by itself",
                ),
            ),
        ),
        Invalid(
            "a metric name of the project",
            """
            def step(m):
                if m.loss_delta < 0:
                    m.cull()
            """,
            ((2, "a condition reads `loss_delta`, which drifts by itself"),),
            options={"metrics": ["loss_delta"]},
        ),
    )

    def __init__(self, options: AnyOptions | None = None, severity: Severity | None = None) -> None:
        super().__init__(options, severity)
        self.triggers = msgspec.structs.replace(self.triggers, words=self.options.metrics)

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Drop assignments to what is no reward by its name."""
        return [n for n in nodes if not isinstance(n, ast.Assign) or _is_reward(n.targets)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report conditions, gates and rewards that read one of the metrics."""
        for value, what in _deciding_expressions(node, file):
            functions = file.functions(value)
            scope = functions[-1] if functions else value
            mentions = file.once(MetricMentions)
            if not mentions.is_mentioned_in(scope, self.options.metrics):
                continue
            derived: Mapping[str, str] = {}
            if functions:
                derived = mentions.derived_variables(functions[-1], self.options.metrics)
            name = first_read(value, self.options.metrics, derived)
            if name:
                read = f"`{name}` (from `{derived[name]}`)" if name in derived else f"`{name}`"
                yield Violation(value, f"{what} reads {read}, which drifts by itself")


def _is_reward(targets: Sequence[ast.expr]) -> bool:
    return any(REWARD.search(terminal_name(target)) for target in targets)


def _deciding_expressions(node: ast.AST, file: FileView) -> Iterator[tuple[ast.expr, str]]:
    """Yield each deciding expression of a node, and a description of the decision."""
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        if not (isinstance(node, ast.If) and _is_only_report(node)):
            yield node.test, "a condition"
    elif isinstance(node, ast.Return) and node.value is not None:
        scopes = file.definitions(node)
        if scopes and (GATE.search(scopes[-1].name) or REWARD.search(scopes[-1].name)):
            yield node.value, f"the return value of `{scopes[-1].name}`"
    elif isinstance(node, ast.Assign):
        yield from _reward_values(node.targets, node.value, file)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)) and node.value is not None:
        yield from _reward_values([node.target], node.value, file)
    elif isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg in REWARDS:
                yield keyword.value, f"`{keyword.arg}`"


def _reward_values(
    targets: Sequence[ast.expr], value: ast.expr, file: FileView
) -> Iterator[tuple[ast.expr, str]]:
    for target in targets:
        if REWARD.search(terminal_name(target)):
            yield value, f"`{quoted(file.code(target, parentheses=True))}`"


def _is_only_report(branch: ast.If) -> bool:
    """Return whether the branches of a condition contain nothing but reports."""
    other = branch.orelse
    if len(other) == 1 and isinstance(other[0], ast.If):
        is_elif = other[0].col_offset == branch.col_offset
        return is_elif and _is_only_report(other[0]) and all(map(_is_report, branch.body))
    return all(map(_is_report, [*branch.body, *other]))


def _is_report(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return isinstance(statement, ast.Pass)
    return terminal_name(statement.value.func) in REPORT_CALLS
