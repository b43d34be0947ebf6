"""LibCST's names (`cst.Call`, ...), imported at first use: the import costs as much as ten bare interpreters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from libcst import *  # noqa: F403  # every name, for the type checker only
else:

    def __getattr__(name: str) -> object:
        import libcst

        value = vars(libcst)[name] if name in vars(libcst) else getattr(libcst, name)
        globals()[name] = value
        return value
