"""Recipes from calls in source text, from inside other modules, and small ones of full models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.audit_runs import command, write
from torch import Tensor, nn

from esper_audit.findings.coverage import RecipeOrigin, Stage
from esper_audit.probes.discovery.jobs import check_class
from esper_audit.probes.discovery.search import find_recipe
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.recipe_file import StoredRecipe, plain_recipes
from esper_audit.probes.recipes.smaller_recipe import smaller_recipe
from esper_audit.probes.recipes.values import Arguments, CallSpec, TensorSpec, TupleSpec
from esper_audit.probes.source_calls.call_sites import recipes_in_prose
from esper_audit.probes.source_calls.source_reader import recipes_in_text

pytestmark = pytest.mark.torch

LINEAR = "torch.nn.modules.linear:Linear"


def calls(text: str) -> list[tuple[str, Arguments, Arguments | None]]:
    found = recipes_in_text(text, {"nn": nn})
    return [
        (s.recipe.target.rpartition(":")[2], s.recipe.build, s.recipe.call if s.has_call else None)
        for s in found
    ]


def test_a_module_that_is_built_and_called_has_both_arguments() -> None:
    text = "import torch\nwidth = 4 * 2\nnet = nn.Linear(width, out_features=3).eval()\nnet(torch.randn(5, width))\n"
    build = Arguments((8,), {"out_features": 3})
    assert calls(text) == [
        ("Linear", build, None),
        ("Linear", build, Arguments((TensorSpec((5, 8)),))),
    ]


def test_a_module_inside_another_one_is_part_of_its_recipe() -> None:
    (*_, (name, build, _)) = calls("nn.Sequential(nn.Linear(2, 2), nn.ReLU())")
    assert name == "Sequential"
    inner = CallSpec(LINEAR, (2, 2)), CallSpec("torch.nn.modules.activation:ReLU")
    assert build == Arguments(inner)


def test_ids_have_their_range_and_casts_their_dtype() -> None:
    text = "import torch\ne = nn.Embedding(9, 4)\nx = torch.randint(0, 9, (2, 7)).int()\ne(x)\n"
    assert calls(text)[1][2] == Arguments((TensorSpec((2, 7), "int32", 0, 9),))


def test_a_parameter_with_a_default_has_it_and_one_without_is_unknown() -> None:
    text = "def a(n, m=3):\n    nn.Linear(m, 2)\n    nn.Linear(n, 2)\n"
    assert [build for _, build, _ in calls(text)] == [Arguments((3, 2))]


def test_a_name_that_is_assigned_something_unknown_is_unknown() -> None:
    assert calls("width = 3\nwidth = read()\nnn.Linear(width, 2)\n") == []


def test_a_method_of_a_built_in_type_is_unknown_and_the_rest_is_read() -> None:
    text = "known = dict.fromkeys(names)\nshown = str.join\nnn.Linear(2, 3)\n"
    assert calls(text) == [(LINEAR.rpartition(":")[2], Arguments((2, 3)), None)]


@pytest.mark.parametrize(
    "text",
    [
        "Use it:\n\n```python\nfrom torch import nn\nnn.Linear(2, 3)\n```\n",
        "Example::\n\n    >>> from torch import nn\n    >>> nn.Linear(2,\n    ...           3)\n",
    ],
)
def test_code_in_prose_is_read(text: str) -> None:
    assert [one.recipe.build for one in recipes_in_prose(text, {})] == [Arguments((2, 3))]


def test_a_full_model_becomes_small_where_names_show_widths_and_depths() -> None:
    inner = CallSpec("a:B", (), {"dim": 512, "depth": 12, "heads": 8})
    build = Arguments((), {"image_size": 256, "width": 1024, "net": inner, "vocab_size": 512})
    call = Arguments((TensorSpec((1, 3, 256, 256)), TensorSpec((1, 1024))))
    small = smaller_recipe(Recipe("a:A", build, call))
    assert small.build.kwargs == {
        "image_size": 256,
        "width": 128,
        "net": CallSpec("a:B", (), {"dim": 512, "depth": 2, "heads": 8}),  # 512 is a vocabulary too
        "vocab_size": 512,
    }
    assert [spec.shape for spec in small.call.args] == [(2, 3, 256, 256), (2, 128)]


def test_numbers_in_tuples_keep_their_count() -> None:
    small = smaller_recipe(
        Recipe("a:A", Arguments((), {"depths": TupleSpec((2, 6)), "dims": [256]}))
    )
    assert small.build.kwargs == {"depths": TupleSpec((2, 6)), "dims": [32]}


PARTS = """
from torch import nn


