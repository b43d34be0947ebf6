"""The way of inputs through a host's segments and the modules between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esper_ref.host import input_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn

    from esper_ref.host import HostProtocol


class RoutedForward:
    """Runs a host segment by segment, with a module at some of its slots.

    A call takes what the host's forward takes. The first input becomes the features, and the
    others go to every segment as they are.
    """

    def __init__(self, host: nn.Module, slots: Iterable[str]) -> None:
        self.slots = tuple(slots)
        self.input_names = input_names(host)

    def __call__(
        self,
        host: HostProtocol,
        modules: nn.ModuleDict,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Tensor:
        """Map the host's inputs to its outputs. `modules` holds the module of each slot."""
        x, inputs = (args[0], {}) if len(args) == 1 and not kwargs else self._bind(args, kwargs)
        if not self.slots:
            return host.forward(x, **inputs)
        here = None
        for slot_id in self.slots:
            x = host.forward_to_segment(slot_id, x, from_segment=here, **inputs)
            x = modules[slot_id](x)  # the same shape: the features at the slot
            here = slot_id
        return host.forward_from_segment(self.slots[-1], x, **inputs)

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Return the first input of a call, and the others by name."""
        named = {**dict(zip(self.input_names, args, strict=False)), **kwargs}
        first = next(iter(self.input_names), "")
        if len(named) < len(args) + len(kwargs) or first not in named:
            raise TypeError(
                f"got {len(args)} positional inputs and {sorted(kwargs)}, expected "
                f"{', '.join(self.input_names)}, each once"
            )
        return named.pop(first), named
