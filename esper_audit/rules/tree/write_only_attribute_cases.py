"""The cases of the rule `write-only-attribute`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

MESSAGE = "`self._seen` of `Meter` is written and never read"

VALID = (
    ValidTree(
        "read by a method",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self._seen = 0

                    def step(self):
                        self._seen += 1
                        return self._size + self._seen
            """,
        },
    ),
    ValidTree(
        "read by another function",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self._seen = 0

                    def step(self):
                        self._seen += 1
                        return self._size
            """,
            "b.py": """
                def f(m):
                    return m._seen
            """,
        },
    ),
    ValidTree(
        "read by getattr",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self._seen = 0

                    def step(self):
                        self._seen += 1
                        return self._size
            """,
            "b.py": """
                def f(m):
                    return getattr(m, '_seen')
            """,
        },
    ),
    ValidTree(
        "a public attribute",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self.seen = 0

                    def step(self):
                        self.seen += 1
                        return self._size
            """,
        },
    ),
    ValidTree(
        "a base outside the tree",
        {
            "a.py": """
                import lib
                class Meter(lib.Base):
                    def __init__(self, size):
                        self._size = size
                        self._seen = 0

                    def step(self):
                        self._seen += 1
                        return self._size
            """,
        },
    ),
    ValidTree(
        "reflective access to the object",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self._seen = 0

                    def step(self):
                        self._seen += 1
                        return self._size
                    def all(self):
                        return vars(self)
            """,
        },
    ),
    ValidTree(
        "read by a mixin",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self._seen = 0

                    def step(self):
                        self._seen += 1
                        return self._size
            """,
            "b.py": """
                from a import Meter


                class Shown:
                    def show(self):
                        return self._seen


                class Both(Meter, Shown): ...
            """,
        },
    ),
    ValidTree(
        "read by a subclass",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self._seen = 0

                    def step(self):
                        self._seen += 1
                        return self._size
            """,
            "b.py": """
                from a import Meter


                class Shown(Meter):
                    def show(self):
                        return self._seen
            """,
        },
    ),
    ValidTree(
        "read by a base",
        {
            "b.py": """
                class Shown:
                    def show(self):
                        return self._seen
            """,
            "a.py": """
                from b import Shown


                class Meter(Shown):
                    def __init__(self, size):
                        self._size = size
                        self._seen = 0

                    def step(self):
                        self._seen += 1
                        return self._size
            """,
        },
    ),
    ValidTree(
        "kept for inspection",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self._seen = 0  # for debugging

                    def step(self):
                        self._seen += 1
                        return self._size
            """,
        },
    ),
    ValidTree(
        "kept to stay alive",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        # keeps the size alive
                        self._seen = 0

                    def step(self):
                        self._seen += 1
                        return self._size
            """,
        },
    ),
    ValidTree(
        "an attribute that torch reads",
        {
            "a.py": """
                from torch import nn


                class Net(nn.Module):
                    def __init__(self):
                        self._ddp_params_and_buffers_to_ignore = []
            """,
        },
    ),
    ValidTree(
        "a handle that is kept",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self._seen = hook(size)

                    def step(self):
                        self._seen = hook(2)
                        return self._size
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "only a test reads it",
        {
            "a.py": """
                class A:
                    def __init__(self):
                        self._count = 0
            """,
            "tests/test_a.py": """
                from a import A


                def test_it():
                    assert A()._count == 0
            """,
        },
        (("a.py", 3, "`self._count` of `A` is written and only tests read it"),),
    ),
    InvalidTree(
        "a counter that is never read",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self._seen = 0

                    def step(self):
                        self._seen += 1
                        return self._size
            """,
        },
        (("a.py", 4, MESSAGE),),
    ),
    InvalidTree(
        "an attribute of a module",
        {
            "a.py": """
                from torch import nn


                class Net(nn.Module):
                    def __init__(self, size):
                        super().__init__()
                        self._size = size
            """,
        },
        (("a.py", 7, "`self._size` of `Net` is written and never read"),),
    ),
    InvalidTree(
        "an attribute of that name in another class",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self._seen = 0

                    def step(self):
                        self._seen += 1
                        return self._size
            """,
            "b.py": """
                class Other:
                    def __init__(self):
                        self._seen = 1

                    def show(self):
                        return self._seen
            """,
        },
        (("a.py", 4, MESSAGE),),
    ),
    InvalidTree(
        "reflective access in another class",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self._seen = 0

                    def step(self):
                        self._seen += 1
                        return self._size


                class Other:
                    def all(self):
                        return vars(self)
            """,
        },
        (("a.py", 4, MESSAGE),),
    ),
    InvalidTree(
        "an array that is never read",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self._seen = np.eye(size)

                    def step(self):
                        self._seen += 1
                        return self._size
            """,
        },
        (("a.py", 4, MESSAGE),),
    ),
    InvalidTree(
        "a list that is only created",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self._size = size
                        self._seen = list()

                    def step(self):
                        return self._size
            """,
        },
        (("a.py", 4, MESSAGE),),
    ),
)
