"""Which parameters a call gives a gradient, and which of the others another call would reach."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Sequence, Set

import torch
from torch import nn

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.measure.output_tree import tensors_of
from esper_audit.probes.measure.parameters.gradients import backward
from esper_audit.probes.measure.parameters.other_calls import attributes_set, other_calls
from esper_audit.probes.measure.parameters.part_lists import in_chosen_lists, under_other_keys
from esper_audit.probes.recipes.materialise import CallArguments
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.turned_options import turned_options
from esper_audit.probes.subject.modes import switch_mode

MOST_TRIALS = 40
MOST_OPTIONS = 16
MOST_SECONDS = 1.5  # of processor time for all other calls of a class


def reached_by(
    subject: Discovered, module: nn.Module, call: CallArguments, stream: int = 0
) -> frozenset[str] | None:
    """Return the names of the parameters that a call gives a gradient, None if no output has one."""
    for parameter in module.parameters():
        parameter.grad = None
    outputs = tensors_of(subject.run(module, call, stream))
    live = [t for t in outputs if t.requires_grad and t.numel()]
    if not live:
        return None
    backward(torch.stack([(t * torch.rand_like(t)).sum().abs() for t in live]).sum())
    return frozenset(name for name, p in module.named_parameters() if p.grad is not None)


def reached_elsewhere(
    subject: Discovered, module: nn.Module, first: Set[str], missed: Sequence[str]
) -> dict[str, str]:
    """Return of the parameters that a first call misses those that another call reaches, with the reason.

    What is in a list of equal parts and in none of the calls counts too where the calls choose other parts.
    """
    start, found = time.process_time(), dict[str, str]()
    chosen: list[Set[str]] = [first]
    for trial in itertools.islice(other_calls(subject, module), MOST_TRIALS):
        if len(found) == len(missed) or time.process_time() - start > MOST_SECONDS:
            break
        try:
            with attributes_set(module, trial.attributes):
                reached = reached_by(subject, module, trial.call, trial.stream) or frozenset()
        # A value that the module refuses is no value of it.
        except FAILURES:
            continue
        found = {name: trial.reason for name in missed if name in reached} | found
        if reached and not trial.stream:  # chance chooses among parts that code leaves out, too
            chosen.append(reached)
    if len(found) < len(missed):
        found = reached_by_options(subject, missed) | found
    unchosen = in_chosen_lists(module, chosen)
    by_key = under_other_keys(module, subject.arguments_of_call())
    return {
        **{name: "by another key of the call" for name in missed if name in by_key},
        **{name: "where its list chooses it" for name in missed if name in unchosen},
        **found,
    }


def reached_by_options(subject: Discovered, missed: Sequence[str]) -> dict[str, str]:
    """Return of some parameters those that a call reaches if an option of the constructor is turned."""
    found: dict[str, str] = {}
    for option, other in turned_options(subject, MOST_OPTIONS).items():
        # What an option refuses, or wants beside it, is no other way to reach a parameter.
        with contextlib.suppress(*FAILURES):
            module = switch_mode(other.build(), training=True)
            reached = reached_by(other, module, other.arguments_of_call()) or frozenset()
            found = {name: f"with {option}" for name in missed if name in reached} | found
    return found
