"""Where caches live: outside every audited tree, so that no tree has to ignore them."""

from __future__ import annotations

import os

HOME_VARIABLE = "ESPER_AUDIT_CACHE"


def cache_home() -> str:
    """Return the directory of the caches: $ESPER_AUDIT_CACHE, else `esper-audit` in the user's cache."""
    own = os.environ.get(HOME_VARIABLE)
    if own:
        return own
    parent = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(parent, "esper-audit")
