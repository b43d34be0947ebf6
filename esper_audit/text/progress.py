"""The callback by which long operations report their progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

# Called with the number of items done and the number of all items.
Progress: TypeAlias = Callable[[int, int], None]
