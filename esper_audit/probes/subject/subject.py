"""What may be probed: subjects, how to build and call them, their states, and what they promise.

A subject is declared by its owner, in a Python file of his own that the configuration names. Nothing
is guessed: what is not promised is not probed. Importing this file does not import torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from esper_audit.findings.errors import EsperAuditError
from esper_audit.findings.probe_record import Plain

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

BIRTH = "birth"
PlainValue = Plain | tuple[Plain, ...]
State = Callable[[Any], object]


class SubjectError(EsperAuditError):
    """A subject, or the file that declares it, is not what it should be."""


@dataclass(frozen=True)
class Promise:
    """That a probe's contract holds of a subject; `parameters` are those of the probe, checked.

    `in_states` are the states in which it holds; empty means every state that the subject declares.
    """

    probe: str
    version: int = 1
    parameters: Mapping[str, PlainValue] = field(default_factory=dict)
    in_states: tuple[str, ...] = ()


def promise(probe: str, *, in_states: tuple[str, ...] = (), **parameters: PlainValue) -> Promise:
    """Return the promise that `probe` finds its contract kept, in version 1 of the probe."""
    return Promise(probe, 1, parameters, in_states)


@dataclass(frozen=True)
class Draw:
    """Which inputs are wanted. `dtype` is for features; ids stay integers. The same draw, the same values."""

    dim: int
    batch: int = 2
    length: int = 8
    seed: int = 0
    dtype: torch.dtype | None = None

    def generator(self) -> torch.Generator:
        """Return a random stream of this draw's own."""
        import torch

        return torch.Generator().manual_seed(self.seed)


def as_born(_built: object) -> None:
    """Leave what was built as it is: the state `birth`."""


def applied(module: Any, inputs: Tensor) -> Tensor:
    """Call a module with its inputs alone."""
    outputs: Tensor = module(inputs)
    return outputs


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A live thing under a name. `build` is a factory: each call makes another one.

    `states` are reached from birth through the subject's public interface: each is a function that is
    given what was built. `about` is the class or function whose promise it is, where that is not what
    `build` makes: findings point there. `source` is the file and function it came from, set when it is
    loaded.
    """

    name: str
    build: Callable[..., Any]
    promises: Sequence[Promise] = ()
    states: Mapping[str, State] = field(default_factory=lambda: {BIRTH: as_born})
    about: Callable[..., object] | None = None
    source: str = ""

    def arguments(self) -> tuple[int, ...]:
        """Return what `build` is given: nothing, or a width."""
        return ()

    def at(self, state: str, *arguments: int, seed: int = 0) -> Any:
        """Return a new one in a state, built from a random seed; its width is the first declared."""
        from esper_audit.probes.subject.determinism import begin_streams

        begin_streams(seed)
        built = self.build(*(arguments or self.arguments()))
        self.states[state](built)
        return built


@dataclass(frozen=True, kw_only=True)
class Module(Subject):
    """An `nn.Module`: `build(dim)` makes one of a width, `inputs(draw)` what it is fed.

    `dims` are the widths at which it can be built. A module that is fed ids says, by `embedding`,
    which of its modules turns them into features: gradients are taken there. `advance(module)` is what
    its life consists of between two steps: a schedule's step, an epoch.
    """

    inputs: Callable[[Draw], Tensor]
    call: Callable[[Any, Tensor], Tensor] = applied
    dims: tuple[int, ...] = (16,)
    embedding: Callable[[Any], nn.Module] | None = None
    advance: Callable[[Any], object] = as_born

    def arguments(self) -> tuple[int, ...]:
        """Return the first declared width."""
        return self.dims[:1]


@dataclass(frozen=True, kw_only=True)
class Blend(Module):
    """A host, a seed and what joins them, in one module.

    `features(whole, inputs)` runs the host up to the joint, `blend(whole, features)` is the joint.
    `direct(whole, features)` is the same with everything that comes from the seed held still (computed
    from detached features, and detached): what remains is all that the host may feel. `host(whole)` and
    `seed(whole)` are the modules whose parameters belong to either, `seed_output(whole, features)` is what
    the seed makes of features. Where `operator` is given it must refuse to run without its parameter
    `required`, which `omitting(operator)` tries.
    """

    features: Callable[[Any, Tensor], Tensor]
    blend: Callable[[Any, Tensor], Tensor]
    direct: Callable[[Any, Tensor], Tensor]
    host: Callable[[Any], Sequence[nn.Module]]
    seed: Callable[[Any], Sequence[nn.Module]]
    seed_output: Callable[[Any, Tensor], Tensor] | None = None
    operator: Callable[..., object] | None = None
    required: str = "seed_input"
    omitting: Callable[[Callable[..., object]], object] | None = None


def state_of(module: Any) -> object:
    """Return a module's `state_dict`."""
    return module.state_dict()


def restored(module: Any, state: Any) -> None:
    """Load a `state_dict`, strictly."""
    module.load_state_dict(state)


@dataclass(frozen=True, kw_only=True)
class Checkpointed(Module):
    """A module that is saved and loaded: into what `fresh(dim)` makes, if that is not `build`."""

    fresh: Callable[[int], Any] | None = None
    save: Callable[[Any], object] = state_of
    load: Callable[[Any, Any], object] = restored


Estimate = Callable[[int], float]
BlendFunction = Callable[..., "Tensor"]


@dataclass(frozen=True, kw_only=True)
class Blueprint(Module):
    """A recipe for seeds: a module that maps features to features of the same shape.

    `estimate(dim)` is what its registry says of its size. `blends`, by name, take (host features,
    seed output, seed input, alpha) and are what it will be joined with.
    """

    estimate: Estimate | None = None
    blends: Mapping[str, BlendFunction] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Catalogue(Subject):
    """Blueprints that are compared by cost: `build()` returns (factory, estimate) by name."""

    build: Callable[[], Mapping[str, tuple[Callable[[int], nn.Module], Estimate]]]


def names_of(subjects: Sequence[Subject]) -> Iterator[str]:
    """Yield the names; one that stands twice is a SubjectError."""
    seen: set[str] = set()
    for subject in subjects:
        if subject.name in seen:
            raise SubjectError(
                f"subject {subject.name!r} is declared twice; give one another name: ids are made of it"
            )
        seen.add(subject.name)
        yield subject.name
