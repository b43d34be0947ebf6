"""A GroupNorm for any number of channels."""

from __future__ import annotations

from torch import nn

MOST_GROUPS = 8
# A group of one channel on a 1 x 1 picture is a single value, and normalises to zero for ever.
FEWEST_CHANNELS_IN_A_GROUP = 4


def group_norm(channels: int) -> nn.GroupNorm:
    """Return GroupNorm with the most groups, up to 8, that divide `channels` into 4 or more each.

    Widths that nothing divides, and widths below 8, get one group.
    """
    groups = (
        g
        for g in range(MOST_GROUPS, 1, -1)
        if channels % g == 0 and channels // g >= FEWEST_CHANNELS_IN_A_GROUP
    )
    return nn.GroupNorm(next(groups, 1), channels)
