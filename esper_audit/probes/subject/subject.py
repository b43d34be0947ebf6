"""Subjects: how to build and call them, their states, and their promises.

Subjects are declared in a Python file that the configuration names. A contract that a subject does not
promise is not probed. Importing this module does not import torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    """A subject, a promise, or the file that declares them is invalid."""


@dataclass(frozen=True)
class Promise:
    """The promise that a subject keeps the contract of a probe.

    `parameters` are those of the probe. `in_states` are the states in which the contract holds; empty
    means every state that the subject declares.
    """

    probe: str
    version: int = 1
    parameters: Mapping[str, PlainValue] = field(default_factory=dict)
    in_states: tuple[str, ...] = ()


def promise(probe: str, *, in_states: tuple[str, ...] = (), **parameters: PlainValue) -> Promise:
    """Return the promise to keep the contract of `probe`, under these parameters of the probe."""
    return Promise(probe, 1, parameters, in_states)


@dataclass(frozen=True)
class Draw:
    """The size, seed and dtype of inputs.

    Equal draws give equal values.
    `dim` is the width, `length` the number of positions. `dtype` is that of features; ids stay integers.
    """

    dim: int
    batch: int = 2
    length: int = 8
    seed: int = 0
    dtype: torch.dtype | None = None

    def generator(self) -> torch.Generator:
        """Return a new generator with the seed of this draw."""
        import torch

        return torch.Generator().manual_seed(self.seed)


def as_born(_built: object) -> None:
    """Leave the built object unchanged: the state `birth`."""


def applied(module: Any, inputs: Tensor) -> Tensor:
    """Return the output of a module that takes its inputs as the only argument."""
    outputs: Tensor = module(inputs)
    return outputs


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A named object under test.

    Each call of `build` returns a new one.
    `states` maps a name to a function that leads a newly built object to that state through its public
    interface. `about` is the class or function that findings point to, if it is not the class of what
    `build` returns. `source` is the file and function that declares the subject, set by the loader.
    """

    name: str
    build: Callable[..., Any]
    promises: Sequence[Promise] = ()
    states: Mapping[str, State] = field(default_factory=lambda: {BIRTH: as_born})
    about: Callable[..., object] | None = None
    source: str = ""

    def arguments(self) -> tuple[int, ...]:
        """Return the default arguments of `build`: none, or a width."""
        return ()

    def at(self, state: str, *arguments: int, seed: int = 0) -> Any:
        """Return a new object in a state, built under a random seed.

        The default width is the first declared.
        """
        from esper_audit.probes.subject.determinism import seed_streams

        seed_streams(seed)
        built = self.build(*(arguments or self.arguments()))
        self.states[state](built)
        return built


@dataclass(frozen=True, kw_only=True)
class Module(Subject):
    """An `nn.Module`: `build(dim)` returns one of a width, `inputs(draw)` returns its inputs.

    `dims` are the widths at which it can be built. For a module whose inputs are ids, `embedding(module)`
    returns the submodule that turns them into features, where gradients are taken. `advance(module)` does
    what happens between two training steps, such as the step of a schedule.
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
    """A module that blends the output of a seed into the features of a host.

    `features(module, inputs)` runs the host up to the blend and `blend(module, features)` blends the seed
    in. `direct(module, features)` is the same with the seed's output detached, and computed from detached
    features: it has all the gradient that the host may receive. `host(module)` and `seed(module)` return
    the submodules that own the parameters of each. `seed_output(module, features)` is the output of the
    seed. If `operator` is given, it must require its parameter `required`, and `omitting(operator)` calls
    it without that.
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
    """Return the `state_dict` of a module."""
    return module.state_dict()


def load_state(module: Any, state: Any) -> None:
    """Load a `state_dict` with strict keys."""
    module.load_state_dict(state)


@dataclass(frozen=True, kw_only=True)
class Checkpointed(Module):
    """A module with a checkpoint.

    `save(module)` returns the checkpoint and `load(fresh, checkpoint)` loads it into `fresh(dim)`, or into
    `build(dim)` if `fresh` is None.
    """

    fresh: Callable[[int], Any] | None = None
    save: Callable[[Any], object] = state_of
    load: Callable[[Any, Any], object] = load_state


Estimate = Callable[[int], float]
BlendFunction = Callable[..., "Tensor"]


@dataclass(frozen=True, kw_only=True)
class Blueprint(Module):
    """A blueprint of seeds: a module that maps features to features of the same shape.

    `estimate(dim)` is the parameter count that its registry declares. `blends` maps a name to a function of
    (host features, seed output, seed input, alpha) that returns the blended features.
    """

    estimate: Estimate | None = None
    blends: Mapping[str, BlendFunction] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Catalogue(Subject):
    """Blueprints that are compared by size: `build()` maps a name to (factory, estimate).

    `dims` are the widths at which they can be built.
    """

    dims: tuple[int, ...] = (16,)

    build: Callable[[], Mapping[str, tuple[Callable[[int], nn.Module], Estimate]]]


def check_unique_names(subjects: Sequence[Subject]) -> None:
    """Raise SubjectError if two subjects have one name, since the ids of units contain it."""
    names: set[str] = set()
    for subject in subjects:
        if subject.name in names:
            source = f"{subject.source}: " if subject.source else ""
            raise SubjectError(
                f"{source}subject {subject.name!r} is declared twice. Rename one of them."
            )
        names.add(subject.name)
