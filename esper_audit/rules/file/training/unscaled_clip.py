"""The rule `unscaled-clip`: gradients are clipped while they are still multiplied by the loss scale."""

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
    "`{}` clips gradients that are still multiplied by the loss scale (`{}` in line {}). "
    "Call `unscale_` of the scaler with the optimizer first"
)


class UnscaledClip(Rule):
    """Gradients are clipped while they are still multiplied by the loss scale.

    What: `clip_grad_norm_` or `clip_grad_value_` of `torch.nn.utils` after `scaler.scale(loss).backward()`
    and before `scaler.step(optimizer)`, without `scaler.unscale_(optimizer)` in front of it.

    Why: the gradients are 65536 times too large at first, so every one of them is clipped, and the
    limit moves each time the scaler changes its scale. After unscaling in the step almost nothing is left.

    Quiet: `unscale_` under any condition; branches without the scaler; the clipping of libraries that
    unscale themselves (`accelerator.clip_grad_norm_`).

    Tickets: real code
    """

    contract = "step-order"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "4 of 4 (funasr, recbole) in 115 packages; 3 of 3 in the last 65 unseen packages, before "
        "mending on them"
    )
    triggers = Triggers(calls=frozenset({"clip_grad_norm_", "clip_grad_value_", "clip_grad_norm"}))

    VALID = (
        Valid(
            "unscaled first",
            """
            import torch

            def step(net, loss, opt, scaler):
                scaler.scale(loss).backward()
                scaler.unscale_(opt)
                torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                scaler.step(opt)
                scaler.update()
            """,
        ),
        Valid(
            "a branch without the scaler",
            """
            from torch.nn.utils import clip_grad_norm_

            def step(net, loss, opt, scaler):
                if scaler is not None:
                    scaler.scale(loss).backward()
                    scaler.step(opt)
                    scaler.update()
                else:
                    loss.backward()
                    clip_grad_norm_(net.parameters(), 1.0)
                    opt.step()
            """,
        ),
        Valid(
            "unscaled in a helper",
            """
            from torch.nn.utils import clip_grad_norm_

            class Learner:
                def _prepare(self):
                    if self.amp:
                        self.scaler.unscale_(self.opt)

                def step(self, loss):
                    self.scaler.scale(loss).backward()
                    self._prepare()
                    clip_grad_norm_(self.net.parameters(), 1.0)
                    self.scaler.step(self.opt)
            """,
        ),
        Valid(
            "no scaler at all",
            """
            from torch.nn.utils import clip_grad_norm_

            def step(net, loss, opt):
                loss.backward()
                clip_grad_norm_(net.parameters(), 1.0)
                opt.step()
            """,
        ),
    )
    INVALID = (
        Invalid(
            "without unscaling",
            """
            import torch

            def step(net, loss, opt, scaler):
                scaler.scale(loss).backward()
                torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                scaler.step(opt)
                scaler.update()
            """,
            (
                (
                    5,
                    MESSAGE.format(
                        "torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)",
                        "scaler.scale(loss).backward()",
                        4,
                    ),
                ),
            ),
        ),
        Invalid(
            "in a loop with accumulation",
            """
            from torch import nn

            class Learner:
                def fit(self, batches):
                    for i, (x, y) in enumerate(batches):
                        self.amp.scale(self.loss(self.net(x), y) / 4).backward()
                        if i % 4 == 3:
                            nn.utils.clip_grad_value_(self.net.parameters(), 0.5)
                            self.amp.step(self.adam)
                            self.amp.update()
                            self.adam.zero_grad()
            """,
            (
                (
                    8,
                    MESSAGE.format(
                        "nn.utils.clip_grad_value_(self.net.parameters(), 0.5)",
                        "self.amp.scale(self.loss(self.net(x), y) / 4).backward()",
                        6,
                    ),
                ),
            ),
        ),
        Invalid(
            "with a flag that decides at each place",
            """
            import torch

            def fit(net, batches, opt, scaler, args):
                for x in batches:
                    loss = net(x).mean()
                    if args.fp16:
                        scaler.scale(loss).backward()
                    else:
                        loss.backward()
                    torch.nn.utils.clip_grad_norm_(net.parameters(), args.limit)
                    if args.fp16:
                        scaler.step(opt)
                        scaler.update()
                    else:
                        opt.step()
                    opt.zero_grad()
            """,
            (
                (
                    10,
                    MESSAGE.format(
                        "torch.nn.utils.clip_grad_norm_(net.parameters(), args.limit)",
                        "scaler.scale(loss).backward()",
                        7,
                    ),
                ),
            ),
        ),
        Invalid(
            "in a helper one call away",
            """
            from torch.nn.utils import clip_grad_norm_

            def limit(parameters):
                clip_grad_norm_(parameters, 1.0)


            def step(net, loss, opt, scaler):
                scaler.scale(loss).backward()
                limit(net.parameters())
                scaler.step(opt)
            """,
            (
                (
                    4,
                    MESSAGE.format(
                        "clip_grad_norm_(parameters, 1.0)", "scaler.scale(loss).backward()", 8
                    ),
                ),
            ),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report clippings of gradients that are still scaled."""
        if not isinstance(node, ast.Call):
            return
        name = file.resolve(node.func) or ""
        if not name.startswith("torch.nn.utils."):
            return
        flows = file.once(TrainingFlows).having(node, EventKind.CLIP)
        scaled = [event for flow in flows if (event := _scaled_backward(flow, node)) is not None]
        if not scaled or any(_is_unscaled(flow, node) for flow in flows):
            return
        backward = scaled[0].node
        clip = quoted(file.code(node))
        message = MESSAGE.format(clip, quoted(file.code(backward)), backward.lineno)
        yield Violation(node, message)


def _is_unscaled(flow: TrainingFlow, node: ast.AST) -> bool:
    """Return whether gradients are unscaled in front of a clipping, or in a later round of its loop."""
    clip = next(event for event in flow.events if event.node is node)
    return any(
        clip in flow.after(event, EventKind.CLIP) for event in flow.of_kind(EventKind.UNSCALE)
    )


def _scaled_backward(flow: TrainingFlow, node: ast.AST) -> TrainingEvent | None:
    """Return the backward of a scaled loss whose gradients are clipped before the scaler steps."""
    clip = next(event for event in flow.events if event.node is node)
    position = flow.events.index(clip)
    later = [e for e in flow.events[position + 1 :] if not e.is_exclusive_with(clip)]
    step = next((e for e in later if e.kind is EventKind.STEP), None)
    if step is None or not step.is_scaled:
        return None
    for event in reversed(flow.events[:position]):
        if event.kind is not EventKind.BACKWARD or event.is_exclusive_with(clip):
            continue
        if event.is_scaled:
            return event
        if not event.is_exclusive_with(step):
            return None
    return None
