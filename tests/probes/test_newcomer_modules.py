"""Modules of a newcomer, whose calls are trees, run by one line each, and most with nothing declared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support import newcomer_modules

from esper_audit.findings.coverage import Stage
from esper_audit.probes.discovery.search import find_recipe
from esper_audit.probes.measure.dependence.followed_axes import followed_axes
from esper_audit.probes.recipes.recipe_file import StoredRecipe, read_recipes
from esper_audit.probes.recipes.subject import subject_by_recipe

pytestmark = pytest.mark.torch

PAGE = Path(__file__).parents[2] / "docs" / "declaring-subjects.md"
BLOCK = re.compile(r"```yaml\n(version: 1\n.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, StoredRecipe]:
    (block,) = BLOCK.findall(PAGE.read_text())
    path = tmp_path_factory.mktemp("declared") / "recipes.yaml"
    path.write_text(block.replace("models:", f"{newcomer_modules.__name__}:"))
    return {one.recipe.class_name: one for one in read_recipes(str(path))}


NAMES = (
    "Tagger",
    "UpBlock",
    "GPT",
    "Policy",
    "ConformerBlock",
    "DetectionHead",
    "TimeFirstDecoder",
    "VisionLanguage",
    "GraphLayer",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_module_runs_by_its_line_in_the_docs(
    declared: dict[str, StoredRecipe], name: str
) -> None:
    one = declared[name]
    found = find_recipe(one.recipe.target, [one])
    assert (found.stage, found.recipe.origin, found.reason) == (Stage.RUN, "declared", "")


@pytest.mark.parametrize("name", NAMES)
def test_a_module_runs_with_nothing_declared(name: str) -> None:
    found = find_recipe(f"{newcomer_modules.__name__}:{name}")
    assert (found.stage, found.recipe.origin, found.reason) == (Stage.RUN, "guessed", "")


def test_the_axis_of_samples_is_found_where_it_is_the_second(
    declared: dict[str, StoredRecipe],
) -> None:
    one = declared["TimeFirstDecoder"]
    subject = subject_by_recipe(find_recipe(one.recipe.target, [one]).recipe)
    followed = followed_axes(subject, subject.build())
    assert [(one.axis, one.size) for one in followed] == [(1, 2)]
