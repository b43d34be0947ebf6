"""Real data that is there without a network: scikit-learn's digits, and the text in CPython."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from esper_ref.growth.extras import require_extra

if TYPE_CHECKING:
    from esper_ref.topology import Topology

WINDOW = 64  # characters a sample of text
JUDGING_WINDOWS = 64  # of the validation text, and as many of the test text
BRIGHTEST = 16.0  # a pixel of the digits is a count from 0 to 16
DIGITS_SHUFFLE = 20_240  # fixed: every random seed of a study has the same three splits


@dataclass(frozen=True)
class Split:
    """Samples and their targets.

    The first axis of both is the sample.
    """

    inputs: Tensor
    targets: Tensor

    def __getitem__(self, which: Tensor | slice) -> Split:
        """Return the samples at an index or a slice."""
        return Split(self.inputs[which], self.targets[which])

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.inputs)

    def to(self, device: torch.device) -> Split:
        """Return it on `device`."""
        return Split(self.inputs.to(device), self.targets.to(device))


@dataclass(frozen=True)
class RealData:
    """Three splits without overlap: to train on, for the gates to judge on, for the report.

    What is reported comes from a split that no gate has seen: seeds are kept *because* they score
    on the validation split, so a comparison there would favour growing.
    """

    title: str
    classes: int
    training: Split
    validation: Split
    test: Split

    def to(self, device: torch.device) -> RealData:
        """Return it on `device`."""
        splits = (split.to(device) for split in (self.training, self.validation, self.test))
        return RealData(self.title, self.classes, *splits)


def load_data(topology: Topology) -> RealData:
    """Return the data for a topology's host."""
    return load_digits() if topology == "cnn" else load_text()


def load_digits() -> RealData:
    """Return 1,797 handwritten digits: pictures (n, 1, 8, 8) in [0, 1] and their classes (n,)."""
    datasets = require_extra(
        "sklearn.datasets", "growing a CNN, which learns scikit-learn's digits,"
    )
    digits = datasets.load_digits()
    pictures = torch.tensor(digits.images, dtype=torch.float32)[:, None] / BRIGHTEST
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(DIGITS_SHUFFLE))
    samples = Split(pictures, torch.tensor(digits.target))[order]
    return RealData(
        title="handwritten digits, 8 x 8, 10 classes (scikit-learn)",
        classes=10,
        training=samples[:997],
        validation=samples[997:1397],
        test=samples[1397:],
    )


def load_text() -> RealData:
    """Return the language reference that CPython ships for `help()`, as windows of characters.

    Inputs (n, 64) are character ids, targets the characters that follow each. The splits are
    contiguous: the first 80 % to train on, then 10 % and 10 %.
    """
    topics: dict[str, str] = import_module("pydoc_data.topics").topics
    text = "\n".join(topics[name] for name in sorted(topics))
    alphabet = sorted(set(text))
    number = {character: i for i, character in enumerate(alphabet)}
    ids = torch.tensor([number[character] for character in text])
    first, second = int(0.8 * len(ids)), int(0.9 * len(ids))
    return RealData(
        title=f"the Python language reference, {len(alphabet)} characters (CPython's pydoc_data)",
        classes=len(alphabet),
        training=_windows(ids[:first]),
        validation=_some(_windows(ids[first:second])),
        test=_some(_windows(ids[second:])),
    )


def _windows(ids: Tensor) -> Split:
    count = (len(ids) - 1) // WINDOW
    inputs = ids[: count * WINDOW].view(count, WINDOW)  # (windows, characters)
    return Split(inputs, ids[1 : count * WINDOW + 1].view(count, WINDOW))


def _some(split: Split) -> Split:
    """Return `JUDGING_WINDOWS` windows, evenly spread."""
    return split[torch.linspace(0, len(split) - 1, JUDGING_WINDOWS).long()]
