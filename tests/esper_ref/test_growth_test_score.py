"""The score that is reported is that of the test split, which no gate has seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_growth_life import small_data, tiny_plan

from esper_ref.growth.data import Split
from esper_ref.growth.life import Arm, Life, build_model, score_of
from esper_ref.growth.study import LifeResult, Study
from esper_ref.growth.table import scores_table


@pytest.mark.parametrize("host", ["cnn", "transformer"])
def test_the_reported_score_is_of_the_test_split_and_not_of_the_validation_split(
    tmp_path: Path, host: str
) -> None:
    plan, data = tiny_plan(host, epochs=1), small_data(host)
    model = build_model(Arm.ALONE, plan, data, 0, {})
    answers = model.eval()(data.validation.inputs).argmax(-1)
    # A test split on which the model is right, and a validation split on which it is wrong.
    right = Split(data.validation.inputs, answers)
    wrong = Split(data.validation.inputs, (answers + 1) % data.classes)
    life = Life(plan, replace(data, test=right, validation=wrong), model, 0, tmp_path)
    assert life.test_score == 100.0
    assert score_of(model, wrong) == 0.0
    swapped = Life(plan, replace(data, test=wrong, validation=right), model, 0, tmp_path)
    assert swapped.test_score == 0.0


def test_the_table_shows_the_test_scores(tmp_path: Path) -> None:
    plan, data = tiny_plan("cnn", random_seeds=1), small_data("cnn")
    model = torch.nn.Identity()
    journal = Life(plan, data, model, 0, tmp_path).journal
    lives = [
        LifeResult(0, arm, 7, score, {}, journal)
        for arm, score in zip(Arm, (11.0, 22.0, 33.0), strict=True)
    ]
    table = scores_table(Study(plan, data.title, lives))
    assert all(score in table for score in ("11.00", "22.00", "33.00"))
