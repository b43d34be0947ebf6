"""Edits as pairs of small trees, in which `#: name` marks the same finding before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Tree = Mapping[str, str]


class Edit(NamedTuple):
    """A tree before and after somebody worked on it."""

    before: Tree
    after: Tree


CUT = """\
def cut(host, points):
    chosen = sorted(points, key=abs)
    if hasattr(host, "segments"):  #: cut
        return host.segments(chosen)
    raise ValueError("no segments")
"""
GROW = """\
def grow(host, other):
    budget = other.budget * 2
    if hasattr(host, "segments"):  #: grow
        host.grow(budget)
    return hasattr(other, "dim")  #: dim
"""
BOTH = f"{CUT}\n\n{GROW}"
MODEL = """\
class Slot:
    def __init__(self, host):
        self.host = host

    def forward(self, x):
        mixed = self.host.blend(x)
        if hasattr(self.host, "taps"):  #: taps
            mixed = self.host.taps(mixed)
        return mixed.relu()


class Model:
    def total(self):
        return sum(self.parts)
"""
MOVED_METHOD = """\
class Slot:
    def __init__(self, host):
        self.host = host


class Model:
    def total(self):
        return sum(self.parts)

    def forward(self, x):
        mixed = self.host.blend(x)
        if hasattr(self.host, "taps"):  #: taps
            mixed = self.host.taps(mixed)
        return mixed.relu()
"""
SILENT = """\
def load(path, store):
    store.open("registry")
    try:
        state = store.read(path)
    except Exception:  #: read
        state = None
    try:
        store.check(state)
    except Exception:  #: check
        pass
    return state
"""
TWINS = """\
def report(host):
    first(host)
    if hasattr(host, "x"):  #: one
        second(host)
    third(host)
    if hasattr(host, "x"):  #: two
        fourth(host)
"""
ONE_LINE = "def f(h):\n    return hasattr(h, 'x')  #: x\n"
SUPPRESSED = """\
import contextlib


def go(x):
    y = norm(x)
    with contextlib.suppress(Exception):  #: suppressed
        y.total = x.total
    return y
"""
LONG = """\
def long(h):
    one(h)
    one(1)
    last(h)
    if hasattr(h, "x"):  #: x
        three(h.x)
    first(h)
    three(1)
