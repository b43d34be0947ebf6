"""Recording a command: what it builds and calls becomes recipes, and nothing of it changes."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
import torch
import yaml
from support.audit_runs import Ran, command, write

from esper_audit.findings.coverage import RecipeOrigin
from esper_audit.findings.errors import ConfigError
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.recipe_file import (
    StoredRecipe,
    header_of,
    merge_recipes,
    read_recipes,
    text_of_recipes,
)
from esper_audit.probes.recipes.values import TensorSpec
from esper_audit.probes.recording.tensor_values import tensor_spec

# Slow: most tests run a command or discovered modules in processes of their own.
pytestmark = [pytest.mark.slow, pytest.mark.torch]

SCHEMA = Path(__file__).parents[2] / "docs" / "recipes.schema.json"
PARTS = """
from torch import nn


class Settings:
    def __init__(self, width, act):
        self.width, self.act = width, act


class Block(nn.Module):
    def __init__(self, settings: Settings):
        super().__init__()
        self.linear = nn.Linear(settings.width, settings.width)
        self.act = settings.act

    def forward(self, batch, scale=1.0):
        return {"y": self.act(self.linear(batch["features"])) * scale}


class Wrapped(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def __call__(self, x):
        return self.forward(x)

    def forward(self, x):
        return self.inner({"features": x})["y"]
"""
SCRIPT = """
import copy, inspect, os
import torch
from torch import nn
from flow.parts import Block, Settings, Wrapped

torch.manual_seed(3)
block = Block(Settings(6, nn.GELU()))
block({"features": torch.ones(2, 3, 6)}, scale=2.0)
Wrapped(block)(torch.tensor([[300.0] * 6, [400.0] * 6]))
copy.deepcopy(block)({"features": torch.zeros(1, 1, 6)})
Block(Settings(6, lambda x: x))
assert list(inspect.signature(Block).parameters) == ["settings"]
try:
    Block(None)
except AttributeError:
    pass
open("drawn.txt", "w").write(str(torch.rand(1).item()))
os.kill(os.getpid(), 9)
"""
CHANGED = """
from torch import nn


class Block(nn.Linear):
    pass


class Needy(nn.Module):
    def __init__(self, width: int, tokenizer):
        super().__init__()
        self.linear = nn.Linear(width, tokenizer.size)

    def forward(self, x):
        return self.linear(x)


class Tokenizer:
    size = 3
"""
CHANGED_RECIPES = """\
version: 1
recipes:
- class: flow.parts:Block
  origin: recorded
  build: {args: [{name: 'flow.gone:Settings'}]}
  call: {args: [{tensor: [2, 6]}]}
- class: flow.parts:Needy
  build: {kwargs: {tokenizer: {call: 'flow.parts:Tokenizer'}}}
"""


class Recording(NamedTuple):
    """A folder in which a command was recorded, and how that ended."""

    root: Path
    ran: Ran

    @property
    def recipes(self) -> list[dict[str, Any]]:
        plain = yaml.safe_load((self.root / "recipes.yaml").read_text())
        jsonschema.validate(plain, json.loads(SCHEMA.read_text()))
        return plain["recipes"]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    root = tmp_path_factory.mktemp("recorded")
    files = {"flow/__init__.py": "", "flow/parts.py": PARTS, "use.py": SCRIPT}
    write(root, files)
    before = os.getcwd()
    os.chdir(root)
    yield Recording(root, command("record", "--", sys.executable, "use.py"))
    os.chdir(before)


def test_constructions_and_calls_become_recipes(recording: Recording) -> None:
    assert "recorded 2 classes in recipes.yaml" in recording.ran.err
    assert "a lambda" not in recording.ran.err  # the class has another recipe
    copied, smaller, block, wrapped = recording.recipes
    settings = {"width": 6, "act": {"call": "torch.nn.modules.activation:GELU"}}
    build = {"args": [{"call": "flow.parts:Settings", "kwargs": settings}]}
    assert copied["build"] == smaller["build"] == block["build"] == build
    assert copied["call"] == {"args": [{"dict": {"features": {"tensor": [1, 1, 6], "high": 1.0}}}]}
    features = {"tensor": [2, 3, 6], "high": 1.0}
    assert block["call"] == {"args": [{"dict": {"features": features}}], "kwargs": {"scale": 2.0}}
    assert wrapped["build"] == {"args": [{"call": "flow.parts:Block", **build}]}
    assert wrapped["call"] == {"args": [{"tensor": [2, 6], "low": 300.0, "high": 400.0}]}


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (torch.linspace(-0.9, 0.8, 10), -1.0, 1.0),  # a grid, or the output of a tanh
        (torch.linspace(-0.9, 0.8, 9), 0.0, None),  # so few may be normally distributed
        (torch.linspace(-0.9, 1.1, 10), 0.0, None),
    ],
)
def test_values_within_one_of_zero_keep_their_bound(
    values: torch.Tensor, low: float, high: float | None
) -> None:
    assert tensor_spec(values) == TensorSpec(tuple(values.shape), low=low, high=high)


def test_a_command_that_kills_itself_is_recorded_and_its_status_passed_on(
    recording: Recording,
) -> None:
    assert recording.ran.status == 128 + 9


def test_recording_leaves_the_random_streams_of_the_command_alone(recording: Recording) -> None:
    torch.manual_seed(3)
    for _ in range(2):  # of the two modules that draw parameters
        torch.nn.Linear(6, 6)
    assert (recording.root / "drawn.txt").read_text() == str(torch.rand(1).item())


STARTED = """
import math
import torch
from torch import nn
from flow.parts import Wrapped


class Net(nn.Module):
    def __init__(self, width, name):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x)


