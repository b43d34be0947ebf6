"""The operation in whose derivative a gradient first stops being finite, and its line in the source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from esper_audit.probes.measure.execution.raising_lines import own_lines
from esper_audit.probes.measure.output_tree import tensors_of
from esper_audit.probes.measure.parameters.gradients import backward

FRAME = re.compile(r'File "(?P<path>[^"]+)", line (?P<line>\d+)')


@dataclass(frozen=True)
class GradientOrigin:
    """An operation such as `sqrt`, and the lines on the way to it, such as `package/file.py:12 > package/part.py:3`."""

    operation: str
    line: str


def weighted_sum(outputs: Iterable[Tensor]) -> Tensor:
    """Return the sum of the outputs, each element by a weight of its own."""
    weighted = [
        t * torch.linspace(0.5, 1.5, t.numel(), dtype=t.dtype).view(t.shape) for t in outputs
    ]
    return torch.stack([t.sum() for t in weighted]).sum()


def gradient_origin(run: Callable[[], Any]) -> GradientOrigin | None:
    """Return where the gradients of a call stop being finite, None if they never do."""
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        outputs = [t for t in tensors_of(run()) if t.requires_grad and t.is_floating_point()]
    found: list[GradientOrigin] = []
    for node in _nodes(outputs):
        node.register_hook(_recorder(node, found))
    backward(weighted_sum(outputs))
    return found[0] if found else None


def _nodes(outputs: list[Tensor]) -> list[Node]:
    """Return the operations of a graph, each once."""
    found: dict[Node, None] = {}
    waiting = [t.grad_fn for t in outputs]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found[node] = None
            waiting += [before for before, _ in node.next_functions]
    return list(found)


def _recorder(node: Node, found: list[GradientOrigin]) -> Callable[..., None]:
    """Return a hook that notes an operation that makes finite gradients infinite or NaN."""

    def note(behind: tuple[Tensor | None, ...], arrived: tuple[Tensor | None, ...]) -> None:
        if all(map(_is_finite, arrived)) and not all(map(_is_finite, behind)):
            found.append(GradientOrigin(_name_of(node), _lines_of(node)))

    return note


def _is_finite(gradient: Tensor | None) -> bool:
    return gradient is None or bool(gradient.isfinite().all())


def _name_of(node: Node) -> str:
    """Return `sqrt` for `SqrtBackward0`."""
    return re.sub(r"(Backward\d*)+$", "", node.name()).lower()


def _lines_of(node: Node) -> str:
    """Return the lines of the module's own code on the way to an operation."""
    text = "".join(node.metadata.get("traceback_", ()))  # type: ignore[attr-defined]  # it is a property
    return own_lines([(f["path"], int(f["line"])) for f in FRAME.finditer(text)])
