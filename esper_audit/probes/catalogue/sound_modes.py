"""The probe `sound-modes`: `train()` and `eval()` switch a module and all its children, and return it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from torch import nn

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.universal import UniversalProbe, documentation_of
from esper_audit.text.phrases import quoted

OWN_BY_DESIGN = (
    "frozen",
    "freeze",
    "always in eval",
    "norm_eval",
    "teacher",
    "ema",
    "stay in eval",
)
UNUSED = frozenset({"type"})  # `to` serves in its place, and nothing in torch calls it
# What a switch of its own says to a part of the module.
KEEPS_IN_EVAL = re.compile(r"\.eval\(\)|\.train\((mode=)?False\)")


class SoundModes(UniversalProbe):
    """`train()` and `eval()` switch a module and all its children, undo each other, and return the module.

    What: the probe calls both by the module's own methods and looks at `training` of every submodule. No
    attribute of an instance may have the name of a method of `nn.Module`.

    Why: `model.eval()(x)` fails where `eval` returns None. A child that a switch misses keeps dropping out
    in evaluation. `self.train = flag` makes every training loop raise.

    Quiet: a module that keeps frozen parts in eval mode, by its docstring, or in a `train` of its own; an
    attribute `type`, whose method nothing calls.

    Tickets: real code
    """

    contract = "modes-sound"
    category = Category.API_CONTRACT
    severity = Severity.P1
    limits: ClassVar[Limits] = {
        "shadowed": must_not_occur("an attribute shadows a method of nn.Module"),
        "raises": must_not_occur("a mode switch raises"),
        "returns": must_not_occur("a mode switch does not return the module"),
        "misses": must_not_occur("a mode switch does not reach a submodule"),
    }

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Switch to eval, train and eval."""
        module: nn.Module = subject.at(state)
        shadowed = [n for n in vars(module) if callable(vars(nn.Module).get(n)) and n != "forward"]
        shadowed = [n for n in shadowed if not callable(vars(module)[n]) and n not in UNUSED]
        where: dict[str, Plain] = {"attribute": shadowed[0]} if shadowed else {}
        yield Reading("shadowed", float(len(shadowed)), where)
        if shadowed:
            return
        for name in ("eval", "train", "eval"):
            try:
                returned = module.eval() if name == "eval" else module.train()
            # A switch is foreign code where it is overridden.
            except FAILURES as error:
                yield Reading(
                    "raises",
                    1.0,
                    {"switch": name, "error": quoted(str(error)), "type": type(error).__name__},
                )
                return
            yield Reading("returns", float(returned is not module), {"switch": name})
            missed = [n for n, m in module.named_modules() if m.training != (name == "train")]
            at: dict[str, Plain] = (
                {"switch": name, "submodule": missed[0] or "itself"} if missed else {}
            )
            yield Reading("misses", float(len(missed)), at)

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if a part stays in eval mode on purpose."""
        text = documentation_of(subject).lower()
        is_frozen = detector == "misses" and any(word in text for word in OWN_BY_DESIGN)
        if is_frozen:
            return "keeps a part in eval mode, by its docstring"
        is_kept = detector == "misses" and witness["switch"] == "train" and keeps_in_eval(subject)
        return "keeps a part in eval mode in its own `train`" if is_kept else ""

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that switches modes."""
        if detector == "shadowed":
            name = witness["attribute"]
            message = f"{name} is no method"
            body = [f'assert callable(module.{name}), "{message}"']
        elif detector == "raises":
            body = [f"module.{witness['switch']}()"]
            return program(subject.recipe, body, mode=""), str(witness["type"])
        elif detector == "returns":
            message = f"{witness['switch']}() does not return the module"
            body = [f'assert module.{witness["switch"]}() is module, "{message}"']
        else:
            wanted = witness["switch"] == "train"
            message = f"{witness['switch']}() does not reach every submodule"
            body = [
                "module.eval()",
                "module.train()",
                *([] if wanted else ["module.eval()"]),
                f'assert all(m.training is {wanted} for m in module.modules()), "{message}"',
            ]
        return program(subject.recipe, body, mode=""), f"AssertionError: {message}"


def keeps_in_eval(subject: Discovered) -> bool:
    """Return whether a class of a module has a `train` that sets a part to eval mode."""
    kinds = {type(part) for part in subject.build().modules()}
    switches = [kind.train for kind in kinds if kind.train is not nn.Module.train]
    try:
        return any(KEEPS_IN_EVAL.search(inspect.getsource(switch)) for switch in switches)
    except OSError:
        return False  # the code of a switch is in no file