if __name__ == "__main__":
    Net(width=5, name="first")(torch.ones(2, 5))
    Wrapped(Net(3, "second"))
    Wrapped(math.sin)
"""


def test_classes_of_a_script_are_recorded_as_they_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"flow/__init__.py": "", "flow/parts.py": PARTS, "train.py": STARTED})
    ran = command("record", "--", sys.executable, "train.py")
    assert ran.status == 0, ran.err
    sine, wrapped, net = Recording(tmp_path, ran).recipes
    assert sine["build"] == {"args": [{"name": "math:sin"}]}
    assert wrapped["build"] == {"args": [{"call": "train.py:Net", "args": [3, "second"]}]}
    assert (net["class"], net["build"]) == ("train:Net", {"kwargs": {"width": 5, "name": "first"}})


def test_the_text_of_a_command_is_no_module_and_what_was_only_built_replaces_no_call(
    recording: Recording,
) -> None:
    path = recording.root / "recipes.yaml"
    before = path.read_text()
    text = "from flow.parts import Wrapped\nclass Mine: pass\nWrapped(Mine)\nWrapped(abs)"
    ran = command("record", "--", sys.executable, "-c", text)
    assert ran.status == 0, ran.err
    assert path.read_text() == before


def test_the_text_of_recipes_is_read_back_as_it_was(recording: Recording) -> None:
    path = recording.root / "recipes.yaml"
    assert text_of_recipes(merge_recipes(read_recipes(str(path)), {})) == path.read_text()


def test_what_was_edited_is_kept_and_the_rest_is_renewed(recording: Recording) -> None:
    path = recording.root / "recipes.yaml"
    recorded = {"flow.parts:Block": read_recipes(str(path))[:2]}
    edited = recording.root / "edited.yaml"
    edited.write_text(path.read_text().replace("tensor: [2, 3, 6]", "tensor: [4, 6]"))
    merged = merge_recipes(read_recipes(str(edited)), recorded)
    assert [one.is_untouched for one in merged] == [False, True, True, True]
    assert merged[0].recipe.call.args[0] == {"features": TensorSpec((4, 6), high=1.0)}
    assert text_of_recipes(merge_recipes(merged, recorded)) == text_of_recipes(merged)


EDITED = """\
# Of the models that the shop runs.
version: 1
recipes:
  # needs three features
  - class: flow.parts:Block
    origin: recorded
    build:
      args: [1]   # one
  # the small one
  - {class: flow.parts:Small, build: {args: [2]}}
  -
    class: flow.parts:Wrapped
    build: {args: [3]}
    # at the end
"""


def test_a_file_that_a_person_wrote_keeps_its_comments_and_layout(tmp_path: Path) -> None:
    path = tmp_path / "recipes.yaml"
    path.write_text(EDITED)
    stored = read_recipes(str(path))
    recorded = {
        "flow.parts:Block": [StoredRecipe(Recipe("flow.parts:Block", origin=RecipeOrigin.RECORDED))]
    }
    text = text_of_recipes(merge_recipes(stored, recorded), header_of(str(path)))
    path.write_text(text)
    block, new, small, wrapped = read_recipes(str(path))
    assert [one.line for one in (block, new, small, wrapped)] == [5, 9, 15, 17]
    assert new.is_untouched
    kept = text.replace(f"{new.text}\n", "")
    assert kept == textwrap.dedent(EDITED.replace("\n  ", "\n"))
    assert (
        text_of_recipes(merge_recipes([block, new, small, wrapped], recorded), header_of(str(path)))
        == text
    )


def test_a_comment_in_an_entry_keeps_it(recording: Recording) -> None:
    text = (recording.root / "recipes.yaml").read_text()
    noted = recording.root / "noted.yaml"
    noted.write_text(
        text.replace("- class: flow.parts:Wrapped", "# slow\n- class: flow.parts:Wrapped")
    )
    stored = read_recipes(str(noted))
    assert [one.is_untouched for one in stored] == [True, True, True, False]
    renewed = {"flow.parts:Wrapped": [StoredRecipe(Recipe("flow.parts:Wrapped"))]}
    assert "# slow\n" in text_of_recipes(merge_recipes(stored, renewed))


def test_probe_uses_the_recipes_before_guesses(recording: Recording) -> None:
    ran = command("probe", "flow", "--probe", "own-attributes", "--format", "json")
    assert json.loads(ran.out)["coverage"]["by_origin"] == {
        "recorded": {"built": 2, "ran": 2, "checked": 2}
    }


def test_a_stale_recipe_is_named_and_a_declared_one_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"flow/__init__.py": "", "flow/parts.py": CHANGED, "recipes.yaml": CHANGED_RECIPES}
    write(tmp_path, files)
    ran = command("probe", "flow", "--probe", "own-attributes", "--format", "json")
    coverage = json.loads(ran.out)["coverage"]
    assert {origin: found["ran"] for origin, found in coverage["by_origin"].items()} == {
        "declared": 1,
        "guessed": 1,
    }
    stale = {one["name"]: one["stale"] for one in coverage["classes"]}
    assert stale["flow.parts.Block"].startswith("line 3, recorded: could not be built: ")
    assert stale["flow.parts.Needy"] == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 2\n", "unknown version (got 2"),
        (
            "version: 1\nrecipes:\n- class: a:B\n  bild: {}\n",
            ":3: unknown key 'bild'; did you mean 'build'?",
        ),
        (
            "version: 1\nrecipes:\n- class: a:B\n  build: {args: [{tensr: [1]}]}\n",
            ":3: recipe: unknown kind",
        ),
        ("version: 1\nrecipes: [\n", ":3: invalid YAML"),
    ],
)
def test_a_file_that_is_invalid_is_an_error_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "recipes.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_recipes(str(path))
    assert message in str(raised.value)