"""


def one(before: str, after: str, path: str = "a.py") -> Edit:
    """Return an edit of a single file."""
    return Edit({path: before}, {path: after})


FIXED_CUT = CUT.replace(
    '    if hasattr(host, "segments"):  #: cut\n        return host.segments(chosen)\n'
    '    raise ValueError("no segments")\n',
    "    return host.segments(chosen)\n",
)
RENAMED_VARIABLES = CUT.replace("host", "model").replace("points", "where").replace("chosen", "z")

SAME_FINDING: dict[str, Edit] = {
    "a line added above": one(BOTH, f"import torch\n\n{BOTH}"),
    "a line added in the function": one(
        BOTH, BOTH.replace("    budget", "    print(1)\n    budget")
    ),
    "code reformatted": one(
        BOTH, BOTH.replace('(host, "segments"):', "(\n        host, 'segments'\n    ):")
    ),
    "a comment changed": one(BOTH, BOTH.replace("    chosen", "    # the cuts\n    chosen")),
    "a docstring added": one(BOTH, BOTH.replace("    chosen", '    """Cut."""\n    chosen')),
    "a variable renamed in and around": one(BOTH, f"{RENAMED_VARIABLES}\n\n{GROW}"),
    "one of two variables renamed": one(BOTH, BOTH.replace("other", "another")),
    "an attribute of self renamed": one(MODEL, MODEL.replace("self.host", "self.trunk")),
    "a function renamed": one(BOTH, BOTH.replace("def cut", "def split")),
    "both functions renamed": one(
        BOTH, BOTH.replace("def cut", "def split").replace("def grow", "def cut_more")
    ),
    "a class renamed": one(MODEL, MODEL.replace("class Slot", "class Socket")),
    "a method moved to another class": one(MODEL, MOVED_METHOD),
    "a file renamed": Edit({"a.py": BOTH}, {"b.py": BOTH}),
    "a file moved below a directory": Edit({"a.py": BOTH}, {"pkg/deep/a.py": BOTH}),
    "a file split in two": Edit({"a.py": BOTH}, {"a.py": CUT, "b.py": GROW}),
    "a file split in two new ones": Edit({"a.py": BOTH}, {"cuts.py": CUT, "growth.py": GROW}),
    "copies of one another renamed in one step": Edit(
        {"alpha.py": CUT, "beta.py": CUT.replace("#: cut", "#: cut in beta")},
        {"z_alpha.py": CUT, "y_beta.py": CUT.replace("#: cut", "#: cut in beta")},
    ),
    "two files joined": Edit({"a.py": CUT, "b.py": GROW}, {"a.py": BOTH}),
    "two functions swapped": one(BOTH, f"{GROW}\n\n{CUT}"),
    "two identical findings swapped": one(
        TWINS, TWINS.replace("second", "x").replace("fourth", "second").replace("x(", "fourth(")
    ),
    "the first of two identical ones fixed": one(
        TWINS,
        TWINS.replace('    if hasattr(host, "x"):  #: one\n        second', "    second"),
    ),
    "the second of two identical ones fixed": one(
        TWINS, TWINS.replace('    if hasattr(host, "x"):  #: two\n        fourth', "    fourth")
    ),
    "a decorator added": one(BOTH, f"@cached\n{BOTH}"),
    "a finding moved between functions": one(
        "def f(host, x):\n"
        '    if hasattr(host, "a"):  #: a\n'
        "        host.a(x)\n"
        "    return host, x + 1\n"
        "\n"
        "\n"
        "def g(host, x):\n"
        "    return host, x * 2\n",
        "def f(host, x):\n"
        "    return host, x + 1\n"
        "\n"
        "\n"
        "def g(host, x):\n"
        '    if hasattr(host, "a"):  #: a\n'
        "        host.a(x)\n"
        "    return host, x * 2\n",
    ),
    "a finding moved to a new function that is called": one(
        "def f(host, x):\n"
        "    x = norm(x)\n"
        '    if hasattr(host, "a"):  #: a\n'
        "        host.a(x)\n"
        "    return x + 1\n",
        "def f(host, x):\n"
        "    x = norm(x)\n"
        "    ask(host, x)\n"
        "    return x + 1\n"
        "\n"
        "\n"
        "def ask(host, x):\n"
        '    if hasattr(host, "a"):  #: a\n'
        "        host.a(x)\n",
    ),
    "a block moved to another file": Edit(
        {
            "a.py": f"{CUT}\n"
            f"\n"
            f"def run(host, x):\n"
            f"    y = fold(x, 1)\n"
            f"    known = hasattr(host, 'fold')  #: fold\n"
            f"    z = unfold(y, known)\n"
            f"    return finish(z)\n"
        },
        {
            "a.py": f"{CUT}\n\ndef run(host, x):\n    return finish(b.folded(host, x))\n",
            "b.py": "def folded(host, x):\n"
            "    y = fold(x, 1)\n"
            "    known = hasattr(host, 'fold')  #: fold\n"
            "    z = unfold(y, known)\n"
            "    return z\n",
        },
    ),
    "the whole tree moved": Edit(
        {
            "lib/a.py": BOTH,
            "lib/part/b.py": MODEL,
            "lib/part/c.py": 'X = hasattr(torch, "x")  #: x\n',
        },
        {
            "src/new/a.py": BOTH,
            "src/new/part/b.py": MODEL,
            "src/new/part/c.py": 'X = hasattr(torch, "x")  #: x\n',
        },
    ),
    "a handler's body changed": one(SILENT, SILENT.replace("state = None", "state = {}")),
    "an argument added to the call": one(
        SUPPRESSED, SUPPRESSED.replace("(Exception)", "(Exception, KeyboardInterrupt)")
    ),
    "a file, its function's variables renamed": Edit({"a.py": CUT}, {"b.py": RENAMED_VARIABLES}),
    "a file, its function and its variables renamed": Edit(
        {"a.py": CUT}, {"b.py": RENAMED_VARIABLES.replace("def cut", "def split")}
    ),
    "a file and its class renamed": Edit(
        {"a.py": MODEL}, {"b.py": MODEL.replace("class Slot", "class Socket")}
    ),
    "a file with a function of one line renamed and a line added": Edit(
        {"a.py": ONE_LINE}, {"b.py": ONE_LINE.replace("    return", "    print(h)\n    return")}
    ),
    "a file renamed and most of the function rewritten": Edit(
        {"a.py": LONG}, {"b.py": LONG.replace("one(", "two(").replace("three(", "four(")}
    ),
    "a function renamed and most of it rewritten": one(
        LONG, LONG.replace("long", "longer").replace("one(", "two(").replace("three(", "four(")
    ),
    "a file renamed and a variable renamed": Edit(
        {"a.py": BOTH}, {"b.py": f"{RENAMED_VARIABLES}\n\n{GROW}"}
    ),
    "a file renamed and a function renamed": Edit(
        {"a.py": BOTH}, {"b.py": BOTH.replace("def cut", "def split")}
    ),
    "a file renamed and a line added": Edit(
        {"a.py": BOTH}, {"b.py": BOTH.replace("    budget", "    print(1)\n    budget")}
    ),
    "a function renamed and a line added": one(
        BOTH,
        BOTH.replace("def cut", "def split").replace("    chosen", "    print(points)\n    chosen"),
    ),
    "a function and a variable renamed": one(
        BOTH, f"{RENAMED_VARIABLES.replace('def cut', 'def split')}\n\n{GROW}"
    ),
    "a method moved and a line added": one(
        MODEL,
        MOVED_METHOD.replace(
            "        return mixed.relu", "        print(x)\n        return mixed.relu"
        ),
    ),
    "a tree moved and a function renamed": Edit(
        {"lib/a.py": BOTH, "lib/b.py": MODEL},
        {"src/a.py": BOTH.replace("def cut", "def split"), "src/b.py": MODEL},
    ),
    "a function of one line renamed": one(
        "def f(h):\n    return hasattr(h, 'x')  #: x\n",
        "def g(h):\n    return hasattr(h, 'x')  #: x\n",
    ),
    "a function of one line renamed and a line added": one(
        "def f(h):\n    return hasattr(h, 'x')  #: x\n",
        "def g(h):\n    print(h)\n    return hasattr(h, 'x')  #: x\n",
    ),
    "a file with nothing else in it renamed": Edit(
        {"a.py": "X = hasattr(torch, 'x')  #: x\n"}, {"b.py": "X = hasattr(torch, 'x')  #: x\n"}
    ),
}

NEW_FINDING: dict[str, Edit] = {
    "one fixed and one added in the same function": one(
        BOTH,
        BOTH.replace(
            'hasattr(other, "dim")  #: dim', 'other.dim or hasattr(host, "grown")  #: grown'
        ),
    ),
    "the same question asked of another attribute": one(
        BOTH, BOTH.replace('"dim")  #: dim', '"size")  #: size')
    ),
    "the same question asked of another variable": one(
        BOTH, BOTH.replace('hasattr(other, "dim")  #: dim', 'hasattr(host, "dim")  #: of host')
    ),
    "one fixed and the same added to another function": one(
        BOTH,
        f"{FIXED_CUT}\n"
        f"\n"
        f"{GROW}\n"
        f"\n"
        f"def crop(host):\n"
        f"    if hasattr(host, 'segments'):  #: crop\n"
        f"        return 1\n",
    ),
    "one fixed and a copy of its function broken elsewhere": Edit(
        {"a.py": CUT, "b.py": FIXED_CUT},
        {"a.py": FIXED_CUT, "b.py": CUT.replace("#: cut", "#: copy")},
    ),
    "a function copied to another file and repaired in the first": Edit(
        {"a.py": BOTH}, {"a.py": f"{FIXED_CUT}\n\n{GROW}", "b.py": CUT.replace("#: cut", "#: copy")}
    ),
    "copies moved together, one of them repaired": Edit(
        {"dev/long.py": BOTH, "recipe_one.py": BOTH.replace("#: ", "#: other ")},
        {
            "dev_moved/long.py": f"{FIXED_CUT}\n\n{GROW}",
            "recipe_one_moved.py": BOTH.replace("#: ", "#: other "),
        },
    ),
    "copies moved together, a repaired finding new in the other": Edit(
        {"a_first.py": BOTH, "z_second.py": f"{FIXED_CUT}\n\n{GROW.replace('#: ', '#: other ')}"},
        {
            "new/a_first.py": f"{FIXED_CUT}\n\n{GROW}",
            "new/z_second.py": f"{CUT.replace('#: ', '#: new ')}\n\n{GROW.replace('#: ', '#: other ')}",
        },
    ),
    "one of two functions gone, the other one broken once more": one(
        f"{ONE_LINE}\n\ndef g(h):\n    return hasattr(h, 'y')  #: y\n",
        "def g(h):\n    return hasattr(h, 'x')  #: in g\n    return hasattr(h, 'y')  #: y\n",
    ),
    "a class gone, its like under another name in a file that had tickets": Edit(
        {"a.py": MODEL, "b.py": CUT},
        {
            "b.py": f"{CUT}\n\n"
            + MODEL.replace("class Slot", "class Socket").replace("#: taps", "#: copy")
        },
    ),
    "a file copied": Edit({"a.py": CUT}, {"a.py": CUT, "b.py": CUT.replace("#: cut", "#: copy")}),
    "a statement duplicated": one(
        "def f(h):\n    start(h)\n    x = hasattr(h, 'x')  #: x\n    return x\n",
        "def f(h):\n"
        "    start(h)\n"
        "    x = hasattr(h, 'x')  #: x\n"
        "    x = hasattr(h, 'x')  #: again\n"
        "    return x\n",
    ),
    "a statement duplicated above, far from the first": one(
        "def f(h):\n    start(h)\n    mid(h)\n    x = hasattr(h, 'x')  #: x\n    return x\n",
        "def f(h):\n"
        "    x = hasattr(h, 'x')  #: above\n"
        "    start(h)\n"
        "    mid(h)\n"
        "    x = hasattr(h, 'x')  #: x\n"
        "    return x\n",
    ),
    "a function deleted, another with the same check added": one(
        BOTH, f"{GROW}\n\ndef fresh(x):\n    return hasattr(x, 'fresh')  #: fresh\n"
    ),
    "a file deleted, another of the same name of function added": Edit(
        {
            "a.py": "def forward(x):\n"
            "    y = x.norm()\n"
            "    if hasattr(x, 'w'):  #: a\n"
            "        y = y + 1\n"
            "    return y.sum()\n"
        },
        {
            "b.py": "def forward(x):\n"
            "    k = embed(x, 4)\n"
            "    if hasattr(x, 'w'):  #: b\n"
            "        k = k.flip(0)\n"
            "    return softmax(k)\n"
        },
    ),
    "a handler fixed, another one like it added": one(
        SILENT,
        SILENT.replace(
            "    except Exception:  #: read\n        state = None\n",
            "    except OSError:\n        raise\n",
        ).replace(
            "    return state",
            "    try:\n"
            "        store.note(path)\n"
            "    except Exception:  #: close\n"
            "        pass\n"
            "    return state",
        ),
    ),
    "a file deleted, an empty-handed catch elsewhere": Edit(
        {
            "a.py": "def advance(x):\n"
            "    try:\n"
            "        x.step(1)\n"
            "    except Exception:  #: a\n"
            "        pass\n",
            "b.py": CUT,
        },
        {
            "b.py": f"{CUT}\n"
            f"\n"
            f"def start(x):\n"
            f"    try:\n"
            f"        x.read(2)\n"
            f"    except Exception:  #: b\n"
            f"        pass\n"
        },
    ),
    "a function added before one like it": one(
        CUT, f"{CUT.replace('def cut', 'def before').replace('#: cut', '#: before')}\n\n{CUT}"
    ),
    "one fixed in a file that was renamed, one added there": Edit(
        {"a.py": BOTH},
        {"b.py": BOTH.replace('hasattr(other, "dim")  #: dim', 'hasattr(other, "size")  #: size')},
    ),
    "an import of the same private name in another file": Edit(
        {
            "a.py": "from torch._C import graph  #: a\n\nfirst = graph(1)\n",
            "b.py": "import math\n\nsecond = math.tau\n",
        },
        {
            "a.py": "from torch import graph\n\nfirst = graph(1)\n",
            "b.py": "import math\nfrom torch._C import graph  #: b\n\nsecond = math.tau\n",
        },
    ),
}
