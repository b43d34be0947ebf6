"""What a name or attribute refers to: through imports, through types, else by name and marked so."""

from __future__ import annotations

import pytest
from support.small_indexes import calls, index_of, the, uses

BLOCK = "class Block:\n    def run(self, x):\n        return x\n"
OTHER = "class Other:\n    def run(self, x):\n        return x\n"


def test_a_method_of_another_class_is_no_reference() -> None:
    index = index_of({"a.py": BLOCK, "b.py": f"{OTHER}\ndef f(o: Other):\n    o.run(1)\n"})
    assert calls(index, "a.Block.run") == []
    assert calls(index, "b.Other.run") == ["b.py:6 method"]


@pytest.mark.parametrize(
    "receiver",
    ["'text'", "[1]", "torch.zeros(3)", "np.array(1)", "json.loads(t)", "x.shape", "open(t)"],
)
def test_what_belongs_to_code_outside_is_no_reference(receiver: str) -> None:
    user = "import json\nimport numpy as np\nimport torch\n\n\n"
    user += f"def f(t: str, x: torch.Tensor):\n    {receiver}.run(1)\n"
    assert calls(index_of({"a.py": BLOCK, "b.py": user}), "Block.run") == []


def test_a_local_name_is_no_reference_to_a_function_of_that_name() -> None:
    files = {
        "a.py": "def loss(x):\n    return x\n",
        "b.py": "from a import loss\n\n\ndef f(loss):\n    return loss(1)\n",
        "c.py": "from a import loss\n\n\ndef f(xs):\n    return [loss(1) for loss in xs]\n",
        "d.py": "from a import loss\n\n\ndef f():\n    return lambda loss: loss(1)\n",
    }
    assert calls(index_of(files), "a.loss") == []


def test_a_module_of_the_standard_library_is_not_a_file_of_that_name_elsewhere() -> None:
    files = {"tools/json.py": "def loads(t): ...\n", "m.py": "import json\n\njson.loads('')\n"}
    assert calls(index_of(files), "tools/json.py:loads") == []


IMPORTS = {
    "from an import": "from pkg.a import f\n\nf(1)\n",
    "under another name": "from pkg.a import f as g\n\ng(1)\n",
    "through its module": "import pkg.a\n\npkg.a.f(1)\n",
    "through its module under another name": "import pkg.a as m\n\nm.f(1)\n",
    "through its package": "from pkg import a\n\na.f(1)\n",
    "re-exported": "from pkg import f\n\nf(1)\n",
    "re-exported under another name": "from pkg import public_f\n\npublic_f(1)\n",
    "by a star": "from pkg.a import *\n\nf(1)\n",
    "by a star of a star": "from pkg.stars import *\n\nf(1)\n",
    "inside a function": "def g():\n    from pkg.a import f\n    return f(1)\n",
    "with a fallback": "try:\n    from pkg.a import f\nexcept ImportError:\n    f = None\nf(1)\n",
    "by assignment": "from pkg.a import f\n\ng = f\ng(1)\n",
    "by local assignment": "from pkg.a import f\n\n\ndef h():\n    g = f\n    return g(1)\n",
}


@pytest.mark.parametrize("user", IMPORTS.values(), ids=IMPORTS.keys())
def test_a_function_is_found_through(user: str) -> None:
    files = {
        "pkg/__init__.py": "from .a import f\nfrom .a import f as public_f\n",
        "pkg/a.py": "def f(x):\n    return x\n",
        "pkg/stars.py": "from pkg.a import *\n",
        "user.py": user,
    }
    line = user.count("\n")
    assert calls(index_of(files), "pkg.a.f") == [f"user.py:{line} import"]


def test_a_relative_import_means_the_package_of_the_file() -> None:
    files = {
        "one/__init__.py": "",
        "one/a.py": "def f(): ...\n",
        "one/sub/__init__.py": "from ..a import f\n\nf()\n",
        "two/__init__.py": "",
        "two/a.py": "def f(): ...\n",
        "two/b.py": "from .a import f\n\nf()\n",
    }
    index = index_of(files)
    assert calls(index, "one.a.f") == ["one/sub/__init__.py:3 import"]
    assert calls(index, "two.a.f") == ["two/b.py:3 import"]


