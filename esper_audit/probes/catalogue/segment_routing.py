"""The probe `segment-routing`: the segments of a host compose to its forward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.output_dependency import difference
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.kinds import Host
from esper_audit.probes.subject.subject import Draw

NO_SLOT = "no such slot"


class SegmentRouting(Probe[Host]):
    """The segments of a host compose to its forward.

    What: for every slot, and for every two slots in order, the segments up to the slots and from the last
    slot on compose to the forward, in every bit, in train and eval mode. A route backwards, or to a slot
    that does not exist, must raise an error.

    Why: the features of a seed, and the counterfactual that judges it, are computed along these routes. A
    layer that is skipped or run twice changes the output only slightly. A route backwards returns features
    of the right shape.

    Quiet: the number and the boundaries of the segments are free.

    Tickets: real code
    """

    contract = "segment-routing"
    category = Category.CORRECTNESS
    severity = Severity.P1
    takes = Host
    limits: ClassVar[Limits] = {
        "no-slots": must_be_zero("the host has no slots"),
        "composition": must_be_zero(
            "the segments to and from a slot do not compose to the forward"
        ),
        "two-slots": must_be_zero("the segments over two slots do not compose to the forward"),
        "backwards": must_be_zero("a route backwards was accepted"),
        "unknown": must_be_zero("a slot that does not exist was accepted"),
    }

    def measure(self, subject: Host, state: str) -> Iterator[Reading]:
        """Run every route."""
        inputs = subject.inputs(Draw(subject.dims[0]))
        for training in (False, True):
            host: nn.Module = subject.at(state).train(training)
            slots = list(subject.slots(host))
            yield Reading("no-slots", float(not slots))
            forward = _run(subject, host, inputs, ())
            for index, slot in enumerate(slots):
                witness: dict[str, Plain] = {"slot": slot, "training": training}
                through = _run(subject, host, inputs, (slot,))
                yield Reading("composition", difference(forward, through), witness)
                yield from _refused(subject, host, inputs, (slot, NO_SLOT))
                for later in slots[index + 1 :]:
                    over = _run(subject, host, inputs, (slot, later))
                    where = {**witness, "then": later}
                    yield Reading("two-slots", difference(forward, over), where)
                    yield from _refused(subject, host, inputs, (later, slot))


def _run(subject: Host, host: nn.Module, inputs: Tensor, slots: tuple[str, ...]) -> Tensor:
    """Return the output along some slots, always under the same random seed."""
    seed_streams(1)
    with torch.no_grad():
        if not slots:
            return subject.call(host, inputs)
        features, here = inputs, None
        for slot in slots:
            features, here = subject.to_segment(host, slot, features, here), slot
        return subject.from_segment(host, slots[-1], features)


def _refused(
    subject: Host, host: nn.Module, inputs: Tensor, slots: tuple[str, str]
) -> Iterator[Reading]:
    detector = "unknown" if slots[1] == NO_SLOT else "backwards"
    try:
        with torch.no_grad():
            features = subject.to_segment(host, slots[0], inputs, None)
            subject.to_segment(host, slots[1], features, slots[0])
    # A host may refuse a route by any error.
    except FAILURES:
        yield Reading(detector, 0.0)
    else:
        yield Reading(detector, 1.0, {"from": slots[0], "to": slots[1]})
