"""Whether the values of the tensors of a call reach its output, followed through every operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, UntypedStorage
from torch.distributions import Distribution
from torch.utils._python_dispatch import TorchDispatchMode

from esper_audit.probes.measure.output_tree import parts_of, tensors_of

# Operations that read the shape, dtype and device of a tensor, and none of its values.
OF_THE_SHAPE = (
    *(f"{made}_like" for made in ("zeros", "ones", "full", "empty", "rand", "randn", "randint")),
    *(f"new_{made}" for made in ("zeros", "ones", "full", "empty", "empty_strided")),
)


def has_value_flow(given: Any, call: Callable[[], Any]) -> bool:
    """Return whether values of a tree of arguments may reach the output of a call, or decide in it."""
    if not _is_followed(given):
        return True
    flow = _ValueFlow(tensors_of(given))
    with flow:
        outputs = tensors_of(call())  # computes what is lazy
    return flow.is_decided or any(map(flow.has_reached, outputs))


def _is_followed(tree: Any) -> bool:
    """Return whether all tensors in a tree are known, unlike those in an object of another kind."""
    if isinstance(tree, (Tensor, bool, int, float, str, type(None), torch.dtype, torch.device)):
        return True
    if isinstance(tree, (list, tuple, Mapping, Distribution)):
        return all(_is_followed(item) for _, item in parts_of(tree))
    return False


class _ValueFlow(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    """Follows the values of tensors from storage to storage."""

    def __init__(self, given: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own
        self._reached: dict[int, UntypedStorage] = {}  # kept, so that no address is used again
        self.is_decided = False
        for tensor in given:
            self._reach(tensor)

    def has_reached(self, tensor: Tensor) -> bool:
        """Return whether a tensor holds what was computed of the values."""
        return tensor.untyped_storage()._cdata in self._reached  # noqa: SLF001 - its identity

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call an operation, and note its output if values reach it."""
        output = function(*args, **(kwargs or {}))
        name = str(function.overloadpacket.__name__)
        read = tensors_of((args, kwargs or {}))
        if name not in OF_THE_SHAPE and any(map(self.has_reached, read)):
            for leaf in output if isinstance(output, (list, tuple)) else [output]:
                if isinstance(leaf, Tensor):
                    self._reach(leaf)
                else:  # a number that the program may branch on
                    self.is_decided = True
        return output

    def _reach(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        self._reached[storage._cdata] = storage  # noqa: SLF001 - its identity