TYPES = {
    "annotation": "def f(b: Block):\n    b.run(1)\n",
    "optional annotation": "def f(b: 'Block | None'):\n    b.run(1)\n",
    "Optional": "from typing import Optional\n\ndef f(b: Optional[Block]):\n    b.run(1)\n",
    "constructor": "def f():\n    b = Block()\n    b.run(1)\n",
    "constructor at once": "def f():\n    Block().run(1)\n",
    "module variable": "b = Block()\n\ndef f():\n    b.run(1)\n",
    "self attribute": "class N:\n    def __init__(self):\n        self.b = Block()\n"
    "    def f(self):\n        self.b.run(1)\n",
    "self attribute from a parameter": "class N:\n    def __init__(self, b: Block):\n"
    "        self.b = b\n    def f(self):\n        self.b.run(1)\n",
    "dataclass field": "from dataclasses import dataclass\n\n@dataclass\nclass N:\n    b: Block\n\n"
    "def f(n: N):\n    n.b.run(1)\n",
    "return annotation": "def make() -> Block: ...\n\ndef f():\n    make().run(1)\n",
    "what a function returns": "def make():\n    return Block()\n\ndef f():\n    make().run(1)\n",
    "method's return": "class N:\n    def make(self) -> Block: ...\n\ndef f(n: N):\n    n.make().run(1)\n",
    "property": "class N:\n    @property\n    def b(self) -> Block: ...\n\ndef f(n: N):\n    n.b.run(1)\n",
    "isinstance": "def f(b):\n    if isinstance(b, Block):\n        b.run(1)\n",
    "isinstance of an attribute": "class N:\n    def f(self):\n        if isinstance(self.b, Block):\n"
    "            self.b.run(1)\n",
    "isinstance by a guard": "def f(b):\n    if not isinstance(b, Block):\n        return\n    b.run(1)\n",
    "isinstance by an assertion": "def f(b):\n    assert isinstance(b, Block)\n    b.run(1)\n",
    "isinstance in a condition": "def f(b):\n    return isinstance(b, Block) and b.run(1)\n",
    "match": "def f(b):\n    match b:\n        case Block():\n            b.run(1)\n",
    "a loop": "def f(bs: list[Block]):\n    for b in bs:\n        b.run(1)\n",
    "enumerate": "def f(bs: list[Block]):\n    for i, b in enumerate(bs):\n        b.run(1)\n",
    "zip": "def f(bs: list[Block], xs):\n    for x, b in zip(xs, bs):\n        b.run(1)\n",
    "the values of a dict": "def f(bs: dict[str, Block]):\n    for k, b in bs.items():\n        b.run(1)\n",
    "an element": "def f(bs: dict[str, Block]):\n    bs['a'].run(1)\n",
    "a comprehension": "def f(bs: list[Block]):\n    return [b.run(1) for b in bs]\n",
    "a list of objects": "def f():\n    for b in [Block() for _ in range(3)]:\n        b.run(1)\n",
    "a ModuleList": "class N(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.bs = nn.ModuleList([Block() for _ in range(3)])\n"
    "    def f(self):\n        for b in self.bs:\n            b.run(1)\n",
    "a tuple": "def make() -> tuple[int, Block]: ...\n\ndef f():\n    n, b = make()\n    b.run(1)\n",
    "with": "class C:\n    def __enter__(self) -> Block: ...\n\ndef f():\n    with C() as b:\n        b.run(1)\n",
    "a context manager function": "@contextmanager\ndef c() -> Iterator[Block]: ...\n\n"
    "def f():\n    with c() as b:\n        b.run(1)\n",
    "a walrus": "def f():\n    if (b := Block()):\n        b.run(1)\n",
    "a subclass": "class Sub(Block): ...\n\ndef f(b: Sub):\n    b.run(1)\n",
    "self of a subclass": "class Sub(Block):\n    def f(self):\n        self.run(1)\n",
    "super": "class Sub(Block):\n    def run(self, x):\n        super().run(1)\n",
    "a class method's result": "class N(Block):\n    @classmethod\n    def make(cls):\n"
    "        return cls()\n\ndef f():\n    N.make().run(1)\n",
    "cast": "from typing import cast\n\ndef f(b):\n    cast(Block, b).run(1)\n",
    "type[...]": "def f(kind: type[Block]):\n    kind().run(1)\n",
    "a module's .to(...)": "class M(Block, nn.Module): ...\n\ndef f():\n    m = M().to('cpu')\n    m.run(1)\n",
    "an alias of the class": "B = Block\n\ndef f(b: B):\n    b.run(1)\n",
}


@pytest.mark.parametrize("user", TYPES.values(), ids=TYPES.keys())
def test_a_method_is_known_from(user: str) -> None:
    source = f"from a import Block\nfrom torch import nn\n{user}"
    lines = [n for n, line in enumerate(source.splitlines(), 1) if ".run(1)" in line]
    index = index_of({"a.py": BLOCK, "z.py": OTHER, "b.py": source})
    assert calls(index, "a.Block.run") == [f"b.py:{line} method" for line in lines]
    assert calls(index, "z.Other.run") == []


