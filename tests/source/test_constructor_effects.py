"""Which constructors may be noticed by somebody who never uses the object that they make."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import write

from esper_audit.project.config import find_project
from esper_audit.source.index.index import open_index
from esper_audit.source.index.values.value import Value
from esper_audit.source.usage.constructor_effects import ConstructorEffects
from esper_audit.source.usage.tree import Tree

INIT = "class A:\n    def __init__(self, x=None):\n        "
MODULE = (
    "from torch import nn\n\n\nclass A(nn.Module):\n    def __init__(self, x=None):\n"
    "        super().__init__()\n        "
)
QUIET = {
    "fields": "class A:\n    x: int = 0\n",
    "a dataclass": "from dataclasses import dataclass\n\n\n@dataclass\nclass A:\n    x: int = 0\n",
    "plain values": f"{INIT}self.x = [float(i) for i in range(3)]\n",
    "a method of its own": f"{INIT}self.fill()\n\n    def fill(self):\n        self.x = max(1, 2)\n",
    "an object of a quiet class": f"class B:\n    pass\n\n\n{INIT}self.b = B()\n",
    "a question about itself": f"{INIT}self.name = type(self).__name__\n",
    "tensors": f"import torch\n\n\n{INIT}self.x = torch.zeros(3)\n",
    "a module that sets up its parts": f"{MODULE}self.f = nn.Linear(2, 2)\n        init(self.f.weight)\n",
    "classes that make each other": (
        f"{INIT}self.b = B()\n\n\nclass B:\n    def __init__(self):\n        self.a = A()\n"
    ),
}
LOUD = {
    "waits for something": f"{INIT}with x:\n            self.x = 1\n",
    "writes a global": f"{INIT}global COUNT\n        COUNT = 1\n",
    "registers a hook": f"{MODULE}self.register_forward_hook(x)\n",
    "gives itself to a function": f"{MODULE}join(self)\n",
    "puts itself into a list": f"{MODULE}self.me = [self]\n",
    "stores itself in another": f"{MODULE}x.owner = self\n",
    "changes what it is given": f"{INIT}x.seen = True\n",
    "changes what it holds": f"{INIT}self.x = x\n        self.x.seen = True\n",
    "a metaclass": "class A(metaclass=Registry):\n    x = 1\n",
    "a decorator": "@register\nclass A:\n    x = 1\n",
    "a base outside": "import lib\n\n\nclass A(lib.Base):\n    x = 1\n",
    "a function that is not known": f"{INIT}self.x = connect()\n",
    "a method that is not known": f"{INIT}self.connect()\n",
    "a method of what it is given": f"{INIT}x.append(1)\n",
    "a finaliser": "class A:\n    def __del__(self):\n        stop()\n",
}


def constructors(root: Path, source: str) -> ConstructorEffects:
    write(root, {"a.py": source})
    index = open_index(find_project([str(root)]), paths=[str(root)], cache=False)
    index.prepare()
    return ConstructorEffects(Tree(str(root), index))


def is_effect_free(root: Path, source: str) -> bool:
    return constructors(root, source).is_effect_free(Value("class", "a.py:A"))


@pytest.mark.parametrize("source", QUIET.values(), ids=QUIET.keys())
def test_a_constructor_that_only_fills_its_object_is_quiet(tmp_path: Path, source: str) -> None:
    assert is_effect_free(tmp_path, source)


@pytest.mark.parametrize("source", LOUD.values(), ids=LOUD.keys())
def test_a_constructor_that_does_more_is_not(tmp_path: Path, source: str) -> None:
    assert not is_effect_free(tmp_path, source)


def test_a_class_that_makes_a_loud_one_is_loud_whichever_is_asked_first(tmp_path: Path) -> None:
    made = f"{INIT}self.b = B()\n        connect()\n\n\nclass B:\n    def __init__(self):\n        self.a = A()\n"
    asked = constructors(tmp_path, made)
    assert not asked.is_effect_free(Value("class", "a.py:A"))
    assert not asked.is_effect_free(Value("class", "a.py:B"))
