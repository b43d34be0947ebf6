"""The probe `global-state`: building and calling a module leaves the settings of the process alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import ClassVar

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.execution.changing_line import changing_line
from esper_audit.probes.measure.execution.process_settings import (
    process_settings,
    restored_settings,
)
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur
from esper_audit.probes.recipes.materialise import import_name
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.shared_causes import LINE
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.universal import UniversalProbe

SEED, OTHER_SEED = 7, 8
OF_SEEDS = "random seed"  # the name of the setting

EXPRESSIONS = {
    "grad mode": "torch.is_grad_enabled()",
    "default dtype": "torch.get_default_dtype()",
    "autocast": "torch.is_autocast_enabled('cpu')",
    "threads": "torch.get_num_threads()",
    "deterministic algorithms": "torch.are_deterministic_algorithms_enabled()",
    "anomaly mode": "torch.is_anomaly_enabled()",
    "default device": "torch.get_default_device()",
    "random seed": "torch.initial_seed()",
}


class GlobalState(UniversalProbe):
    """Building and calling a module leaves the settings of the process as they were.

    What: grad mode, default dtype and device, autocast, threads, deterministic algorithms, the seed of the
    random stream and the warning filters are compared before and after a build and a call.

    Why: a constructor that seeds the random stream gives every later model the same weights and every run
    the same augmentation. A default dtype that stays changed reaches the whole program.

    Quiet: drawing random numbers, which initialisation needs. A constructor with an option for the seed is a
    property.

    Tickets: real code
    """

    contract = "global-state-untouched"
    category = Category.CORRECTNESS
    severity = Severity.P1
    limits: ClassVar[Limits] = {
        "build": must_not_occur("the constructor changes a setting of the process"),
        "call": must_not_occur("a call changes a setting of the process"),
    }

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Compare the settings before and after a build and a call."""
        yield Reading("build", *_change(subject.build))
        with restored_settings():
            module, call = subject.build(), subject.arguments_of_call()
        yield Reading("call", *_change(partial(module, *call[0], **call[1])))

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if the constructor has an option for the seed that it sets."""
        if detector != "build" or witness["setting"] != OF_SEEDS:
            return ""
        options = inspect.signature(import_name(subject.recipe.target)).parameters
        named = next((name for name in options if "seed" in name.lower()), "")
        return f"seeds the random stream by its option {named}" if named else ""

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that compares the setting."""
        name = str(witness["setting"])
        expression = EXPRESSIONS.get(name, "[str(f) for f in warnings.filters]")
        message = f"the {name} changed"
        step = "BUILD" if detector == "build" else "module(CALL)"
        body = [f"torch.manual_seed({SEED})", f"before = {expression}", step]
        body.append(f'assert before == {expression}, "{message}"')
        imports = ["import warnings"] if "warnings" in expression else []
        return program(subject.recipe, body, imports=imports), f"AssertionError: {message}"


def _change(action: Callable[[], object]) -> tuple[float, dict[str, Plain]]:
    """Return how many settings an action changes, and where it changes the first."""
    with restored_settings():
        seed_streams(SEED)
        before = process_settings()
        action()
        after = process_settings()
    changed = [name for name in before if before[name] != after[name]]
    if not changed:
        return 0.0, {}
    with restored_settings():
        seed_streams(OTHER_SEED)
        return float(len(changed)), {
            "setting": changed[0],
            LINE: changing_line(changed[0], action),
        }
