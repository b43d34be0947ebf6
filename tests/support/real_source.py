"""Real source files: those of this project and a fixed sample of the standard library."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import esper_audit

PACKAGE = Path(esper_audit.__file__).parent
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
LARGEST = 80_000


def own_modules() -> list[Path]:
    """Return the modules of `esper_audit`, in order."""
    found = sorted(PACKAGE.rglob("*.py"))
    assert len(found) > 100, f"{PACKAGE}: {len(found)} modules"
    return found


def library_modules(count: int) -> list[Path]:
    """Return `count` modules of the standard library, spread evenly over their names, tests left out."""
    found = [
        path
        for path in sorted(STANDARD_LIBRARY.rglob("*.py"))
        if not {"site-packages", "test", "tests", "lib2to3", "idlelib"} & set(path.parts)
        and 0 < path.stat().st_size < LARGEST
    ]
    assert len(found) >= count, f"{STANDARD_LIBRARY}: {len(found)} modules"
    return found[:: len(found) // count][:count]
