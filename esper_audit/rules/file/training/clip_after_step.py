"""The rule `clip-after-step`: gradients are clipped after the optimizer has used them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.training.training_events import EventKind, TrainingEvent
from esper_audit.source.idioms.training.training_flow import TrainingFlow, TrainingFlows
from esper_audit.source.syntax.file_view import FileView
from esper_audit.text.phrases import quoted

MESSAGE = (
    "`{}` clips gradients that the step in line {} has already used. "
    "Clip between `backward` and the step"
)
CLIPPING = frozenset({"clip_grad_norm_", "clip_grad_value_", "clip_grad_norm"})


class ClipAfterStep(Rule):
    """Gradients are clipped after the optimizer has used them.

    What: a `clip_grad_norm_` or `clip_grad_value_` that follows the optimizer's `step`, with neither a
    `backward` between the two nor a step after the clipping that would use the clipped gradients.

    Why: the step has taken the gradients as they were. The clipping changes nothing, and the training
    that it should protect still diverges.

    Quiet: a clipping between `backward` and `step`; a second optimizer that steps afterwards;
    branches that exclude each other.

    Tickets: real code
    """

    contract = "step-order"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "1 of 1 by a reader in 118 packages (deeppavlov); 0 of 4 in 69 packages before mending on them (one "
        "pattern of flagai)"
    )
    triggers = Triggers(calls=CLIPPING)

    VALID = (
        Valid(
            "between backward and step",
            """
            import torch

            def fit(net, batches, opt):
                for x in batches:
                    net(x).mean().backward()
                    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                    opt.step()
                    opt.zero_grad()
            """,
        ),
        Valid(
            "two optimizers, the second of which steps after the clipping",
            """
            import torch

            def fit(critic, actor, batches, opt_critic, opt_actor):
                for x in batches:
                    (critic(x) + actor(x)).mean().backward()
                    opt_critic.step()
                    torch.nn.utils.clip_grad_value_(actor.parameters(), 0.5)
                    opt_actor.step()
            """,
        ),
        Valid(
            "branches that exclude each other",
            """
            import torch

            def step(self, loss, net, opt, scaler):
                loss.backward()
                if scaler is None:
                    opt.step()
                else:
                    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                    scaler.step(opt)
            """,
        ),
        Valid(
            "a clipping that belongs to the next backward",
            """
            from torch.nn.utils import clip_grad_norm_

            def step(d_loss, g_loss, gen, opt_d, opt_g):
                d_loss.backward()
                opt_d.step()
                g_loss.backward()
                clip_grad_norm_(gen.parameters(), 1.0)
                opt_g.step()
            """,
        ),
    )
    INVALID = (
        Invalid(
            "after the step",
            """
            import torch

            def fit(net, batches, opt):
                for x in batches:
                    opt.zero_grad()
                    net(x).mean().backward()
                    opt.step()
                    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            """,
            ((8, MESSAGE.format("torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)", 7)),),
        ),
        Invalid(
            "after the step of a method, under a condition",
            """
            from torch.nn.utils import clip_grad_value_

            class Learner:
                def learn(self, batch):
                    self.objective(batch).backward()
                    self.solver.step()
                    if self.limit:
                        clip_grad_value_(self.net.parameters(), self.limit)
                    self.solver.zero_grad()
            """,
            ((8, MESSAGE.format("clip_grad_value_(self.net.parameters(), self.limit)", 6)),),
        ),
        Invalid(
            "in a helper one call away",
            """
            from torch import nn

            def limit(net):
                nn.utils.clip_grad_norm_(net.parameters(), max_norm=5)


            def fit(net, batches, opt):
                for x in batches:
                    net(x).mean().backward()
                    opt.step()
                    limit(net)
                    opt.zero_grad()
            """,
            ((4, MESSAGE.format("nn.utils.clip_grad_norm_(net.parameters(), max_norm=5)", 10)),),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report clippings that follow the step."""
        flows = file.once(TrainingFlows).having(node, EventKind.CLIP)
        flows = [flow for flow in flows if flow.of_kind(EventKind.BACKWARD)]
        steps = [_step_before(flow, node) for flow in flows]
        if steps and all(steps):
            line = steps[0].node.lineno if steps[0] else 0
            yield Violation(node, MESSAGE.format(quoted(file.code(node)), line))


def _step_before(flow: TrainingFlow, node: ast.AST) -> TrainingEvent | None:
    """Return the step that has used the gradients before they are clipped, None if one uses them later."""
    clip = next(event for event in flow.events if event.node is node)
    position = flow.events.index(clip)
    for event in flow.events[position + 1 :]:
        if event.kind is EventKind.BACKWARD:
            break
        if event.kind is EventKind.STEP and not event.is_exclusive_with(clip):
            return None
    for event in reversed(flow.events[:position]):
        if event.is_exclusive_with(clip) or event.loops != clip.loops:
            continue
        if event.kind in (EventKind.BACKWARD, EventKind.CLIP):
            return None
        if event.kind is EventKind.STEP:
            return event
    return None
