"""Which classes collect their subclasses, asked once for each class however many derive from it."""

from __future__ import annotations

from pathlib import Path

from support.audit_runs import write

from esper_audit.project.config import Project, find_project
from esper_audit.source.index.index import open_index
from esper_audit.source.usage.subclass_collectors import SubclassCollectors
from esper_audit.source.usage.tree import Tree

CLASSES = """
class Searched: ...
class Checked: ...
class Hooked:
    def __init_subclass__(cls): ...
class Plain: ...

print(Searched.__subclasses__(), Plain)
known = issubclass(int, Checked)
"""


def test_the_uses_of_a_class_are_read_once(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": "", "a.py": CLASSES})
    project = Project(str(tmp_path), find_project([str(tmp_path)]).config)
    tree = Tree(project.root, open_index(project, cache=False))
    lines = []
    collectors = SubclassCollectors(
        tree.index, lambda place: lines.append(place.line) or tree.line(place)
    )
    names = ("Searched", "Checked", "Hooked", "Plain")
    answers = [
        [name for name in names if collectors.is_collecting(f"a.py:{name}")] for _ in range(3)
    ]
    assert answers == [["Searched", "Checked", "Hooked"]] * 3
    assert lines == [9, 8]
