"""Classes and functions that are local to a function: written by their path, and made again of their source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from esper_audit.probes.recipes.materialise import materialise
from esper_audit.probes.recipes.plain_data import decode_value, encode_value, map_names
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.values import Arguments, NameSpec, Value
from esper_audit.probes.recording.description import describe

pytestmark = pytest.mark.torch

SCALE = 2.0


class Applied(nn.Module):
    """Calls what it is given."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Return what the function returns."""
        return self.function(x)


def value_of(value: Any) -> Value:
    """Return the value of a recipe, by way of the plain data of its file."""
    return decode_value(encode_value(describe(value, lambda _: None)))


def made_again(value: Any) -> Any:
    return materialise(value_of(value), torch.Generator().manual_seed(0))


def local_model(width: int, kind: type[nn.Module] = nn.Identity, *, is_last: bool = True) -> type:
    class Base(nn.Module):
        @property
        def width(self) -> int:
            return width

    class Model(Base):
        def __init__(self) -> None:
            super().__init__()
            self.mix = kind()

        def forward(self, x: Tensor) -> Tensor:
            mixed: Tensor = self.mix(x)
            return mixed * SCALE * self.width if is_last else mixed

    return Model


def test_a_local_class_is_made_again_with_the_variables_that_it_reads() -> None:
    again = made_again(local_model(3, nn.ReLU))
    assert isinstance(again(), nn.Module)
    assert torch.equal(again()(torch.tensor([-1.0, 1.0])), torch.tensor([0.0, 6.0]))
    assert again is not made_again(local_model(3, nn.ReLU))


def test_the_value_of_a_local_class_names_its_path_and_what_it_is_given() -> None:
    value = value_of(local_model(3))
    assert isinstance(value, NameSpec)
    assert value.path == f"{__name__}:local_model.<locals>.Model"
    base = NameSpec(f"{__name__}:local_model.<locals>.Base", {"width": 3})
    identity = NameSpec("torch.nn.modules.linear:Identity")
    assert value.given == {"Base": base, "is_last": True, "kind": identity}


def test_an_object_of_a_local_class_is_made_again() -> None:
    class Settings:
        def __init__(self, width: int) -> None:
            self.width = width

    assert made_again(Settings(5)).width == 5


def test_local_functions_and_lambdas_are_made_again() -> None:
    factor = 3

    def times(x: int, power: int = 2) -> int:
        return (x * factor) ** power

    first = lambda x: x + factor  # noqa: E731
    second = lambda x: times(x, 1)  # noqa: E731
    assert [made_again(one)(2) for one in (times, first, second)] == [36, 5, 6]


def branching(*, is_first: bool) -> tuple[Callable[[], int], type]:
    if is_first:

        def number() -> int:
            return 1

        class Number:
            value = 1

            def get(self) -> int:
                return self.value

        return number, Number

    @torch.no_grad()
    def number() -> int:  # type: ignore[no-redef]
        return 2

    class Number:  # type: ignore[no-redef]
        value = 2

        def get(self) -> int:
            return self.value

    return number, Number


@pytest.mark.parametrize("is_first", [True, False])
def test_of_several_definitions_of_a_name_the_one_that_was_used_is_made_again(
    is_first: bool,
) -> None:
    number, kind = branching(is_first=is_first)
    assert made_again(number)() == number()
    assert made_again(kind)().get() == kind().get()
    assert value_of(kind).path.endswith(f".Number:{2 - is_first}")


def test_a_program_defines_what_is_local() -> None:
    double = lambda x: x * SCALE  # noqa: E731
    text = program(
        Recipe(
            f"{__name__}:Applied",
            Arguments((value_of(double),)),
            Arguments((value_of(torch.ones(2)),)),
        ),
        ["assert (module(CALL) == 2 * x).all()"],
    )
    assert "module = Applied((lambda x: x * SCALE)).eval()" in text
    exec(text, {})
    model = program(Recipe(f"{__name__}:Applied", Arguments((value_of(local_model(3)),))), [])
    assert "from torch import Tensor, nn" not in model
    assert "make_Model(" in model
    exec(model, {})


def test_a_definition_that_is_gone_is_an_error_of_the_recipe() -> None:
    value = NameSpec(f"{__name__}:local_model.<locals>.Gone")
    with pytest.raises(
        AttributeError, match=r"no single definition of local_model\.<locals>\.Gone"
    ):
        materialise(value, torch.Generator())


def test_names_are_replaced_where_something_is_imported_and_nowhere_else() -> None:
    named = {
        "name": "tests:f",
        "given": {"name": "b", "g": {"call": "c:d", "args": [{"name": "e:f"}]}},
    }
    plain = {"args": [named, {"dict": {"name": "h"}}], "kwargs": {"name": "i", "call": "j"}}
    given = {"name": "b", "g": {"call": "C:D", "args": [{"name": "E:F"}]}}
    assert map_names(plain, str.upper) == {
        "args": [{"name": "TESTS:F", "given": given}, {"dict": {"name": "h"}}],
        "kwargs": {"name": "i", "call": "j"},
    }
