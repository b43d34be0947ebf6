"""The date that tickets, reviews and expiry dates are compared with."""

from __future__ import annotations

import time


def today() -> str:
    """Return the date in the user's time zone as YYYY-MM-DD."""
    return time.strftime("%Y-%m-%d")
