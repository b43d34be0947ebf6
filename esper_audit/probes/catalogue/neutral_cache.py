"""The probe `neutral-cache`: step by step with a cache, a module returns what the whole pass returns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import ClassVar

import torch

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.causal_option import with_causal_parts
from esper_audit.probes.measure.execution.precise_run import PreciseRun, precise_run
from esper_audit.probes.measure.parameters.redrawing import DRAWS, REDRAWING, redraw
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur, within_rounding
from esper_audit.probes.measure.stepwise.cached_call import MOST_WAYS, cached_calls, takes_cache
from esper_audit.probes.measure.stepwise.program_lines import stepwise_lines
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.source_text import recipe_text
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import tensors_in
from esper_audit.probes.subject.subject import BIRTH
from esper_audit.probes.universal import UniversalProbe

SIZES = re.compile(r"size|shape|dimension|broadcast")
MESSAGES = {
    "steps": "with its cache the module returns something else than in the whole pass",
    "ignored": "a step with the cache does not depend on the positions before it",
    "reuse": "a second step from the same cache returns something else",
    "refused": "the module raises for the cache that it returned",
}


class NeutralCache(UniversalProbe):
    """Step by step with its cache, a module returns what it returns for the whole input.

    What: a forward that takes past keys and values or a state, and returns it. After a prefix, the other
    positions are given one by one with the cache of the step before: each output must be the one of the
    whole pass, and a second step from the same cache the same. Positions and masks are given in each way
    in which the signature takes them: it is enough that one of them holds.

    Why: text is generated with the cache and the model was trained without it. Where they differ, the loss
    is right and what is generated gets worse with each token.

    Quiet: a module whose outputs depend on later positions or on no earlier one, objects that the caller
    owns.

    Tickets: real code
    """

    contract = "cache-neutral"
    category = Category.CORRECTNESS
    severity = Severity.P1
    limits: ClassVar[Limits] = {
        "steps": within_rounding(MESSAGES["steps"]),
        "ignored": must_not_occur(MESSAGES["ignored"]),
        "reuse": within_rounding(MESSAGES["reuse"]),
        "refused": must_not_occur(MESSAGES["refused"]),
    }

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Compare the steps with the whole pass, at birth and with parameters drawn anew."""
        subject = _stepwise(subject, state)
        run = precise_run(subject, state)
        for weights in DRAWS:
            redraw(run.module, weights)
            for detector, value, way in _measured(subject, run):
                yield Reading(detector, value, {"way": way, "draw": weights})

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that compares the steps with the whole pass."""
        subject = _stepwise(subject, BIRTH)
        run = precise_run(subject, BIRTH)
        redraw(run.module, int(witness["draw"]))
        way = next(islice(cached_calls(subject, run), int(witness["way"]), None))
        names = recipe_text(way.subject.recipe).names
        specs = dict(zip(names, tensors_in(way.subject.recipe.call), strict=True))
        is_double = run.dtype is torch.float64
        message = MESSAGES[detector]
        body = [
            *(REDRAWING if witness["draw"] else []),
            *(f"{n} = {n}.double()" for n, s in specs.items() if s.is_floating and is_double),
            *stepwise_lines(way, is_second=detector == "reuse"),
            "is_same = got.shape == expected.shape and torch.allclose(got, expected, rtol=1e-4, atol=1e-5)",
            f'assert is_same, "{message}"',
        ]
        mode = "double().eval" if is_double else "eval"
        expects = "RuntimeError" if detector == "refused" else f"AssertionError: {message}"
        return program(way.subject.recipe, body, mode=mode), expects


def _stepwise(subject: Discovered, state: str) -> Discovered:
    """Return the subject, made causal where it has no steps otherwise."""
    if not takes_cache(subject) or next(cached_calls(subject, precise_run(subject, state)), None):
        return subject
    return with_causal_parts(subject) or subject


def _measured(subject: Discovered, run: PreciseRun) -> Iterator[tuple[str, float, int]]:
    """Yield detector, value and number of the way that comes closest to the whole pass."""
    read: list[tuple[bool, float, int]] = []
    unread: list[int] = []
    refused: list[int] = []
    for number, way in enumerate(islice(cached_calls(subject, run), MOST_WAYS)):
        try:
            is_read, difference = way.is_read(run), way.steps_gap(run)
        # What is no cache may be refused by any error.
        except FAILURES as error:
            if way.is_named and isinstance(error, RuntimeError) and SIZES.search(str(error)):
                refused.append(number)
            continue
        if is_read and difference <= 1.0:
            yield "steps", difference, number
            yield "reuse", way.reuse_gap(run), number
            return
        if is_read:
            read.append((way.is_whole, difference, number))
        elif not way.is_whole:
            unread.append(number)
    if read:
        yield "steps", *min(read)[1:]
    elif unread:
        yield "ignored", 1.0, unread[0]
    elif refused:
        yield "refused", 1.0, refused[0]
