"""The cases of the rule `instantiated-never-used`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

MESSAGE = "`self.norm` of `Block` is created (`LayerNorm`) and never read"

VALID = (
    ValidTree(
        "used in forward",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        return self.norm(self.project(x))
            """,
        },
    ),
    ValidTree(
        "used by a subclass",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        return self.project(x)


                class Other(Block):
                    def forward(self, x):
                        return self.norm(x)
            """,
        },
    ),
    ValidTree(
        "used by the owner of the object",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        return self.project(x)
            """,
            "b.py": """
                from a import Block


                def f(b: Block):
                    return b.norm
            """,
        },
    ),
    ValidTree(
        "an object of unknown class with such an attribute",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        return self.project(x)
            """,
            "b.py": """
                def f(model):
                    return model.norm
            """,
        },
    ),
    ValidTree(
        "named in a string",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        return self.project(x)


                NORMS = ['norm']
            """,
        },
    ),
    ValidTree(
        "a composed name",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        return self.project(x)
            """,
            "b.py": """
                def f(m, kind):
                    return getattr(m, f'nor{kind}')
            """,
        },
    ),
    ValidTree(
        "all parts run in sequence",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Sequential):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

            """,
        },
    ),
    ValidTree(
        "all parts are read at once",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        return [m(x) for m in self.children()]
            """,
        },
    ),
    ValidTree(
        "kept for the compatibility of weights",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)  # the checkpoint has it

                    def forward(self, x):
                        return self.project(x)
            """,
        },
    ),
    ValidTree(
        "a list that registers the parts of another object",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.ModuleList(width)

                    def forward(self, x):
                        return self.project(x)
            """,
        },
    ),
    ValidTree(
        "a local object that is used",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self.size = size


                def run(xs):
                    meter = Meter(3)
                    return meter.size
            """,
        },
    ),
    ValidTree(
        "a constructor that passes the object on",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        ALL.append(self)


                def run(xs):
                    meter = Meter(3)
                    return sum(xs)
            """,
        },
    ),
    ValidTree(
        "a constructor that calls unknown code",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self.size = connect(size)


                def run(xs):
                    meter = Meter(3)
                    return sum(xs)
            """,
        },
    ),
    ValidTree(
        "a constructor that changes its argument",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        size.seen = True


                def run(xs):
                    meter = Meter(3)
                    return sum(xs)
            """,
        },
    ),
    ValidTree(
        "created to validate its arguments",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        assert size


                def run(xs):
                    meter = Meter(3)
                    return sum(xs)
            """,
        },
    ),
    ValidTree(
        "created in a try as a test",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self.size = size


                def run(x):
                    try:
                        Meter(x)
                    except ValueError:
                        return False
                    return True
            """,
        },
    ),
    ValidTree(
        "a finaliser",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self.size = size

                    def __del__(self):
                        stop()


                def run(xs):
                    meter = Meter(3)
                    return sum(xs)
            """,
        },
    ),
    ValidTree(
        "read by a nested function",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self.size = size


                def run():
                    meter = Meter(3)
                    return lambda: meter
            """,
        },
    ),
    ValidTree(
        "a public attribute of a library's class",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self.size = size


                class Run:
                    def __init__(self):
                        self.meter = Meter(3)
            """,
        },
    ),
    ValidTree(
        "the result of an unknown function",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = watch(width)

                    def forward(self, x):
                        return self.project(x)
            """,
        },
    ),
    ValidTree(
        "a wrapper that may modify its argument",
        {
            "a.py": """
                from torch import nn


                def wrap(model):
                    nn.parallel.DistributedDataParallel(model)
                    return model
            """,
        },
    ),
    ValidTree(
        "a local class with the name of a class of the module",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        return self.norm(self.project(x))


                def make():
                    class Block(nn.Module):
                        def __init__(self):
                            self.last = nn.LayerNorm(2)

                        def forward(self, x):
                            return self.last(x)

                    return Block()
            """,
        },
    ),
    ValidTree(
        "a name that declares it unused",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self.size = size


                def run(xs):
                    _meter = Meter(3)
                    return sum(xs)
            """,
        },
    ),
    ValidTree(
        "all locals",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self.size = size


                def run(xs):
                    meter = Meter(3)
                    return locals()
            """,
        },
    ),
    ValidTree(
        "a global",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self.size = size


                def run(xs):
                    global meter
                    meter = Meter(3)
                    return sum(xs)
            """,
        },
    ),
    ValidTree(
        "a loss that users of a library may read",
        {
            "a.py": """
                from torch import nn


                class Trainer:
                    def __init__(self):
                        self.loss = nn.MSELoss()
            """,
        },
    ),
    ValidTree(
        "its use is commented out",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        # x = self.norm(x)
                        return self.project(x)
            """,
        },
    ),
    ValidTree(
        "in composed code",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        part = eval(f'self.nor{x.kind}')
                        return self.project(x)
            """,
        },
    ),
    ValidTree(
        "kept for earlier versions",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)  # deprecated

                    def forward(self, x):
                        return self.project(x)
            """,
        },
    ),
    ValidTree(
        "a function that may return another object",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = make(width)

                    def forward(self, x):
                        return self.project(x)


                def make(kind):
                    return nn.Linear(2, 2) if kind else kind.part
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "only a test reads it",
        {
            "a.py": """
                import torch.nn as nn


                class Net(nn.Module):
                    def __init__(self):
                        super().__init__()
                        self.norm = nn.LayerNorm(4)
                        self.head = nn.Linear(4, 4)

                    def forward(self, x):
                        return self.head(x)
            """,
            "tests/test_a.py": """
                from a import Net


                def test_it():
                    assert Net().norm
            """,
        },
        (("a.py", 7, "`self.norm` of `Net` is created (`LayerNorm`) and only tests read it"),),
    ),
    InvalidTree(
        "omitted by forward",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        return self.project(x)
            """,
        },
        (("a.py", 8, MESSAGE),),
    ),
    InvalidTree(
        "an attribute of that name in another class",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        return self.project(x)
            """,
            "b.py": """
                from torch import nn


                class Other(nn.Module):
                    def __init__(self):
                        super().__init__()
                        self.norm = nn.Identity()

                    def forward(self, x):
                        return self.norm(x)
            """,
        },
        (("a.py", 8, MESSAGE),),
    ),
    InvalidTree(
        "reflective access to another object",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        self.project.children()
                        return self.project(x)
            """,
        },
        (("a.py", 8, MESSAGE),),
    ),
    InvalidTree(
        "a string of another file",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = nn.LayerNorm(width)

                    def forward(self, x):
                        return self.project(x)
            """,
            "b.py": "NORMS = ['norm']\n",
        },
        (("a.py", 8, MESSAGE),),
    ),
    InvalidTree(
        "of one of two classes, or of a factory",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        self.norm = norm(width)

                        self.drop = nn.Dropout(0.1) if width else nn.Identity()
                    def forward(self, x):
                        return self.project(x)
            """,
        },
        (
            ("a.py", 8, "`self.norm` of `Block` is set to a module and never read"),
            (
                "a.py",
                10,
                "`self.drop` of `Block` is created (`Dropout` or `Identity`) and never read",
            ),
        ),
    ),
    InvalidTree(
        "created in both branches, reported once",
        {
            "a.py": """
                from torch import nn


                class Block(nn.Module):
                    def __init__(self, width, norm=nn.LayerNorm):
                        super().__init__()
                        self.project = nn.Linear(width, width)
                        if width:
                            self.norm = nn.LayerNorm(width)
                        else:
                            self.norm = nn.LayerNorm(2)

                    def forward(self, x):
                        return self.project(x)
            """,
        },
        (("a.py", 9, MESSAGE),),
    ),
    InvalidTree(
        "a loss that is not added",
        {
            "a.py": """
                from torch import nn


                def step(model, x):
                    loss = nn.CrossEntropyLoss()
                    return model(x)
            """,
        },
        (("a.py", 5, "`loss` is created (`CrossEntropyLoss`) and never read"),),
    ),
    InvalidTree(
        "an object of a class of the tree",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self.size = size


                def run(xs):
                    meter = Meter(3)
                    return sum(xs)
            """,
        },
        (("a.py", 7, "`meter` is created (`Meter`) and never read"),),
    ),
    InvalidTree(
        "discarded",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self.size = size


                def run(xs):
                    Meter(3)
                    return sum(xs)
            """,
        },
        (("a.py", 7, "`Meter` is created and discarded"),),
    ),
    InvalidTree(
        "a private attribute",
        {
            "a.py": """
                class Meter:
                    def __init__(self, size):
                        self.size = size


                class Run:
                    def __init__(self):
                        self._meter = Meter(3)
            """,
        },
        (("a.py", 8, "`self._meter` of `Run` is created (`Meter`) and never read"),),
    ),
)
