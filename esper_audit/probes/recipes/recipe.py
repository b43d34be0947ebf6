"""A recipe: the class, the arguments of its constructor, the arguments of a call, and its origin."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from esper_audit.findings.coverage import RecipeOrigin
from esper_audit.probes.recipes.values import (
    Arguments,
    CallSpec,
    TensorSpec,
    is_drawn,
    leaves_of,
    map_arguments,
)


@dataclass(frozen=True)
class BatchAxis:
    """The axis of the inputs along which samples lie, and their number."""

    axis: int
    size: int


@dataclass(frozen=True)
class Recipe:
    """How to build and call a module class `package.module:Class`.

    `batch` is the axis that the
    output follows; None if there is none. `is_function` is set where the target is a function of tensors.
    """

    target: str
    build: Arguments = field(default_factory=Arguments)
    call: Arguments = field(default_factory=Arguments)
    origin: RecipeOrigin = RecipeOrigin.GUESSED
    batch: BatchAxis | None = None
    is_function: bool = False

    @property
    def class_name(self) -> str:
        """The name of the class without its module."""
        return self.target.partition(":")[2]

    @property
    def module_name(self) -> str:
        """The dotted name of the module that defines the class."""
        return self.target.partition(":")[0]

    @property
    def dotted_name(self) -> str:
        """The dotted name of the class."""
        return self.target.replace(":", ".")

    @property
    def is_guessed(self) -> bool:
        """Return whether the arguments of the call are guesses, neither written nor recorded."""
        return self.origin in {RecipeOrigin.GUESSED, RecipeOrigin.DEFAULT}

    def resized(self, axis: int, size: int, new: int) -> Recipe:
        """Return the recipe with each tensor of this size along an axis made longer or shorter."""

        def change(spec: TensorSpec) -> TensorSpec:
            if len(spec.shape) <= axis or spec.shape[axis] != size:
                return spec
            shape = (*spec.shape[:axis], new, *spec.shape[axis + 1 :])
            return replace(spec, shape=shape)

        return replace(self, call=map_arguments(self.call, change))

    def has_tensors(self) -> bool:
        """Return whether the call has a tensor, or an object that is made of one."""
        return any(map(is_drawn, leaves_of(self.call)))

    def has_drawn_objects(self) -> bool:
        """Return whether the call has an object that is made of a tensor, such as a distribution."""
        return any(is_drawn(leaf) for leaf in leaves_of(self.call) if isinstance(leaf, CallSpec))
