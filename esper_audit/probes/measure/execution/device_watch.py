"""Watching the devices of the tensors of every call, while a module runs on the meta device."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from esper_audit.probes.measure.execution.raising_lines import lines_of_caller
from esper_audit.probes.measure.output_tree import named_tensors

# `module.to(device)` compares each tensor with its copy on the other device.
CONVERSIONS = re.compile(r"_has_compatible_shallow_copy_type")
# Functions that take the lengths or sizes of a packed sequence, which have to be on the CPU.
PACKED = re.compile(r"_pack_padded_sequence|_pad_packed_sequence|\.(gru|lstm|rnn_tanh|rnn_relu)$")


class DeviceWatch(TorchFunctionMode):
    """Records the first call that gets tensors of two devices, other than scalars.

    `stray` is the tensor on the other device, `lines` are those of the callers outside torch. `returned` is the path
    of an output on the other device.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device
        self.stray: Tensor | None = None
        self.function = ""
        self.lines = ""
        self.returned = ""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Look at the tensors of a call, then make it."""
        if self.stray is None:
            self._look(func, [*_tensors(args), *_tensors((kwargs or {}).values())])
        return func(*args, **(kwargs or {}))

    def look_at_outputs(self, outputs: object) -> None:
        """Note the first floating output with axes that lies on another device."""
        for path, tensor in named_tensors(outputs).items():
            is_value = tensor.dim() > 0 and tensor.is_floating_point()
            if is_value and tensor.device.type != self.device:
                self.returned = self.returned or path or "itself"

    def _look(self, func: Callable[..., Any], tensors: list[Tensor]) -> None:
        name = resolve_name(func) or func.__name__
        if PACKED.search(name):
            tensors = [t for t in tensors if t.is_floating_point()]
        others = [t for t in tensors if t.dim() and t.device.type != self.device]
        if not others or not any(t.device.type == self.device for t in tensors):
            return
        is_indexing = name.endswith(("__getitem__", "__setitem__"))
        if is_indexing and tensors[0].device.type == self.device:
            return  # an index, or a value to write, may lie on the CPU
        if func in (Tensor.to, Tensor.copy_, Tensor.type_as) or CONVERSIONS.search(name):
            return
        self.stray, self.function = others[0], name
        self.lines = lines_of_caller()


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def plain_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of plain attributes, also in lists and dictionaries, by dotted name."""
    for prefix, child in module.named_modules():
        registered = {"_parameters", "_buffers", "_modules"}
        for name, value in vars(child).items():
            if name in registered:
                continue
            path = f"{prefix}.{name}" if prefix else name
            if isinstance(value, Tensor):
                yield path, value
            elif isinstance(value, (list, tuple)):
                yield from (
                    (f"{path}[{n}]", t) for n, t in enumerate(value) if isinstance(t, Tensor)
                )
            elif isinstance(value, dict):
                yield from (
                    (f"{path}[{k!r}]", t) for k, t in value.items() if isinstance(t, Tensor)
                )
