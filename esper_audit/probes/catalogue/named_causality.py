"""The probe `named-causality`: what is called causal does not depend on later positions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from torch import Tensor

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.causal_option import with_causal_option
from esper_audit.probes.measure.dependence.followed_axes import (
    FollowedAxis,
    followed_axes,
    has_single_output,
)
from esper_audit.probes.measure.execution.precise_run import PreciseRun, gap, precise_run
from esper_audit.probes.measure.parameters.redrawing import DRAWS, REDRAWING, redraw
from esper_audit.probes.measure.readings import Limits, Reading, within_rounding
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.source_text import recipe_text
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import tensors_in
from esper_audit.probes.universal import UniversalProbe, documentation_of

CAUSAL = re.compile(r"(?<!non)(?<!non_)(?<!anti)causal|autoregressive", re.IGNORECASE)
RESTRICTED = re.compile(r"convolutions? (is|are) causal|bi-?directional", re.IGNORECASE)
POSITIONS = range(3, 65)  # a batch of two is no sequence


class NamedCausality(UniversalProbe):
    """What is called causal does not depend on later positions.

    What: a class with `causal` in its name, or a constructor with the option `causal`, which is turned on.
    The later half of each axis that the output follows is replaced: the output of the earlier half must
    stay, along one of these axes, at birth and with parameters drawn anew.

    Why: a decoder that sees its target learns to copy it. The loss looks excellent, and generation does
    not work.

    Quiet: inputs without an axis of positions, and a docstring by which only a part is causal.

    Tickets: real code
    """

    contract = "causal-mask"
    category = Category.CORRECTNESS
    severity = Severity.P0
    limits: ClassVar[Limits] = {
        "later": within_rounding("the output of a causal module depends on later positions"),
    }

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Replace later positions along each axis."""
        causal = as_causal(subject)
        if causal is None:
            return
        run = precise_run(causal, state)
        axes = [one for one in followed_axes(causal, causal.at(state)) if one.size in POSITIONS]
        worst: dict[int, float] = {}
        for weights in DRAWS:
            redraw(run.module, weights)
            for one in axes:
                leak = _leak(causal, run, one)
                if leak > 1.0 or _leak(causal, run, one, is_backwards=True) > 1.0:
                    worst[one.axis] = max(worst.get(one.axis, 0.0), leak)
        if worst:
            axis = min(worst, key=lambda a: worst[a])
            yield Reading("later", worst[axis], {"axis": axis, "dtype": str(run.dtype)})

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if the documentation restricts what is causal."""
        found = RESTRICTED.search(documentation_of(subject))
        return f'is causal in part, by its docstring ("{found[0]}")' if found else ""

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that replaces the later positions."""
        causal = as_causal(subject) or subject
        axis = int(witness["axis"])
        message = "the output at earlier positions depends on later ones"
        text = recipe_text(causal.recipe)
        specs = dict(zip(text.names, tensors_in(causal.recipe.call), strict=True))
        size = specs[text.names[0]].shape[axis]
        later = [n for n, s in specs.items() if len(s.shape) > axis and s.shape[axis] == size]
        later = [n for n in later if specs[n].dtype != "bool"]
        at = f"[{':, ' * axis}{size // 2}:]"
        end = f"[{':, ' * axis}:{size // 2}]"
        is_double = witness["dtype"] == "torch.float64"
        path = "" if has_single_output(causal) else "[0]"
        body = [
            *(REDRAWING if any(True for _ in causal.build().parameters()) else []),
            *(f"{n} = {n}.double()" for n in later if specs[n].is_floating and is_double),
            "with torch.no_grad():",
            f"    first = module(CALL){path}{end}.clone()",
            *(f"{n}{at} = {_redrawn(n, at, specs[n].is_floating)}" for n in later),
            "with torch.no_grad():",
            f"    second = module(CALL){path}{end}",
            f'assert torch.allclose(first, second, rtol=1e-4, atol=1e-5), "{message}"',
        ]
        mode = "double().eval" if is_double else "eval"
        return program(causal.recipe, body, mode=mode), f"AssertionError: {message}"


def as_causal(subject: Discovered) -> Discovered | None:
    """Return the subject with its causal option turned on, None if nothing claims to be causal."""
    named = subject if CAUSAL.search(subject.recipe.class_name) else None
    return with_causal_option(subject) or named


def _redrawn(name: str, at: str, is_floating: bool) -> str:
    return f"torch.randn_like({name}{at})" if is_floating else f"({name}{at} + 1) % 2"


def _leak(
    subject: Discovered, run: PreciseRun, followed: FollowedAxis, *, is_backwards: bool = False
) -> float:
    """Return how much the earlier half of the outputs changes with the later, in tolerances.

    `is_backwards` returns how much the later half changes with the earlier, as it does along positions.
    """
    half = followed.size // 2
    here, other = (subject.arguments_of_call(seed) for seed in (0, 1))
    first = run.evaluate(subject, other if is_backwards else here)
    here, other = (subject.arguments_of_call(seed) for seed in (0, 1))
    second = run.evaluate(subject, _with_earlier(here, other, followed, half))
    start, size = (half, followed.size - half) if is_backwards else (0, half)
    gaps = [
        gap(first[path].narrow(axis, start, size), second[path].narrow(axis, start, size))
        for path, axis in followed.outputs.items()
        if path in first and path in second
    ]
    return max(gaps, default=0.0) / run.tolerance


def _with_earlier(tree: Any, other: Any, followed: FollowedAxis, half: int) -> Any:
    """Return the other arguments with the earlier half of these."""
    if isinstance(tree, Tensor):
        if tree.dim() <= followed.axis or tree.shape[followed.axis] != followed.size:
            return tree
        mixed = other.clone()
        mixed.narrow(followed.axis, 0, half).copy_(tree.narrow(followed.axis, 0, half))
        return mixed
    if isinstance(tree, dict):
        return {k: _with_earlier(item, other[k], followed, half) for k, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        pairs = zip(tree, other, strict=True)
        return type(tree)(_with_earlier(a, b, followed, half) for a, b in pairs)
    return tree
