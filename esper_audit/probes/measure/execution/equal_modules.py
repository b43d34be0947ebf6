"""Two equal modules of a subject in a state, which the prerequisites of its other probes share."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.subject import Draw, Module, Subject

STREAM = 1  # not that of the factory


class EqualModules:
    """Two objects that the factory of a subject builds under one random seed, and their outputs so far.

    A probe hands them on to the next one of the same process, which then need not build them again.
    """

    _kept: ClassVar[EqualModules | None] = None

    def __init__(self, subject: Subject, state: str) -> None:
        self.subject, self.state = subject, state
        self.built: tuple[Any, Any] = subject.at(state), subject.at(state)
        self.outputs: list[Any] = []

    @classmethod
    def taken(cls, subject: Module, state: str, *, have_run: int) -> EqualModules:
        """Return those that the previous probe handed on if so many of them have run, else new ones."""
        kept, cls._kept = cls._kept, None
        if kept is None or kept.subject is not subject or kept.state != state:
            return cls(subject, state)
        return kept if len(kept.outputs) == have_run else cls(subject, state)

    def hand_on(self) -> None:
        """Keep these modules until the next probe takes them."""
        EqualModules._kept = self

    def run_next(self, subject: Module) -> object:
        """Return the output of the next module on the first declared inputs, under one random seed."""
        module = self.built[len(self.outputs)]
        seed_streams(STREAM)
        output: object = subject.call(module, subject.inputs(Draw(subject.dims[0])))
        self.outputs.append(output.detach().clone() if isinstance(output, Tensor) else output)
        return output
