"""How much of a package the tests of its project reach."""

from __future__ import annotations

import msgspec


class UntestedPlace(msgspec.Struct, frozen=True, order=True):
    """A public function or class that no test reaches."""

    path: str
    line: int
    symbol: str


class ReachedPackage(msgspec.Struct, frozen=True):
    """A folder of production code: how many public functions and classes it has, and those without a test.

    A class without a test stands for its methods.
    """

    folder: str
    public: int
    untested: list[UntestedPlace]

    @property
    def reached(self) -> int:
        """The number of public functions and classes that a test reaches."""
        return self.public - len(self.untested)