def test_narrowing_ends_where_the_name_is_given_another_value() -> None:
    source = "from a import Block\n\ndef f(b, c):\n    assert isinstance(b, Block)\n    b = c\n    b.run(1)\n"
    assert calls(index_of({"a.py": BLOCK, "b.py": source}), "Block.run") == ["b.py:6 name"]


def test_an_unknown_receiver_is_told_by_name_and_marked() -> None:
    index = index_of({"a.py": BLOCK, "b.py": "def f(b):\n    b.run(1)\n"})
    assert calls(index, "Block.run") == ["b.py:2 name"]


def test_a_call_through_a_base_reaches_the_overrides() -> None:
    source = "from a import Block\n\nclass Sub(Block):\n    def run(self, x): ...\n\ndef f(b: Block):\n    b.run(1)\n"
    index = index_of({"a.py": BLOCK, "b.py": source})
    assert calls(index, "b.Sub.run") == ["b.py:7 method"]
    assert calls(index, "a.Block.run") == ["b.py:7 method"]


def test_a_hook_that_only_subclasses_define_is_found_there() -> None:
    source = (
        "class A:\n    def go(self):\n        self.hook()\n\nclass B(A):\n    def hook(self): ...\n"
    )
    assert calls(index_of({"a.py": source}), "B.hook") == ["a.py:3 method"]


def test_super_of_a_named_class_starts_behind_that_class() -> None:
    source = (
        "class A:\n    def f(self): ...\n\nclass B(A):\n    def f(self): ...\n\n"
        "class C(B):\n    def f(self):\n        super(B, self).f()\n"
    )
    index = index_of({"a.py": source})
    assert calls(index, "A.f") == ["a.py:9 method"]
    assert calls(index, "B.f") == []


def test_a_registered_buffer_is_an_attribute() -> None:
    source = (
        "class M(nn.Module):\n    def __init__(self):\n        self.register_buffer('mask', None)\n"
        "    def forward(self, other):\n        return self.mask, other.mask\n"
    )
    assert uses(index_of({"a.py": source}), "M.mask") == [
        "a.py:3 string name",
        "a.py:5 read method",
        "a.py:5 read name",
    ]


def test_calling_a_class_calls_its_constructor_inherited_or_not() -> None:
    source = "class A:\n    def __init__(self, x): ...\n\nclass B(A): ...\n\nA(1)\nB(2)\n"
    index = index_of({"a.py": source})
    assert calls(index, "A.__init__") == ["a.py:6 import", "a.py:7 import"]
    assert calls(index, "a.B") == ["a.py:7 import"]


def test_calling_a_module_calls_its_forward() -> None:
    source = (
        "from torch import nn\n\nclass Attn(nn.Module):\n    def forward(self, x): ...\n\n"
        "class Net(nn.Module):\n    def __init__(self):\n        self.attn = Attn()\n"
        "        self.more = nn.ModuleList([Attn() for _ in range(2)])\n"
        "    def forward(self, x):\n        x = self.attn(x)\n        for m in self.more:\n            x = m(x)\n"
    )
    index = index_of({"a.py": source})
    assert calls(index, "Attn.forward") == ["a.py:11 method", "a.py:13 method"]


def test_the_kinds_of_use_are_told_apart() -> None:
    source = (
        "from a import Block\n\n__all__ = ['Block']\n\n@Block\ndef f(b: 'Block') -> list[Block]: ...\n\n"
        "class C(Block): ...\n\nBlock.run\nBlock.x = 1\ndel Block.x\nNAMES = {'Block': Block}\n"
    )
    index = index_of({"a.py": BLOCK, "b.py": source})
    assert uses(index, "a.Block") == [
        "b.py:1 import import",
        "b.py:3 export import",
        "b.py:5 decorator import",
        "b.py:6 annotation import",
        "b.py:6 annotation import",
        "b.py:8 base import",
        "b.py:10 read import",
        "b.py:11 read import",
        "b.py:12 read import",
        "b.py:13 string name",
        "b.py:13 read import",
    ]


def test_getattr_with_a_constant_is_a_read_like_any_other() -> None:
    source = (
        "from a import Block\n\ndef f(b: Block, c):\n    getattr(b, 'run')\n    getattr(c, 'run')\n"
    )
    index = index_of({"a.py": BLOCK, "b.py": source})
    assert uses(index, "Block.run") == ["b.py:4 read method", "b.py:5 read name"]


def test_an_attribute_is_written_in_its_class_and_read_by_type() -> None:
    source = (
        "class Slot:\n    def __init__(self):\n        self.alpha = 0.0\n    def step(self):\n"
        "        self.alpha += 1\n\nclass Other:\n    alpha = 1\n\n"
        "def f(s: Slot, o: Other):\n    return s.alpha, o.alpha\n"
    )
    assert uses(index_of({"a.py": source}), "Slot.alpha") == [
        "a.py:3 write method",
        "a.py:5 write method",
        "a.py:11 read method",
    ]