class Table:
    def __init__(self, entries):
        self.entries = entries


class Scaled(nn.Module):
    def __init__(self, table, codes):
        super().__init__()
        self.linear = nn.Linear(table.entries["in"], len(codes[0].split("/")))

    def forward(self, x):
        return self.linear(x)


class Router(nn.Module):
    def __init__(self, plan):
        super().__init__()
        self.linear = nn.Linear(plan["north"][0], plan["south"].width)

    def forward(self, x):
        return self.linear(x)


class South:
    width = 3


class Network(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.router = Router({"north": [width], "south": South()})

    def forward(self, x):
        return self.router(x)
"""
README = """
```python
import torch
from flow.parts import Scaled, Table
Scaled(Table({"in": 5}), ["a/b"])(torch.rand(2, 5))
```
"""


@pytest.mark.slow  # probes three classes in processes of their own
def test_a_readme_and_other_modules_show_how_a_class_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"flow/__init__.py": "", "flow/parts.py": PARTS, "README.md": README})
    ran = command("probe", "flow", "--probe", "own-attributes", "--format", "json")
    found = json.loads(ran.out)["coverage"]["classes"]
    assert {one["name"]: (one["origin"], one["stage"]) for one in found} == {
        "flow.parts.Scaled": ("call site", "checked"),
        "flow.parts.Router": ("call site", "checked"),
        "flow.parts.Network": ("guessed", "checked"),
    }


class Merging(nn.Module):
    """Merges after its third layer, and so never with fewer layers."""

    def __init__(self, dim: int, depth: int, lost: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(depth))
        self.merge = nn.Linear(dim, dim)
        self.lost = nn.Linear(dim, dim) if lost else None

    def forward(self, x: Tensor) -> Tensor:
        for number, layer in enumerate(self.layers):
            x = self.merge(layer(x)) if number == 2 else layer(x)
        return x


@pytest.mark.parametrize(("lost", "verdict"), [(False, "pass"), (True, "fail")])
def test_parameters_that_a_smaller_recipe_does_not_reach_are_confirmed_at_full_size(
    lost: bool, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    target = f"{__name__}:Merging"
    build = Arguments((), {"dim": 16, "depth": 6, "lost": lost})
    full = Recipe(target, build, Arguments((TensorSpec((2, 16)),)), RecipeOrigin.CALL_SITE)
    recipes = plain_recipes(StoredRecipe(one) for one in (smaller_recipe(full), full))
    one = {"target": target, "path": "merging.py", "line": 1, "end_line": 2}
    found = check_class(one, str(tmp_path), ["reached-parameters"], recipes)
    assert found.recipe["build"]["kwargs"]["depth"] == 2
    assert [record.verdict for record in found.records] == [verdict]


class SecondTry(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        if width == 32:
            raise ValueError("the first guess is no good")

    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("no call is good")


def test_the_reason_of_a_class_that_is_built_at_the_second_try_is_that_of_its_call() -> None:
    result = find_recipe(f"{__name__}:SecondTry")
    assert result.stage is Stage.BUILT
    assert result.reason == "could not be fed: RuntimeError: no call is good"


class Refused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        raise RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte"
        )


def test_an_allocation_that_the_limit_refused_is_named_by_the_setting() -> None:
    result = find_recipe(f"{__name__}:Refused")
    assert result.reason == "could not be built: ran out of memory (the limit is probing.memory)"
