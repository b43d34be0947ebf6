"""The probe `straight-through`: the output has the host's values and the seed's gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.output_dependency import difference, largest
from esper_audit.probes.measure.parameters.gradients import backward, gradients
from esper_audit.probes.measure.parameters.redrawing import redraw
from esper_audit.probes.measure.readings import Limit, Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.subject import Blend, Draw

DRAWS = (0, 1)
DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}
# In units in the last place of the largest gradient: the same sum in another order.
ROUNDINGS = 64.0


class StraightThrough(Probe[Blend]):
    """The output of a straight-through blend has the host's values and the seed's gradient.

    What: the output equals the host's features in every bit, in three dtypes, at birth and with parameters
    drawn anew. The features are not overwritten. The gradients of the host equal, in every bit, those
    without a seed. The gradients of the seed equal those of its own output.

    Why: `h + s - s.detach()` differs from h in floating point. An output that was written in place always
    equals the overwritten features. A seed without a gradient does not train.

    Quiet: a seed without parameters needs no gradient. Without a declared `seed_output` at least one
    parameter of the seed must have a nonzero gradient.

    Tickets: deep dive 1.1
    """

    contract = "ste"
    category = Category.CORRECTNESS
    severity = Severity.P1
    takes = Blend
    limits: ClassVar[Limits] = {
        "overwritten": must_be_zero("the blend overwrote the host's features in place"),
        "output": must_be_zero("the output differs from the host's features"),
        "dtype": must_be_zero("the output has another dtype than the host's features"),
        "host-gradient": must_be_zero("the host's gradients differ from those without a seed"),
        "seed-gradient": Limit("at least", 1.0, "no parameter of the seed gets a gradient"),
        "share": Limit(
            "at most", ROUNDINGS, "the gradient of the seed differs from that of its own output"
        ),
    }

    def measure(self, subject: Blend, state: str) -> Iterator[Reading]:
        """Sweep draws and dtypes."""
        for draw in DRAWS:
            for name, dtype in DTYPES.items():
                inputs = subject.inputs(Draw(subject.dims[0], dtype=dtype))
                blended, plain = (_built_module(subject, state, draw, dtype) for _ in range(2))
                features, alone = (
                    _features(subject, module, inputs) for module in (blended, plain)
                )
                before = features.detach().clone()
                output = subject.blend(blended, features)
                witness: dict[str, Plain] = {"draw": draw, "dtype": name}
                yield Reading("overwritten", difference(before, features), witness)
                yield Reading("dtype", float(output.dtype != before.dtype), witness)
                yield Reading("output", difference(before, output.to(before.dtype)), witness)
                cotangent = torch.randn(before.shape).to(dtype)
                backward(output, cotangent)
                backward(alone, cotangent)
                hosts = (gradients(subject.host(module)) for module in (plain, blended))
                gaps = [difference(a, b) for a, b in zip(*hosts, strict=True)]
                yield Reading("host-gradient", max(gaps, default=0.0), witness)
                seed = gradients(subject.seed(blended))
                if seed:
                    live = sum(bool(gradient.any()) for gradient in seed)
                    yield Reading("seed-gradient", float(live), witness)
                if seed and subject.seed_output is not None:
                    added = _built_module(subject, state, draw, dtype)
                    backward(subject.seed_output(added, before), cotangent)
                    yield Reading("share", _share(gradients(subject.seed(added)), seed), witness)


def _built_module(subject: Blend, state: str, draw: int, dtype: torch.dtype) -> nn.Module:
    module: nn.Module = subject.at(state).to(dtype).train()
    redraw(module, draw)
    return module


def _features(subject: Blend, module: nn.Module, inputs: Tensor) -> Tensor:
    seed_streams(1)
    features = subject.features(module, inputs)
    seed_streams(2)
    return features


def _share(expected: list[Tensor], found: list[Tensor]) -> float:
    size = max(map(largest, expected)) * torch.finfo(expected[0].dtype).eps
    return max(difference(a, b) for a, b in zip(expected, found, strict=True)) / (size or 1.0)
