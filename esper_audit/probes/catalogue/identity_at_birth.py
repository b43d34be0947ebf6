"""The probe `identity-at-birth`: a new seed does not change the host's features under any blend."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import ClassVar

import torch
from msgspec.structs import replace

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.output_dependency import difference, largest
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.subject import Blueprint, Draw
from esper_audit.rules.rule import Options

ALPHAS = (0.0, 0.1, 0.5, 1.0)
SEEDS = (0, 1)  # an initialisation may be the identity by chance


class IdentityAtBirthParameters(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`tolerance` is the largest allowed change, relative to the largest feature."""

    tolerance: float = 0.0


class IdentityAtBirth(Probe[Blueprint]):
    """A new seed does not change the host's features under any blend.

    What: the probe blends the output of a new seed into the host's features by every declared blend, at
    alpha 0, 0.1, 0.5 and 1, at every declared width, in train and eval mode. The result must equal the
    host's features in every bit.

    Why: a seed that is not the identity disturbs a trained host when it is inserted. The host spends the
    next epochs on recovery, and the seed is judged by the damage.

    Quiet: without declared blends the output of the seed is compared with its input. Promise a `tolerance`
    for an approximate identity.

    Tickets: deep dive 1.1
    """

    contract = "identity-at-birth"
    category = Category.CORRECTNESS
    severity = Severity.P1
    takes = Blueprint
    Parameters = IdentityAtBirthParameters
    parameters: IdentityAtBirthParameters
    limits: ClassVar[Limits] = {
        "jump": must_be_zero("a new seed changes the host's features"),
        "jump-in-train": must_be_zero("a new seed changes the host's features in train mode only"),
    }

    def allowed(self) -> Limits:
        """Return the limits, with the promised tolerance."""
        tolerance = self.parameters.tolerance
        return {name: replace(limit, threshold=tolerance) for name, limit in self.limits.items()}

    def measure(self, subject: Blueprint, state: str) -> Iterator[Reading]:
        """Blend new seeds of every width."""
        for dim, seed in product(subject.dims, SEEDS):
            module = subject.at(state, dim, seed=seed)
            host = subject.inputs(Draw(dim, seed=seed))
            for detector in ("jump", "jump-in-train"):
                module.train(detector == "jump-in-train")
                with torch.no_grad():
                    output = subject.call(module, host.clone())
                outputs = {"none at alpha 1": output}
                for (name, blend), alpha in product(subject.blends.items(), ALPHAS):
                    blended = blend(host, output, host, torch.tensor(alpha))
                    outputs[f"{name} at alpha {alpha}"] = blended.detach()
                for name, blended in outputs.items():
                    gap = difference(host, blended) / (largest(host) or 1.0)
                    witness: dict[str, Plain] = {"dim": dim, "seed": seed, "blend": name}
                    yield Reading(detector, gap, witness)
