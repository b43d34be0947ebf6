"""The rule `decision-reads-drift-metric`: a metric that drifts by itself takes part in a decision."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import (
    AnyOptions,
    CstRule,
    Invalid,
    Options,
    Reach,
    Triggers,
    Valid,
    Violation,
)
from esper_audit.source.idioms.fallbacks.exception_handling import statements
from esper_audit.source.idioms.training.metric_reads import carriers, first_read
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.enclosing import Definition
from esper_audit.source.syntax.names import Function
from esper_audit.source.syntax.node_view import View
from esper_audit.text.phrases import quoted

REWARDS = frozenset({"advantage", "bonus", "decision", "fitness", "penalty", "reward", "score"})
REWARD = re.compile(rf"(?i)(^|_)({'|'.join(sorted(REWARDS))})s?(_|$)")
GATE_WORDS = (
    "accepts?|advance|allows?|approves?|can|check|choose|cull|decides?|eligible|fossilize|gates?|is|judge"
    "|may|pass(?:es|ed)?|permits?|promote|prune|ready|rejects?|select|should|verdict|wants?"
)
GATE = re.compile(rf"(?i)(^|_)({GATE_WORDS})(_|$)")
REPORTS = frozenset(
    {"add_scalar", "debug", "emit", "error", "exception", "info", "log", "print", "record", "warn"}
    | {"warning", "write"}
)


class DecisionReadsDriftMetricOptions(
    Options, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """`metrics` names what may be reported and must not decide."""

    metrics: frozenset[str] = frozenset({"blending_delta"})


class DecisionReadsDriftMetric(CstRule):
    """A metric that drifts by itself takes part in a decision.

    What: one of the names in the option `metrics`, as an attribute, a key, a variable or what is
    worked out from it in the function, that stands in a condition, in what a gate returns, or in what
    becomes a reward, a score or a decision (by the name it is given).

    Why: `blending_delta` is the accuracy now minus the accuracy when blending began. The host learns
    on in the meantime, so the metric credits the seed with what the host would have learned alone;
    a reward from it trains a policy to germinate whenever the host improves anyway.

    Quiet: reporting it: logs, telemetry, what other functions return, a condition behind which there is
    only a report; asking whether it was measured (`is None`, `in`, `isnan`); writing it.

    Tickets: deep dive 1.1
    """

    contract = "drift-metric"
    category = Category.CORRECTNESS
    severity = Severity.P2
    precision = (
        "25 of 26 read were right, with other metrics configured; none in 40 packages with its own"
    )
    triggers = Triggers(
        nodes=frozenset({"If", "While", "IfExp", "Return", "Assign", "AnnAssign", "AugAssign"}),
        keywords=REWARDS,
        words=DecisionReadsDriftMetricOptions().metrics,
    )
    reach = Reach.FUNCTION
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
            "its definition",
            """
            def end(self, now):
                self.blending_delta = now - self.began
            """,
        ),
        Valid(
            "was it measured?",
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
            "a condition behind which there is only a report",
            """
            def tell(m):
                if m.blending_delta < 0:
                    log.warning('drifts')
                    print(m)
            """,
        ),
        Valid(
            "a decision by what the seed did",
            """
            def check_gate(m):
                delta, contribution = m.blending_delta, m.contribution
                telemetry.put(delta)
                return contribution > 0
            """,
        ),
        Valid(
            "a project that lists another name",
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
            "a condition on what is worked out from it",
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
            "what a gate returns",
            """
            class Gates:
                def check(self, m):
                    return m.get('blending_delta', 0.0) >= self.least
            """,
            ((3, "what `check` returns reads `blending_delta`, which drifts by itself"),),
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
                    "what `compute_reward` returns reads `reward` (from `blending_delta`), which drifts by itself",
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
                    "what `judge` returns reads `result` (from `blending_delta`), which drifts by itself",
                ),
            ),
        ),
        Invalid(
            "the project's own name",
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

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report conditions, gates and rewards that read one of the metrics."""
        scopes = view.definitions(node)
        functions = [scope for scope in scopes if isinstance(scope, Function)]
        known = carriers(functions[-1], self.options.metrics) if functions else {}
        for value, what in _decided(node, scopes, view):
            name = first_read(ast.parse(f"({view.code(value)})"), self.options.metrics, known)
            if name:
                read = f"`{name}` (from `{known[name]}`)" if name in known else f"`{name}`"
                yield Violation(value, f"{what} reads {read}, which drifts by itself")


def _decided(
    node: cst.CSTNode, scopes: Sequence[Definition], view: View
) -> Iterator[tuple[cst.CSTNode, str]]:
    """Yield each expression at a node that decides something, and what it decides."""
    if isinstance(node, (cst.If, cst.While, cst.IfExp)):
        if not (isinstance(node, cst.If) and _only_reports(node)):
            yield node.test, "a condition"
    elif isinstance(node, cst.Return) and node.value is not None:
        if scopes and (GATE.search(scopes[-1].name) or REWARD.search(scopes[-1].name)):
            yield node.value, f"what `{scopes[-1].name}` returns"
    elif isinstance(node, cst.Assign):
        yield from _rewarded([target.target for target in node.targets], node.value, view)
    elif isinstance(node, (cst.AnnAssign, cst.AugAssign)) and node.value is not None:
        yield from _rewarded([node.target], node.value, view)
    elif isinstance(node, cst.Call):
        for argument in node.args:
            if argument.keyword is not None and argument.keyword.value in REWARDS:
                yield argument.value, f"`{argument.keyword.value}`"


def _rewarded(
    targets: Sequence[cst.CSTNode], value: cst.CSTNode, view: View
) -> Iterator[tuple[cst.CSTNode, str]]:
    for target in targets:
        name = target.attr if isinstance(target, cst.Attribute) else target
        if isinstance(name, cst.Name) and REWARD.search(name.value):
            yield value, f"`{quoted(view.code(target))}`"


def _only_reports(branch: cst.If) -> bool:
    """Return whether behind a condition, and its `else`, there is nothing but reports."""
    other = branch.orelse
    if isinstance(other, cst.If) and not _only_reports(other):
        return False
    blocks = [branch.body, *([other.body] if isinstance(other, cst.Else) else [])]
    return all(_is_report(part) for block in blocks for part in statements(block))


def _is_report(statement: cst.CSTNode) -> bool:
    if not isinstance(statement, cst.Expr) or not isinstance(statement.value, cst.Call):
        return isinstance(statement, cst.Pass)
    called = statement.value.func
    name = called.attr if isinstance(called, cst.Attribute) else called
    return isinstance(name, cst.Name) and name.value in REPORTS
