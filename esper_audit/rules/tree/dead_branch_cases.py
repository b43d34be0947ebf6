"""The cases of the rule `dead-branch`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

VALID = (
    ValidTree(
        "bound again",
        {
            "a.py": """
                def f(x):
                    if x is None:
                        return 0
                    y = 1
                    x = y or None
                    if x is None:
                        y = 2
                    return y
            """,
        },
    ),
    ValidTree(
        "bound in the enclosing loop",
        {
            "a.py": """
                def f(xs):
                    first = None
                    for x in xs:
                        if first is None:
                            first = x
                    return first
            """,
        },
    ),
    ValidTree(
        "set in a try",
        {
            "a.py": """
                def f(g):
                    x = None
                    try:
                        x = g()
                    except OSError:
                        pass
                    if x is None:
                        return 1
                    return 2
            """,
        },
    ),
    ValidTree(
        "a list that is filled in between",
        {
            "a.py": """
                def f(xs: list):
                    if not xs:
                        xs.append(1)
                    if xs:
                        return 1
                    return 0
            """,
        },
    ),
    ValidTree(
        "bound by a nested function",
        {
            "a.py": """
                def f():
                    x = None

                    def g():
                        nonlocal x
                        x = 1

                    g()
                    if x is None:
                        return 1
                    return 2
            """,
        },
    ),
    ValidTree(
        "calls pass several values",
        {
            "a.py": """
                def _f(way):
                    if way == 'left':
                        return 1
                    return 2


                _f('left')
                _f('right')
            """,
        },
    ),
    ValidTree(
        "public in a library",
        {
            "a.py": """
                def f(way):
                    if way == 'left':
                        return 1
                    return 2


                f('left')
            """,
        },
    ),
    ValidTree(
        "a function that may return a tuple",
        {
            "a.py": """
                from torch import Tensor


                def g(x) -> Tensor | tuple:
                    return x


                def f(x):
                    y = g(x)
                    if isinstance(y, tuple):
                        return y[0]
                    return y
            """,
        },
    ),
    ValidTree(
        "a type or None",
        {
            "a.py": """
                def f(x):
                    assert isinstance(x, (list, type(None)))
                    if x is None:
                        return 0
                    return 1
            """,
        },
    ),
    ValidTree(
        "returns None against its annotation",
        {
            "a.py": """
                def g(x) -> int:
                    found = None
                    for y in x:
                        found = y
                    return found


                def f(x):
                    y = g(x)
                    if y is not None:
                        return y
                    return 0
            """,
        },
    ),
    ValidTree(
        "a test for exactly the annotated type",
        {
            "a.py": """
                from torch import Tensor


                def g(x: Tensor) -> Tensor:
                    return x


                def f(x):
                    y = g(x)
                    if not isinstance(y, Tensor):
                        y = Tensor(y)
                    return y
            """,
        },
    ),
    ValidTree(
        "the remaining case spelled out",
        {
            "a.py": """
                def f(x):
                    if x is None:
                        y = 0
                    elif x is not None:
                        y = 1
                    return y
            """,
        },
    ),
    ValidTree(
        "a manual switch",
        {
            "a.py": """
                def f(x):
                    verbose = False
                    if verbose:
                        print(x)
                    return x
            """,
        },
    ),
    ValidTree(
        "a constant argument of a private function, without the option",
        {
            "a.py": """
                def _f(x, mode):
                    return x if mode == 'train' else -x


                _f(1, 'train')
                _f(2, mode='train')
            """,
        },
    ),
    ValidTree(
        "called only by itself",
        {
            "a.py": """
                def _f(x, is_first=True):
                    if is_first:
                        return x
                    return _f(x, False)
            """,
        },
        options={"arguments": True},
    ),
    ValidTree(
        "tested in one branch only",
        {
            "a.py": """
                def f(x, y):
                    if y:
                        if x is None:
                            return 0
                    if x is None:
                        return 1
                    return x
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "set in one branch, tested in the other",
        {
            "a.py": """
                def f(x):
                    if x is None:
                        x = {}
                    y = x if x is not None else {}
                    return y
            """,
        },
        (("a.py", 4, "`x is not None` is always true: line 3 sets it or line 2 already tests it"),),
    ),
    InvalidTree(
        "an unequal constant",
        {
            "a.py": """
                def f(x):
                    if x != 'n' or x != 'y':
                        return 1
                    return 0
            """,
        },
        (("a.py", 2, "`x != 'n' or x != 'y'` is always true: one operand decides the other"),),
    ),
    InvalidTree(
        "an elif with an else",
        {
            "a.py": """
                def f(x):
                    if x is None:
                        return 0
                    elif x is not None:
                        return 1
                    else:
                        return 2
            """,
        },
        (("a.py", 4, "`x is not None` is always true: line 2 already tests it"),),
    ),
    InvalidTree(
        "a fact from before the last test",
        {
            "a.py": """
                def f(x, y):
                    assert x is not None
                    if y and x is not None:
                        y = 0
                    if x is not None:
                        y = 1
                    return y
            """,
        },
        (("a.py", 5, "`x is not None` is always true: line 2 already tests it"),),
    ),
    InvalidTree(
        "an earlier test",
        {
            "a.py": """
                def f(x):
                    if x is None:
                        return 0
                    y = 1
                    if x is None:
                        y = 2
                    return y
            """,
        },
        (("a.py", 5, "`x is None` is always false: line 2 already tests it"),),
    ),
    InvalidTree(
        "a repeated test in a chain",
        {
            "a.py": """
                def f(way):
                    if way == 'left':
                        return 1
                    elif way == 'right':
                        return 2
                    elif way == 'left':
                        return 3
                    return 4
            """,
        },
        (("a.py", 6, "`way == 'left'` is always false: line 2 already tests it"),),
    ),
    InvalidTree(
        "the same value in every call",
        {
            "a.py": """
                def _f(x, mode):
                    return x if mode == 'train' else -x


                _f(1, 'train')
                _f(2, mode='train')
            """,
        },
        (("a.py", 2, "`mode == 'train'` is always true: every call of `_f` passes 'train'"),),
        options={"arguments": True},
    ),
    InvalidTree(
        "a value that no call passes",
        {
            "a.py": """
                def _f(x, mode):
                    if mode is None:
                        return 0
                    if mode == 'test':
                        return x
                    return -x


                _f(1, 'train')
                _f(2, mode='eval')
            """,
        },
        (
            (
                "a.py",
                2,
                "`mode is None` is always false: calls of `_f` pass nothing but 'eval', 'train'",
            ),
            (
                "a.py",
                4,
                "`mode == 'test'` is always false: calls of `_f` pass nothing but 'eval', 'train'",
            ),
        ),
        options={"arguments": True},
    ),
    InvalidTree(
        "a test for a tuple on a returned tensor",
        {
            "a.py": """
                from torch import Tensor


                def g(x: Tensor) -> Tensor:
                    return x


                def f(x):
                    y = g(x)
                    if isinstance(y, (tuple, list)):
                        y = y[0]
                    return y
            """,
        },
        (("a.py", 10, "`isinstance(y, (tuple, list))` is always false: `g` returns a Tensor"),),
    ),
)
