"""Public bugs of names and conditions in other words, with their repaired twins."""

from __future__ import annotations

import pytest
from support.marked_bugs import MarkedBug, reported

RULES = frozenset({"redundant-condition", "unknown-attribute", "unknown-keyword"})

BUGS = (
    MarkedBug(
        "a flag of a head that is on whatever a caller passes",
        """
        from torch import nn

        class Classifier(nn.Module):
            def __init__(self, width: int, *, normalise: bool = False) -> None:
                super().__init__()
                self.norm = nn.LayerNorm(width) if normalise is not None else nn.Identity()  # bug: redundant-condition
        """,
        """
        from torch import nn

        class Classifier(nn.Module):
            def __init__(self, width: int, *, normalise: bool = False) -> None:
                super().__init__()
                self.norm = nn.LayerNorm(width) if normalise else nn.Identity()
        """,
    ),
    MarkedBug(
        "a flag that a function tests for None",
        """
        def batches(rows, size, shuffle: bool = True):
            if shuffle is None:  # bug: redundant-condition
                order = range(len(rows))
            else:
                order = permuted(len(rows))
            return [rows[i] for i in order]
        """,
        """
        def batches(rows, size, shuffle: bool = True):
            if not shuffle:
                order = range(len(rows))
            else:
                order = permuted(len(rows))
            return [rows[i] for i in order]
        """,
    ),
    MarkedBug(
        "a schedule that steps only with a metric",
        """
        class Schedule:
            def advance(self, metric=None):
                if metric is not None:
                    self.best = min(self.best, metric)
                    if metric is not None and self.patience == 0:  # bug: redundant-condition
                        self.lower()
                else:
                    self.lower()
        """,
        """
        class Schedule:
            def advance(self, metric=None):
                if metric is not None:
                    self.best = min(self.best, metric)
                if metric is None or self.patience == 0:
                    self.lower()
        """,
    ),
    MarkedBug(
        "a counter that starts the statistics",
        """
        class Observations:
            def __init__(self):
                self.seen, self.mean = 0, None

            def add(self, batch):
                self.seen += 1
                if self.seen == 0:  # bug: redundant-condition
                    self.mean = batch.mean(0)
                else:
                    self.mean = self.mean + (batch.mean(0) - self.mean) / self.seen
        """,
        """
        class Observations:
            def __init__(self):
                self.seen, self.mean = 0, None

            def add(self, batch):
                self.seen += 1
                if self.seen == 1:
                    self.mean = batch.mean(0)
                else:
                    self.mean = self.mean + (batch.mean(0) - self.mean) / self.seen
        """,
    ),
    MarkedBug(
        "letters of an attribute that are exchanged",
        """
        from torch import nn

        class Upsample(nn.Module):
            def __init__(self, width, spatial_factor):
                super().__init__()
                self.spatial_factor = spatial_factor
                self.conv = nn.Conv2d(width, width, 3, padding=1)

            def forward(self, x):
                return self.conv(x.repeat_interleave(self.spatail_factor, -1))  # bug: unknown-attribute
        """,
        """
        from torch import nn

        class Upsample(nn.Module):
            def __init__(self, width, spatial_factor):
                super().__init__()
                self.spatial_factor = spatial_factor
                self.conv = nn.Conv2d(width, width, 3, padding=1)

            def forward(self, x):
                return self.conv(x.repeat_interleave(self.spatial_factor, -1))
        """,
    ),
    MarkedBug(
        "an attribute of a base of the file, one call away from the forward",
        """
        import torch

        class Base(torch.nn.Module):
            def __init__(self, width):
                super().__init__()
                self.width = width
                self.register_buffer("temperature", torch.ones(()))

        class Encoder(Base):
            def __init__(self, width):
                super().__init__(width)
                self.body = torch.nn.Linear(width, width)

            def forward(self, x):
                return self._scaled(self.body(x))

            def _scaled(self, x):
                return x * self.temprature  # bug: unknown-attribute
        """,
        """
        import torch

        class Base(torch.nn.Module):
            def __init__(self, width):
                super().__init__()
                self.width = width
                self.register_buffer("temperature", torch.ones(()))

        class Encoder(Base):
            def __init__(self, width):
                super().__init__(width)
                self.body = torch.nn.Linear(width, width)

            def forward(self, x):
                return self._scaled(self.body(x))

            def _scaled(self, x):
                return x * self.temperature
        """,
    ),
    MarkedBug(
        "letters of a flag that are exchanged in a call",
        """
        import torch.nn.functional as F

        def attend(q, k, v):
            return F.scaled_dot_product_attention(q, k, v, is_casual=True)  # bug: unknown-keyword
        """,
        """
        import torch.nn.functional as F

        def attend(q, k, v):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        """,
    ),
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_reported_at_its_line(bug: MarkedBug) -> None:
    assert bug.expected
    assert reported(bug.code, RULES) == bug.expected


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_repaired_file_is_quiet(bug: MarkedBug) -> None:
    assert reported(bug.repaired, RULES) == []
