"""The probe `checkpoint-round-trip`: a loaded module behaves as the saved one."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.probes.measure.checkpoint_mutation import (
    with_extra_entry,
    with_other_version,
    without_one_entry,
)
from esper_audit.probes.measure.dependence.output_dependency import difference
from esper_audit.probes.measure.parameters.gradients import backward, descend
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.subject import Checkpointed, Draw
from esper_audit.rules.rule import Options

STEPS_BEFORE = 2
LEARNING_RATE = 0.05
OTHER_SEED = 1  # with the same seed a fresh module would be equal without loading
STEPS_AFTER = range(3)  # a lost counter shows at the second or third step only


class CheckpointRoundTripParameters(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`strict`: a checkpoint with a missing or an additional entry is refused.

    `open` names the mappings of the checkpoint that may have any entries. `version` is the name of the
    entries with the format's number: a checkpoint with another number is refused.
    """

    strict: bool = False
    open: tuple[str, ...] = ()
    version: str = ""


class CheckpointRoundTrip(Probe[Checkpointed]):
    """A fresh module that loads a checkpoint behaves as the saved one.

    What: the probe trains a module for two steps in each declared state and saves it. A fresh module from
    another random seed loads the file with `weights_only=True`. Its output, its gradients and the outputs
    of the next steps must equal those of the saved module in every bit. If promised, a checkpoint with one
    entry removed, one entry added or another version is refused.

    Why: a Python attribute, a plain tensor or an unregistered list is lost without an error. A test that
    loads into the same object, or into a fresh one of the same seed, does not detect the loss.

    Quiet: the checkpoint is whatever `save` returns. Only behaviour is compared, so that a non-persistent
    buffer that can be recomputed is no loss.

    Tickets: real code
    """

    contract = "checkpoint"
    category = Category.CORRECTNESS
    severity = Severity.P1
    takes = Checkpointed
    Parameters = CheckpointRoundTripParameters
    parameters: CheckpointRoundTripParameters
    limits: ClassVar[Limits] = {
        "not-plain": must_be_zero("the checkpoint contains more than tensors and plain types"),
        "refused": must_be_zero("a fresh module refuses the checkpoint"),
        "output": must_be_zero("the loaded module gives another output"),
        "gradients": must_be_zero("the loaded module gets other gradients"),
        "next-steps": must_be_zero("the loaded module gives other outputs in the next steps"),
        "takes-less": must_be_zero("a checkpoint with a missing entry was accepted"),
        "takes-more": must_be_zero("a checkpoint with an unknown entry was accepted"),
        "takes-version": must_be_zero("a checkpoint of another version was accepted"),
    }

    def measure(self, subject: Checkpointed, state: str) -> Iterator[Reading]:
        """Train, save and load, then train both modules further."""
        saved = subject.at(state)
        for step in range(STEPS_BEFORE):
            _train_step(subject, saved, step)
        file = io.BytesIO()
        torch.save(subject.save(saved), file)
        file.seek(0)
        try:
            loaded_state = torch.load(file, weights_only=True)
        except pickle.UnpicklingError as error:
            yield Reading("not-plain", 1.0, {"error": f"{error}".splitlines()[0]})
            return
        yield Reading("not-plain", 0.0)
        loaded, refusal = _loaded(subject, loaded_state)
        yield Reading("refused", float(bool(refusal)), {"error": refusal} if refusal else {})
        if not refusal:
            yield from _compared(subject, saved, loaded)
            for detector, entry, changed in self._mutations(loaded_state):
                is_accepted = not _loaded(subject, changed)[1]
                yield Reading(detector, float(is_accepted), {"entry": entry})

    def _mutations(self, state: object) -> Iterator[tuple[str, str, object]]:
        """Yield (detector, entry, checkpoint) for each mutation that must be refused."""
        promised = self.parameters
        for entry, fewer in without_one_entry(state, promised.open) if promised.strict else ():
            yield "takes-less", entry, fewer
        for entry, more in with_extra_entry(state, promised.open) if promised.strict else ():
            yield "takes-more", entry, more
        for entry, other in with_other_version(state, promised.version) if promised.version else ():
            yield "takes-version", entry, other


def _loaded(subject: Checkpointed, state: object) -> tuple[Any, str]:
    """Return a fresh module that loaded the checkpoint, and the error text if it refused."""
    seed_streams(OTHER_SEED)
    fresh = (subject.fresh or subject.build)(subject.dims[0])
    try:
        subject.load(fresh, state)
    # A module may refuse a checkpoint by any error.
    except FAILURES as error:
        return fresh, " ".join(f"{type(error).__name__}: {error}".split())
    return fresh, ""


def _compared(subject: Checkpointed, saved: Any, loaded: Any) -> Iterator[Reading]:
    """Compare evaluations at once and at the end, and the training steps between them."""
    pair = (saved, loaded)
    yield Reading("output", difference(*(_evaluation(subject, module) for module in pair)))
    for step in STEPS_AFTER:
        (first, ones), (second, others) = (_train_step(subject, module, step) for module in pair)
        yield Reading("next-steps" if step else "output", difference(first, second), {"step": step})
        paired = ones.keys() == others.keys()
        gaps = [difference(ones[n], others[n]) if paired else float("inf") for n in ones]
        gap = max(gaps, default=float(not paired))
        yield Reading("next-steps" if step else "gradients", gap, {"step": step})
    last = difference(*(_evaluation(subject, module) for module in pair))
    yield Reading("next-steps", last, {"step": STEPS_AFTER[-1]})


def _evaluation(subject: Checkpointed, module: Any) -> Tensor:
    was_training = module.training
    with torch.no_grad():
        output = subject.call(module.eval(), subject.inputs(Draw(subject.dims[0])))
    module.train(was_training)
    return output


def _train_step(subject: Checkpointed, module: Any, step: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Apply one training step and `advance`.

    Return the output, and the gradients by name.
    """
    seed_streams(step)
    output = subject.call(module.train(), subject.inputs(Draw(subject.dims[0], seed=step)))
    named = dict(module.named_parameters())
    for parameter in named.values():
        parameter.grad = None
    if output.requires_grad:
        backward(output, torch.randn(output.shape) / output.numel())
    gradients = {name: p.grad for name, p in named.items() if p.grad is not None}
    descend(module.parameters(), LEARNING_RATE)
    subject.advance(module)
    return output.detach(), gradients
