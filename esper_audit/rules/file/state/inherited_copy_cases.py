"""The cases of the rule `inherited-copy`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "a conversion, and a subclass that only has another name",
        """
        class Space:
            def __init__(self, parameters):
                self.parameters = parameters

            def flatten(self):
                return Space(parameters=self.parameters)

        class OldSpace(Space):
            pass
        """,
    ),
    Valid(
        "subclasses that only declare their fields more closely and generate objects",
        """
        from dataclasses import dataclass

        @dataclass
        class Input:
            features: object
            label: object

            def to(self, device):
                return Input(self.features.to(device), self.label.to(device))

        @dataclass
        class Generated(Input):
            features: Tensor

            @classmethod
            def generate(cls, size):
                return cls(draw(size), draw(size))
        """,
    ),
    Valid(
        "the structure of an object without its data",
        """
        class Graph:
            def __init__(self, index, kinds, nodes=None, edges=None):
                self.index, self.kinds = index, kinds
                self.nodes, self.edges = nodes, edges

            def shared(self, name):
                index = self.index.shared(name)
                return Graph(index, self.kinds)

        class Block(Graph):
            is_block = True
        """,
    ),
    Valid(
        "an object made of two, of subclasses with constructors and bases of their own",
        """
        class Blur:
            def __init__(self, apply, seed=None):
                self.apply, self.seed = apply, seed

            def then(self, other):
                both = lambda x: other.apply(self.apply(x))
                return Blur(apply=both, seed=self.seed)

        class NoBlur(Blur):
            def __init__(self):
                super().__init__(lambda x: x)

        class Kinds(Blur, Enum):
            NONE = 0
        """,
    ),
    Valid(
        "the class of the object",
        """
        import copy
        import dataclasses

        class Shape:
            def to(self, device):
                return type(self)(self.size, device)

            def clone(self):
                return self.__class__(self.size, self.device)

            def copy(self):
                return copy.copy(self)

            def replace(self, **changes):
                return dataclasses.replace(self, **changes)

        class Causal(Shape):
            pass
        """,
    ),
    Valid(
        "a subclass with a method of its own",
        """
        class Shape:
            def to(self, device):
                return Shape(self.size, device)

        class Causal(Shape):
            def to(self, device):
                return Causal(self.size, device)
        """,
    ),
    Valid(
        "a class without subclasses, and a subclass that makes another object",
        """
        class Boxes:
            def to(self, device):
                return Boxes(self.tensor.to(device))

        class Frame:
            def copy(self):
                return Boxes(self.tensor)

        class Wide(Frame):
            pass
        """,
    ),
    Valid(
        "an operation on two objects",
        """
        class Interval:
            def union(self, other):
                return Interval(self.low, other.high)

        class Positive(Interval):
            pass
        """,
    ),
    Valid(
        "a class method, and a decision on the exact type",
        """
        class Shape:
            @classmethod
            def copy(cls, other):
                return Shape(other.size)

            def clone(self):
                if type(self) is Shape:
                    return Shape(self.size)
                return self._clone()

        class Causal(Shape):
            pass
        """,
    ),
    Valid(
        "a list of parts, where a subclass takes other arguments",
        """
        class Union:
            def __init__(self, *parts):
                self.parts = parts
            def replace(self, **changes):
                return Union(*[part.replace(**changes) for part in self.parts])
        class Pair(Union):
            def __init__(self, first, second=None):
                super().__init__(first, second or first)
        """,
    ),
    Valid(
        "a part of a buffer is a batch",
        """
        class Batch:
            def __init__(self, scheme, size):
                self.scheme, self.size = scheme, size
            def __getitem__(self, keys):
                return Batch({key: self.scheme[key] for key in keys}, self.size)
        class Buffer(Batch):
            def __init__(self, scheme, size, device):
                super().__init__(scheme, size)
                self.device = device
        """,
    ),
)
INVALID = (
    Invalid(
        "a method of another name that changes one field",
        """
        class Layout:
            def with_width(self, width):
                return Layout(width, self.height, dtype=self.dtype)

        class Padded(Layout):
            pad = 1
        """,
        (
            (
                3,
                (
                    "`Layout(width, self.height, dtype=self.dtype)` makes a `Layout` whatever "
                    "`with_width` is called on: a `Padded` loses its class. Use `type(self)(...)`."
                ),
            ),
        ),
    ),
    Invalid(
        "a subclass that comes back as its base",
        """
        import torch

        class Shape:
            def __init__(self, size, device="cpu"):
                self.size, self.device = size, device

            def to(self, device):
                return Shape(self.size, device)

        class Causal(Shape):
            def bias(self):
                return torch.ones(self.size).triu(1)
        """,
        (
            (
                8,
                (
                    "`Shape(self.size, device)` makes a `Shape` whatever `to` is called on: a `Causal` "
                    "loses its class. Use `type(self)(...)`."
                ),
            ),
        ),
    ),
    Invalid(
        "a copy that is filled before it is returned",
        """
        class State:
            def clone(self) -> "State":
                other = State()
                other.memory = self.memory.clone()
                return other

        class Carry(State):
            pass

        class Deep(Carry):
            def clone(self):
                return super().clone()
        """,
        (
            (
                3,
                (
                    "`State()` makes a `State` whatever `clone` is called on: a `Carry` loses its class. "
                    "Use `type(self)(...)`."
                ),
            ),
        ),
    ),
    Invalid(
        "copies on two paths, and `__new__`",
        """
        class Batch:
            def detach(self):
                if self.mask is None:
                    return Batch(self.x.detach())
                return Batch(self.x.detach(), mask=self.mask)

            def __copy__(self):
                new = Batch.__new__(Batch)
                new.__dict__.update(self.__dict__)
                return new

        class Graph(Batch):
            edges = ()
        """,
        (
            (
                4,
                (
                    "`Batch(self.x.detach())` makes a `Batch` whatever `detach` is called on: a `Graph` "
                    "loses its class. Use `type(self)(...)`."
                ),
            ),
            (
                8,
                (
                    "`Batch.__new__(Batch)` makes a `Batch` whatever `__copy__` is called on: a `Graph` "
                    "loses its class. Use `type(self)(...)`."
                ),
            ),
        ),
    ),
)
