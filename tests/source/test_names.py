"""What a name means where it stands: imports, aliases, builtins, and everything that shadows them."""

from __future__ import annotations

import ast
import textwrap

import pytest

from esper_audit.source.syntax.enclosing import chain, functions_in
from esper_audit.source.syntax.names import Names, dotted


def meaning(code: str) -> str | None:
    """Return what the name in the call `ask(NAME)` of a piece of code resolves to."""
    tree = ast.parse(textwrap.dedent(code))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and dotted(n.func) == "ask"]
    (call,) = calls
    around = functions_in(chain(tree, call.lineno, call.col_offset))
    return Names(tree).resolve(dotted(call.args[0]), around)


MEANINGS = {
    "a module": ("import torch\nask(torch.nn)", "torch.nn"),
    "a module under another name": (
        "import torch.nn.functional as F\nask(F.relu)",
        "torch.nn.functional.relu",
    ),
    "a package by one of its modules": ("import torch.nn\nask(torch.optim)", "torch.optim"),
    "a thing": ("from torch import nn\nask(nn.Linear)", "torch.nn.Linear"),
    "a thing under another name": (
        "from torch.nn import functional as F\nask(F.relu)",
        "torch.nn.functional.relu",
    ),
    "an import in a function": ("def f():\n    import torch as t\n    ask(t.cat)", "torch.cat"),
    "an import of an enclosing function": (
        "def f():\n    import torch\n    def g(): ask(torch.cat)",
        "torch.cat",
    ),
    "an import in a method": (
        "class A:\n    def f(self):\n        from torch import cat\n        ask(cat)",
        "torch.cat",
    ),
    "an import below the use": ("def f(): ask(t.cat)\nimport torch as t", "torch.cat"),
    "an import in a try": (
        "try:\n    import torch\nexcept ImportError:\n    torch = None\nask(torch.cat)",
        "torch.cat",
    ),
    "an import in an if": ("if a:\n    from x import y\nelse:\n    y = None\nask(y)", "x.y"),
    "an import under a with": ("with a:\n    import torch\nask(torch)", "torch"),
    "a relative import": ("from . import a\nask(a.b)", ".a.b"),
    "a relative import of a module's thing": ("from ..pkg.m import a\nask(a)", "..pkg.m.a"),
    "an alias": ("import torch\nnn = torch.nn\nask(nn.Linear)", "torch.nn.Linear"),
    "an alias of an alias": ("import torch\na = torch.nn\nb = a\nask(b.Linear)", "torch.nn.Linear"),
    "an alias in a function": (
        "import torch\ndef f():\n    r = torch.relu\n    ask(r)",
        "torch.relu",
    ),
    "a builtin": ("ask(hasattr)", "builtins.hasattr"),
    "a builtin under another name": ("has = hasattr\nask(has)", "builtins.hasattr"),
    "a builtin imported": ("from builtins import hasattr as h\nask(h)", "builtins.hasattr"),
    "the module of builtins": ("import builtins as b\nask(b.hasattr)", "builtins.hasattr"),
    "a star import of torch": (
        "from torch.nn.functional import *\nask(relu)",
        "torch.nn.functional.relu",
    ),
    "a builtin beside a star import": ("from torch import *\nask(hasattr)", "builtins.hasattr"),
}
SHADOWS = {
    "nothing": "ask(unknown)",
    "a parameter": "def f(hasattr): ask(hasattr)",
    "a keyword-only parameter": "def f(*, hasattr=1): ask(hasattr)",
    "star parameters": "def f(*hasattr): ask(hasattr)",
    "double star parameters": "def f(**hasattr): ask(hasattr)",
    "a parameter of the function around": "def f(hasattr):\n    def g(): ask(hasattr)",
    "an assignment": "hasattr = make()\nask(hasattr)",
    "an assignment in the function": "def f():\n    hasattr = make()\n    ask(hasattr)",
    "an assignment below": "def f():\n    ask(hasattr)\n    hasattr = 1",
    "an unpacking": "a, (hasattr, *b) = make()\nask(hasattr)",
    "an annotated assignment": "hasattr: int = 1\nask(hasattr)",
    "a loop": "for a, hasattr in b: ask(hasattr)",
    "a loop in a block": "if a:\n    while b:\n        for hasattr in c: pass\nask(hasattr)",
    "a with": "with a as hasattr: ask(hasattr)",
    "an except": "try: pass\nexcept A as hasattr: ask(hasattr)",
    "a capture": "match a:\n    case [hasattr]: ask(hasattr)",
    "a capture of the rest": "match a:\n    case {'b': 1, **hasattr}: ask(hasattr)",
    "a function": "def hasattr(): pass\nask(hasattr)",
    "a class": "class hasattr: pass\nask(hasattr)",
    "an assignment from two places": "import a\nb = a.c\nb = a.d\nask(b)",
    "an alias of itself": "a = b\nb = a\nask(a)",
    "two star imports of torch": "from torch import *\nfrom torch.nn import *\nask(relu)",
    "a star import of something else": "from numpy import *\nask(relu)",
}


@pytest.mark.parametrize(("code", "target"), MEANINGS.values(), ids=MEANINGS)
def test_a_name_means_what_python_would_find(code: str, target: str) -> None:
    assert meaning(code) == target


@pytest.mark.parametrize("code", SHADOWS.values(), ids=SHADOWS)
def test_a_name_that_is_bound_to_something_unknown_means_nothing(code: str) -> None:
    assert meaning(code) is None


def test_a_binding_in_another_function_does_not_shadow() -> None:
    assert meaning("def f(hasattr): pass\ndef g(): ask(hasattr)") == "builtins.hasattr"


def test_a_binding_in_a_class_body_does_not_reach_its_methods() -> None:
    code = "class A:\n    hasattr = 1\n    def f(self): ask(hasattr)"
    assert meaning(code) == "builtins.hasattr"


def test_an_import_in_another_function_is_not_seen() -> None:
    assert meaning("def f():\n    import torch\ndef g(): ask(torch)") is None


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("a", "a"),
        ("a.b.c", "a.b.c"),
        ("a().b", ""),
        ("a[0].b", ""),
        ("'a'.b", ""),
        ("(a).b", "a.b"),
    ],
)
def test_only_a_chain_from_a_name_is_dotted(expression: str, name: str) -> None:
    assert dotted(ast.parse(expression, mode="eval").body) == name
