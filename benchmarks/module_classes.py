"""Counts the concrete module classes of a package, independently of esper-audit, to compare its coverage with.

`python benchmarks/module_classes.py PACKAGE`
"""

import importlib
import inspect
import pkgutil
import sys

from torch import nn

package = importlib.import_module(sys.argv[1])
found = set()
paths = pkgutil.walk_packages(package.__path__, f"{sys.argv[1]}.", onerror=sys.stderr.write)
for name in [sys.argv[1], *(module.name for module in paths)]:
    try:
        members = vars(importlib.import_module(name)).values()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a package may need what is not installed
        print(f"{name}: {error}", file=sys.stderr)
        continue
    classes = [m for m in members if isinstance(m, type) and issubclass(m, nn.Module)]
    found |= {c for c in classes if c.__module__ == name and not inspect.isabstract(c)}
print(len(found))
