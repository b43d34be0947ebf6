"""The probe `checkpoint-round-trip`: a fresh object that loads a checkpoint goes on as the saved one does."""

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
from esper_audit.probes.measure.gradients import backward, descend
from esper_audit.probes.measure.output_dependency import difference
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.subject import Checkpointed, Draw
from esper_audit.rules.rule import Options

STEPS_BEFORE = 2
LEARNING_RATE = 0.05
OTHER_SEED = 1  # a fresh object of the same seed would be right without loading anything
LIFE = range(3)  # what is counted, or lags behind, shows at the second or third step only


class CheckpointRoundTripParameters(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`strict`: a checkpoint with an entry less, or with one more, is refused.

    `open` names the mappings of the checkpoint that may hold any entries. `version` is the name of the
    entries that hold the number of its format: with another number it is refused.
    """

    strict: bool = False
    open: tuple[str, ...] = ()
    version: str = ""


class CheckpointRoundTrip(Probe[Checkpointed]):
    """A fresh object that loads a checkpoint goes on as the saved one does.

    What: a module is trained a little in each declared state and saved; a fresh one, of another random
    seed and in no state, loads the file with `weights_only=True`. Outputs, gradients and the outputs
    of the steps after that must be equal, bit for bit. If promised, a checkpoint is refused from which
    any one entry was taken away, to which one was added, or whose version is another.

    Why: what lives in a Python attribute, a plain tensor or an unregistered list is lost without an
    error. Loading into the same object hides all of it, and so does a fresh one of the same seed.

    Quiet: whatever `save` returns is the checkpoint; non-persistent buffers that can be derived are no
    loss, as only what the module does is compared.

    Tickets: real code
    """

    contract = "checkpoint"
    category = Category.CORRECTNESS
    severity = Severity.P1
    takes = Checkpointed
    Parameters = CheckpointRoundTripParameters
    parameters: CheckpointRoundTripParameters
    limits: ClassVar[Limits] = {
        "not-plain": must_be_zero("the checkpoint holds more than tensors and plain types"),
        "refused": must_be_zero("a fresh object refuses the checkpoint"),
        "output": must_be_zero("the loaded object gives another output"),
        "gradients": must_be_zero("the loaded object gets other gradients"),
        "next-steps": must_be_zero("the loaded object goes on in another way"),
        "takes-less": must_be_zero("a checkpoint that lacks an entry was taken, by a default"),
        "takes-more": must_be_zero("a checkpoint with an entry that nobody knows was taken"),
        "takes-version": must_be_zero("a checkpoint of another version was taken"),
    }

    def measure(self, subject: Checkpointed, state: str) -> Iterator[Reading]:
        """Save, load and live on, twice."""
        saved = subject.at(state)
        for step in range(STEPS_BEFORE):
            _live(subject, saved, step)
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
            for detector, entry, changed in self._changed(loaded_state):
                taken = not _loaded(subject, changed)[1]
                yield Reading(detector, float(taken), {"entry": entry})

    def _changed(self, state: object) -> Iterator[tuple[str, str, object]]:
        """Yield checkpoints that nobody saved: what should speak, which entry, and the checkpoint."""
        kept = self.parameters
        for entry, fewer in without_one_entry(state, kept.open) if kept.strict else ():
            yield "takes-less", entry, fewer
        for entry, more in with_extra_entry(state, kept.open) if kept.strict else ():
            yield "takes-more", entry, more
        for entry, other in with_other_version(state, kept.version) if kept.version else ():
            yield "takes-version", entry, other


def _loaded(subject: Checkpointed, state: object) -> tuple[Any, str]:
    """Return a fresh object that was given a checkpoint, and what it refused it with."""
    seed_streams(OTHER_SEED)
    fresh = (subject.fresh or subject.build)(subject.dims[0])
    try:
        subject.load(fresh, state)
    # Whatever a module says to a checkpoint is the finding.
    except FAILURES as error:
        return fresh, " ".join(f"{type(error).__name__}: {error}".split())
    return fresh, ""


def _compared(subject: Checkpointed, saved: Any, loaded: Any) -> Iterator[Reading]:
    first, second = (_output(subject, module) for module in (saved, loaded))
    yield Reading("output", difference(first, second))
    for step in LIFE:
        ones, others = (_live(subject, module, step) for module in (saved, loaded))
        detector = "next-steps" if step else "gradients"
        paired = ones.keys() == others.keys()
        gaps = [difference(ones[n], others[n]) if paired else float("inf") for n in ones]
        yield Reading(detector, max(gaps, default=float(not paired)), {"step": step})
        outputs = (_output(subject, module) for module in (saved, loaded))
        yield Reading("next-steps", difference(*outputs), {"step": step})


def _output(subject: Checkpointed, module: Any) -> Tensor:
    was_training = module.training
    with torch.no_grad():
        output = subject.call(module.eval(), subject.inputs(Draw(subject.dims[0])))
    module.train(was_training)
    return output


def _live(subject: Checkpointed, module: Any, step: int) -> dict[str, Tensor]:
    """Take a training step and what lies between two of them; return the gradients by name."""
    seed_streams(step)
    output = subject.call(module.train(), subject.inputs(Draw(subject.dims[0], seed=step)))
    module.zero_grad(set_to_none=True)
    if output.requires_grad:
        backward(output, torch.randn(output.shape) / output.numel())
    gradients = {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None}
    descend(module.parameters(), LEARNING_RATE)
    subject.advance(module)
    return gradients
