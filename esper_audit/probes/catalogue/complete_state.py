"""The probe `complete-state`: the state dict holds all that the output depends on."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from torch import nn

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.execution.unequal_attribute import unequal_attribute
from esper_audit.probes.measure.output_tree import DIFFERENT, cloned, differs, first_difference
from esper_audit.probes.measure.readings import Limits, Reading, must_not_occur
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.subject.attribute_setter import is_filled
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.universal import UniversalProbe
from esper_audit.text.phrases import quoted

ATTRIBUTE = "attribute"  # of a witness: what differs and is in no state dict
OTHER_STREAM = 2
OTHER_SEED = 1  # with the same seed a fresh module would be equal without loading


class CompleteState(UniversalProbe):
    """A fresh module that loads the state dict gives the same output.

    What: the probe builds a module, calls it once, saves its state dict, and loads it strictly, with
    `weights_only=True`, into a module that was built under another random seed. In eval mode both must
    give the same output in every bit. A deep copy must, too. The attribute is named that differs and is in no
    state dict.

    Why: wires drawn at random and kept as a plain attribute, a table made in the first call, or a list of
    layers that is not registered are lost without an error. The loaded model is another model.

    Quiet: only behaviour is compared, so that what can be computed again is no loss. A module whose output
    is random in eval mode cannot be compared. A parameter that takes the shape of a guessed input is a
    property, and so is a buffer that is not saved on purpose and that a method fills, such as a queue.

    Tickets: real code
    """

    contract = "state-dict-complete"
    category = Category.CORRECTNESS
    severity = Severity.P0
    limits: ClassVar[Limits] = {
        "not-plain": must_not_occur("the state dict contains more than tensors and plain types"),
        "refused": must_not_occur("a fresh module refuses the state dict"),
        "output": must_not_occur("a fresh module that loaded the state dict gives another output"),
        "copy": must_not_occur("a deep copy gives another output"),
    }

    def measure(self, subject: Discovered, state: str) -> Iterator[Reading]:
        """Save, load into a fresh module, and compare."""
        saved: nn.Module = subject.at(state)
        call = subject.arguments_of_call
        first = cloned(subject.evaluate(saved, call()))
        if differs(first, cloned(subject.evaluate(saved, call(), stream=1))):
            return
        file = io.BytesIO()
        torch.save(saved.state_dict(), file)
        file.seek(0)
        try:
            loaded_state = torch.load(file, weights_only=True)
        except pickle.UnpicklingError as error:
            yield Reading("not-plain", 1.0, {"error": quoted(str(error))})
            return
        fresh: nn.Module = subject.at(state, seed=OTHER_SEED)
        try:
            fresh.load_state_dict(loaded_state)
        # A module may refuse a state dict by any error.
        except FAILURES as error:
            yield Reading("refused", 1.0, {"error": quoted(f"{type(error).__name__}: {error}")})
            return
        path = first_difference(first, cloned(subject.evaluate(fresh, call(), OTHER_STREAM)))
        lost = {ATTRIBUTE: unequal_attribute(saved, fresh), DIFFERENT: path} if path else {}
        yield Reading("output", float(bool(path)), {**lost})
        yield from self._copied(subject, saved, first)

    @staticmethod
    def _copied(subject: Discovered, saved: nn.Module, first: object) -> Iterator[Reading]:
        try:
            seed_streams(OTHER_SEED)
            twin = copy.deepcopy(saved)
        # What cannot be copied at all is an opinion about `deepcopy`, not a lost state.
        except FAILURES:
            return
        path = first_difference(first, cloned(subject.evaluate(twin, subject.arguments_of_call())))
        yield Reading("copy", float(bool(path)), {DIFFERENT: path} if path else {})

    def by_design(self, subject: Discovered, detector: str, witness: Mapping[str, Plain]) -> str:
        """Return the reason if a parameter takes the shape of a guessed input, or what is lost is a queue."""
        if detector == "output" and (name := _queue(subject.build(), str(witness[ATTRIBUTE]))):
            return f"{name} is not saved on purpose, and later calls write it again"
        if detector != "refused" or not subject.recipe.is_guessed:
            return ""
        module = subject.build()
        before = {name: parameter.shape for name, parameter in module.named_parameters()}
        subject.evaluate(module, subject.arguments_of_call())
        after = module.named_parameters()
        name = next((n for n, p in after if before.get(n, p.shape) != p.shape), "")
        return f"{name} takes the shape of the input, which is a guess" if name else ""

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that loads the state dict into a fresh module."""
        path = str(witness.get(DIFFERENT, "")).removeprefix("output")
        message = self.limits[detector].sentence
        if detector == "copy":
            other = [f"torch.manual_seed({OTHER_SEED})", "other = copy.deepcopy(module)"]
        else:
            other = [
                f"torch.manual_seed({OTHER_SEED})",
                "other = BUILD.eval()",
                "other.load_state_dict(module.state_dict())",
            ]
        compared = f'assert torch.equal(first{path}, second{path}), "{message}"'
        body = ["with torch.no_grad():", "    first = module(CALL)", *other]
        body += ["with torch.no_grad():", "    second = other(CALL)", compared]
        if detector == "not-plain":
            body = ['torch.save(module.state_dict(), "state.pt")']
            body += ['torch.load("state.pt", weights_only=True)']
            return program(subject.recipe, body), "_pickle.UnpicklingError"
        imports = ["import copy"] if detector == "copy" else []
        text = program(subject.recipe, body, imports=imports)
        expected = str(witness["error"]).split(":")[0] if detector == "refused" else ""
        return text, expected or f"AssertionError: {message}"


def _queue(module: nn.Module, name: str) -> str:
    """Return the name of a buffer that is not saved on purpose if methods of its owner write it, else empty."""
    path, _, buffer = name.rpartition(".")
    owner = module.get_submodule(path)
    is_unsaved = buffer in vars(owner)["_non_persistent_buffers_set"]
    return name if is_unsaved and is_filled(type(owner), buffer) else ""
