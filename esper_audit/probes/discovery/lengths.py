"""Whether a module runs at one length only, because two tensors of its own do not match at others."""

from __future__ import annotations

from dataclasses import replace

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.discovery.calls.call_repair import UNEQUAL
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import tensors_in

AXIS = 1
SEQUENCE_RANKS = (2, 3)  # ids, and features


def length_problem(subject: Discovered) -> str:
    """Return that a shorter input raises for a mismatch of two tensors, empty if it does not."""
    tensors = tensors_in(subject.recipe.call)
    if not tensors or len(tensors[0].shape) not in SEQUENCE_RANKS:
        return ""
    size = tensors[0].shape[AXIS]
    if size < 4 or (len(tensors[0].shape) == 2 and tensors[0].is_floating):
        return ""
    shorter = subject.recipe.resized(AXIS, size, size // 2)
    other = replace(subject, recipe=shorter)
    try:
        other.evaluate(other.build(), other.arguments_of_call())
    # Only a mismatch of sizes is meant.
    except FAILURES as error:
        found = UNEQUAL.search(str(error))
        if found and str(size) in found.groups():
            return f"runs at length {size}, but not at length {size // 2}: {str(error).splitlines()[0]}"
    return ""
