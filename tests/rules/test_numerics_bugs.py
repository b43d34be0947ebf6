"""Public numerical bugs, each in spellings of our own that the rules find, and repaired, which they leave."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest
from support.marked_bugs import ASKED

from esper_audit.engine.file_checker import check_source
from esper_audit.engine.triggers import TriggerTable
from esper_audit.rules.registry import discover
from esper_audit.source.syntax.source import Source, parse

# The programs are parts of modules: what their constructors bind is left out.
BLIND_TO_PARTS = {"unknown-attribute"}
RULES = [
    rule()
    for rule in discover().values()
    if (rule.default or rule.id in ASKED) and rule.id not in BLIND_TO_PARTS
]
TABLE = TriggerTable.of(RULES)
IMPORTS = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"


SPELLINGS = Path(__file__).parent / "numerics_spellings"
NUMERICAL = {
    "average-keeps-graph",
    "division-by-log",
    "ema-never-updates",
    "functional-dropout-always-on",
    "gradient-nan-at-zero",
    "half-precision-norm",
    "inplace-bias-correction",
    "log-of-probability",
    "softmax-over-wrong-axis",
    "unbiased-std-of-one",
    "unclamped-arccosine",
    "unclamped-exponential",
    "unguarded-mask-mean",
    "where-hides-nan",
}


class Bug(NamedTuple):
    """A bug with the rule that reports it, the part of its line, and the repair of that line."""

    rule: str
    name: str
    code: str
    line: str
    repaired: str


def reported(code: str) -> list[tuple[str, str]]:
    """Return the (rule, line) of what the rules report in a file."""
    source = parse("model.py", code.encode())
    assert isinstance(source, Source)
    result = check_source(source, TABLE)
    assert result.not_analysed == []
    lines = code.splitlines()
    return [(f.check, lines[f.location.line - 1].strip()) for f in result.findings]


BUGS = [
    Bug(
        "softmax-over-wrong-axis",
        "the queries of a cross attention",
        """
        class Cross(nn.Module):
            def forward(self, target, source):
                query, key, value = self.q(target), self.k(source), self.v(source)
                affinity = torch.bmm(query, key.transpose(1, 2)) * self.scale
                share = self.drop(F.softmax(affinity, 1))
                return torch.bmm(share, value)
        """,
        "share = self.drop(F.softmax(affinity, 1))",
        "share = self.drop(F.softmax(affinity, 2))",
    ),
    Bug(
        "softmax-over-wrong-axis",
        "heads in one equation with dots",
        """
        def attend(a, b, c, mask):
            logits = torch.einsum("...qd,...kd->...qk", a, b) + mask
            p = torch.softmax(logits, dim=-2)
            return torch.einsum("...qk,...kd->...qd", p, c)
        """,
        "p = torch.softmax(logits, dim=-2)",
        "p = torch.softmax(logits, dim=-1)",
    ),
    Bug(
        "softmax-over-wrong-axis",
        "a pooling over time that normalises the batch",
        """
        class Pool(nn.Module):
            def forward(self, frames):
                gate = torch.softmax(self.gate(frames), dim=0)
                return torch.sum(gate * frames, dim=1)
        """,
        "gate = torch.softmax(self.gate(frames), dim=0)",
        "gate = torch.softmax(self.gate(frames), dim=1)",
    ),
    Bug(
        "softmax-over-wrong-axis",
        "the senders of messages",
        """
        from torch_scatter import scatter_softmax, scatter_sum
        def convolve(h, edge_index, logits):
            src, dst = edge_index[0], edge_index[1]
            alpha = scatter_softmax(logits, src, dim=0)
            return scatter_sum(alpha.unsqueeze(-1) * h[src], dst, dim=0)
        """,
        "alpha = scatter_softmax(logits, src, dim=0)",
        "alpha = scatter_softmax(logits, dst, dim=0)",
    ),
    Bug(
        "functional-dropout-always-on",
        "in a block without an own forward",
        """
        class Base(nn.Module):
            def forward(self, x):
                return self.mix(x)
        class Block(Base):
            def mix(self, x):
                return torch.nn.functional.dropout(self.lin(x), 0.2)
        """,
        "return torch.nn.functional.dropout(self.lin(x), 0.2)",
        "return torch.nn.functional.dropout(self.lin(x), 0.2, self.training)",
    ),
    Bug(
        "functional-dropout-always-on",
        "one call away",
        """
        def residual(x, y, rate):
            return x + F.dropout(y, p=rate)
        class Layer(nn.Module):
            def forward(self, x):
                return residual(x, self.lin(x), 0.1)
        """,
        "return x + F.dropout(y, p=rate)",
        "return x + F.dropout(y, p=rate, training=rate > 0)",
    ),
    Bug(
        "log-of-probability",
        "a policy's entropy",
        """
        class Actor(nn.Module):
            def entropy(self, state):
                pi = F.softmax(self.head(state), dim=-1)
                return -(pi * pi.log()).sum(-1)
        """,
        "return -(pi * pi.log()).sum(-1)",
        "return -(pi * (pi + 1e-8).log()).sum(-1)",
    ),
    Bug(
        "log-of-probability",
        "an adversarial loss",
        """
        def generator_loss(judge, fake):
            verdict = torch.sigmoid(judge(fake))
            return torch.log(1.0 - verdict).mean()
        """,
        "return torch.log(1.0 - verdict).mean()",
        "return torch.log((1.0 - verdict).clamp(min=1e-6)).mean()",
    ),
    Bug(
        "division-by-log",
        "an attenuation by degree",
        """
        def attenuate(h, dst, nodes, mean_log):
            d = torch.zeros(nodes, device=h.device).index_add_(0, dst, torch.ones_like(dst).float())
            return h * mean_log / torch.log1p(d)[:, None]
        """,
        "return h * mean_log / torch.log1p(d)[:, None]",
        "return h * mean_log / torch.log1p(d.clamp(min=1))[:, None]",
    ),
    Bug(
        "division-by-log",
        "an entropy as a share of its maximum",
        """
        import math
        def evenness(weights):
            h = -(weights * (weights + 1e-9).log()).sum()
            return h / math.log(len(weights))
        """,
        "return h / math.log(len(weights))",
        "return h / math.log(len(weights)) if len(weights) > 1 else 1.0",
    ),
    Bug(
        "unclamped-exponential",
        "the drift from a reference",
        """
        def drift(model_logps, reference_logps, keep):
            r = reference_logps - model_logps
            return ((torch.exp(r) - 1) - r) * keep
        """,
        "return ((torch.exp(r) - 1) - r) * keep",
        "return ((torch.exp(r.clamp(max=20)) - 1) - r) * keep",
    ),
    Bug(
        "unbiased-std-of-one",
        "the rewards of one group",
        """
        def advantages(rewards, keep):
            scores = torch.tensor(rewards)
            kept = scores[keep > 0]
            return (kept - kept.mean()) / (kept.std() + 1e-4)
        """,
        "return (kept - kept.mean()) / (kept.std() + 1e-4)",
        "return (kept - kept.mean()) / (kept.std(correction=0) + 1e-4)",
    ),
    Bug(
        "gradient-nan-at-zero",
        "a focal weight with a root",
        """
        class Loss(nn.Module):
            def __init__(self, focus=0.5):
                super().__init__()
                self.focus = focus
            def forward(self, x, y):
                chance = x.softmax(1).gather(1, y)
                return ((1 - chance) ** self.focus * -x.log_softmax(1).gather(1, y)).mean()
        """,
        "return ((1 - chance) ** self.focus * -x.log_softmax(1).gather(1, y)).mean()",
        "return ((1 - chance + 1e-6) ** self.focus * -x.log_softmax(1).gather(1, y)).mean()",
    ),
    Bug(
        "gradient-nan-at-zero",
        "a distance between embeddings",
        """
        class Margin(nn.Module):
            def forward(self, left, right, same):
                gap = torch.sqrt(torch.sum((left - right) ** 2, dim=1))
                return torch.where(same, gap, F.relu(1 - gap)).mean()
        """,
        "gap = torch.sqrt(torch.sum((left - right) ** 2, dim=1))",
        "gap = torch.sqrt(torch.sum((left - right) ** 2, dim=1) + 1e-12)",
    ),
    Bug(
        "inplace-bias-correction",
        "a moment of an optimizer",
        """
        @torch.no_grad()
        def update(p, grad, memory, b1, t, lr):
            m = memory["m"]
            m.mul_(b1).add_(grad, alpha=1 - b1)
            unbiased = m.div_(1 - b1**t)
            p.sub_(lr * unbiased)
        """,
        "unbiased = m.div_(1 - b1**t)",
        "unbiased = m.div(1 - b1**t)",
    ),
    Bug(
        "ema-never-updates",
        "a target network",
        """
        @torch.no_grad()
        def soft_update(online, target, rate):
            for p, q in zip(online.parameters(), target.parameters()):
                q = rate * p + (1.0 - rate) * q
        """,
        "q = rate * p + (1.0 - rate) * q",
        "q.copy_(rate * p + (1.0 - rate) * q)",
    ),
    Bug(
        "average-keeps-graph",
        "a baseline of the loss",
        """
        class Learner:
            def step(self, batch):
                cost = self.net(batch).mean()
                cost.backward()
                self.level = self.level * 0.9 + cost * 0.1
        """,
        "self.level = self.level * 0.9 + cost * 0.1",
        "self.level = self.level * 0.9 + cost.detach() * 0.1",
    ),
    Bug(
        "unclamped-arccosine",
        "the angle between two rotations",
        """
        def geodesic(a, b):
            r = torch.matmul(a, b.transpose(-1, -2))
            c = (r.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
            return torch.arccos(c)
        """,
        "return torch.arccos(c)",
        "return torch.arccos(c.clamp(-1, 1))",
    ),
    Bug(
        "where-hides-nan",
        "a ratio that is chosen where it exists",
        """
        class Ratio(nn.Module):
            def forward(self, x, y):
                return torch.where(y == 0, torch.zeros_like(x), x / y)
        """,
        "return torch.where(y == 0, torch.zeros_like(x), x / y)",
        "return torch.where(y == 0, torch.zeros_like(x), x / torch.where(y == 0, 1.0, y))",
    ),
    Bug(
        "unguarded-mask-mean",
        "the second of two losses",
        """
        def losses(a, b, mask_a, mask_b):
            first = (a * mask_a).sum() / mask_a.sum().clamp(min=1)
            return first + (b * mask_b).sum() / mask_b.sum()
        """,
        "return first + (b * mask_b).sum() / mask_b.sum()",
        "return first + (b * mask_b).sum() / mask_b.sum().clamp(min=1)",
    ),
    Bug(
        "swallowed-interrupt",
        "a teardown that takes an interrupt",
        """
        class Writer:
            def close(self):
                try:
                    self.queue.flush()
                except:
                    pass
        """,
        "except:",
        "except OSError:",
    ),
]


def program(bug: Bug, *, is_repaired: bool) -> str:
    code = textwrap.dedent(bug.code)
    assert code.count(bug.line) == 1, bug.line
    return IMPORTS + (code.replace(bug.line, bug.repaired) if is_repaired else code)


@pytest.mark.parametrize("bug", BUGS, ids=[f"{bug.rule}: {bug.name}" for bug in BUGS])
def test_the_rules_leave_the_repaired_program(bug: Bug) -> None:
    assert reported(program(bug, is_repaired=True)) == []


@pytest.mark.parametrize("bug", BUGS, ids=[f"{bug.rule}: {bug.name}" for bug in BUGS])
def test_the_rules_report_a_bug_once_at_its_line(bug: Bug) -> None:
    assert reported(program(bug, is_repaired=False)) == [(bug.rule, bug.line)]


def spellings(name: str) -> list[tuple[str, str]]:
    """Return the title and the code of each program of a file."""
    blocks = (SPELLINGS / name).read_text().split("\n#### ")[1:]
    parts = [block.partition("\n") for block in blocks]
    return [(title, "import math\n" + IMPORTS + code) for title, _, code in parts]


FOUND = spellings("bugs.txt")
CORRECT = spellings("correct.txt")


def test_there_are_spellings_of_each_numerical_rule() -> None:
    assert {title.partition(":")[0] for title, _ in FOUND} == NUMERICAL
    assert len(CORRECT) > 30


@pytest.mark.parametrize(("title", "code"), CORRECT, ids=[title for title, _ in CORRECT])
def test_the_numerical_rules_leave_a_correct_program(title: str, code: str) -> None:
    assert [found for found in reported(code) if found[0] in NUMERICAL] == []


@pytest.mark.parametrize(("title", "code"), FOUND, ids=[title for title, _ in FOUND])
def test_a_numerical_rule_reports_the_marked_lines_of_a_program(title: str, code: str) -> None:
    rule = title.partition(":")[0]
    marked = {line.strip() for line in code.splitlines() if line.endswith("#!")}
    assert marked
    assert {line for check, line in reported(code) if check == rule} == marked