def test_a_class_that_derives_from_itself_by_name_ends() -> None:
    files = {
        "a.py": "from b import A\n\nclass A(A): ...\n",
        "b.py": "from a import A\n\nclass A(A): ...\n",
    }
    index = index_of(files)
    assert [symbol.name for symbol in index.symbols("A")] == ["a.A", "b.A"]
    assert index.resolver.hierarchy.subclasses("a.py:A") in (["b.py:A"], [])


def test_values_that_lead_to_themselves_end() -> None:
    source = "class N:\n    def f(self, x):\n        while x:\n            x = x.next\n        return x\n"
    index = index_of({"a.py": source + "\n\ndef g(n: N):\n    return n.f(n).f(n).f(n)\n"})
    assert calls(index, "N.f")[-1].startswith("a.py:9")
    assert the(index, "N.f").kind == "method"


def test_an_iterator_that_is_its_own_iterator_gives_what_next_gives() -> None:
    reader = f"from __future__ import annotations\n\n\n{BLOCK}\n\nclass Reader:\n"
    reader += "    def __iter__(self) -> Reader:\n        return self\n\n"
    loop = "\n\ndef f(r: Reader):\n    for block in r:\n        block.run(1)\n"
    given = reader + "    def __next__(self) -> Block:\n        return Block()\n" + loop
    assert calls(index_of({"a.py": given}), "Block.run") == ["a.py:19 method"]
    assert calls(index_of({"a.py": reader + loop}), "Block.run") == ["a.py:17 name"]


def test_a_forward_that_is_another_method_is_followed() -> None:
    model = (
        f"{BLOCK}\n\nclass Model:\n    def __init__(self):\n        self.forward = self._fast\n\n"
    )
    model += (
        "    def _fast(self, x):\n        return Block()\n\n\ndef f(m: Model):\n    m(1).run(2)\n"
    )
    assert calls(index_of({"a.py": model}), "Block.run") == ["a.py:15 method"]


def test_a_circle_of_attributes_keeps_what_each_of_them_can_be() -> None:
    source = (
        "class B:\n    run = 1\n\nclass A:\n    def go(self):\n        return self.q.run\n"
        "    def __init__(self):\n        self.p = self.q or B()\n        self.q = self.p\n"
        "        print(self.q.run)\n"
    )
    assert uses(index_of({"a.py": source}), "B.run") == [
        "a.py:6 read method",
        "a.py:10 read method",
    ]


def test_the_names_of_a_class_body_are_not_seen_from_its_methods() -> None:
    source = (
        "def load(): ...\n\nclass C:\n    def load(self): ...\n    def go(self):\n        load()\n"
    )
    index = index_of({"a.py": source})
    assert calls(index, "a.load") == ["a.py:6 import"]
    assert calls(index, "a.C.load") == []


def test_a_loop_over_a_dict_gives_its_keys() -> None:
    source = (
        "from a import Block\n\ndef f(bs: dict[str, Block]):\n    for k in bs:\n        k.run(1)\n"
    )
    assert calls(index_of({"a.py": BLOCK, "b.py": source}), "Block.run") == []


def test_of_two_definitions_the_one_that_does_something_counts() -> None:
    source = "def f(x, y=1):\n    return x\n\nif TYPE_CHECKING:\n    def f(x): ...\n"
    index = index_of({"a.py": source})
    assert [p.name for p in index.definition(the(index, "a.f")).parameters] == ["x", "y"]


def test_the_answer_does_not_depend_on_what_was_asked_before() -> None:
    source = (
        "class A:\n    def __init__(self, b):\n        self.b = b.a.b\n        self.a = self.b\n"
        "    def run(self): ...\n\nclass B:\n    def __init__(self, a: A):\n        self.a = a\n"
        "    def go(self):\n        self.a.b.a.run()\n        self.a.run()\n"
    )
    names = ["A.run", "A.b", "A.a", "B.a", "B.go"]
    forwards, backwards = index_of({"a.py": source}), index_of({"a.py": source})
    first = [uses(forwards, name) for name in names]
    assert first == [uses(backwards, name) for name in reversed(names)][::-1]


def test_a_name_that_modules_import_from_each_other_in_a_circle_is_nothing() -> None:
    index = index_of(
        {
            "p/__init__.py": "from p.a import *\n",
            "p/a.py": "from p.b import *\n",
            "p/b.py": "from p.a import *\nfrom p import f\n",
            "c.py": "from p import f\n\nf()\n\n\ndef f(): ...\n",
        }
    )
    assert "c.py:3 call import" in uses(index, "c.f")
