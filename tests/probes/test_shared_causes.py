"""Modules that fail at the same line of a part are one finding, at the part."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from esper_audit.findings.audit import Audit
from esper_audit.findings.probe_record import ProbeRecord
from esper_audit.probes.discovery.jobs import check_class
from esper_audit.probes.findings import merge_records
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.recipe_file import StoredRecipe, plain_recipes
from esper_audit.probes.recipes.values import Arguments, TensorSpec

pytestmark = pytest.mark.torch


class Part(nn.Module):
    """Multiplies by a matrix of a fixed dtype."""

    def forward(self, x: Tensor) -> Tensor:
        return x @ torch.ones(8, 8)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net, self.part = nn.Linear(8, 8), Part()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.part(self.net(x)))


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.block(x))


class Sound(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.net(x))


class Misuse(nn.Module):
    """Calls a sound part with another dtype."""

    def __init__(self) -> None:
        super().__init__()
        self.sound = Sound()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.sound(x.float()))


class PlainTable(nn.Module):
    """A table that no move reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.table = nn.Linear(8, 8), torch.arange(8.0)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.net(x)) * self.table


class Scaled(nn.Module):
    """Multiplies by a constant of a fixed dtype before it calls a sound part."""

    def __init__(self) -> None:
        super().__init__()
        self.sound = Sound()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.sound(x * torch.ones(1)))


class Stack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scaled = Scaled()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.scaled(x))


class Dropped(nn.Module):
    """Drops in evaluation, too."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5)


class DroppedAndScaled(Dropped):
    """Has the forward of its base."""


class DroppedElsewhere(Dropped):
    """Has a forward of its own, which drops in another place."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x + 1, 0.5)


class Dropping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net, self.dropped = nn.Linear(8, 8), DroppedAndScaled()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.dropped(self.net(x)))


class Rotary(nn.Module):
    """Makes a matrix in a dtype of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.net(x), torch.eye(8))


class InFloat(nn.Module):
    """Calls a part, though not in reduced precision."""

    def __init__(self) -> None:
        super().__init__()
        self.rotary = Rotary()

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype is torch.bfloat16:
            return x
        return torch.relu(self.rotary(x))


class Seeded(nn.Module):
    """A base that seeds the random stream, and that is not probed itself."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(8, 8)


class Forecast(Seeded):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.net(x))


class OtherForecast(Seeded):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.net(x))


def records(
    kind: type[nn.Module], folder: Path, probes: Sequence[str] = ("followed-dtype",)
) -> list[ProbeRecord]:
    target = f"{kind.__module__}:{kind.__name__}"
    recipe = Recipe(target, Arguments(), Arguments((TensorSpec((2, 8)),)))
    lines, first = inspect.getsourcelines(kind)
    place = {"path": Path(__file__).name, "line": first, "end_line": first + len(lines) - 1}
    known = plain_recipes([StoredRecipe(recipe)])
    return check_class({"target": target, **place}, str(folder), [*probes], known).records


def findings(
    kinds: list[type[nn.Module]],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    probe: str = "followed-dtype",
) -> dict[str, str]:
    """Return the messages of the findings on some classes by the class that each is at."""
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.chdir(folder)
    audit = Audit(
        root=str(Path(__file__).parent), findings=[], suppressed=[], not_analysed=[], files=0, checks=[], off=[]
    )  # fmt: skip
    every = [record for kind in kinds for record in records(kind, folder, [probe])]
    found = merge_records(audit, every).findings
    assert sum(len(one.probed) for one in found) == sum(r.verdict == "fail" for r in every)
    return {one.location.symbol: one.message.partition(":")[0] for one in found}


def test_modules_that_fail_at_a_line_of_a_part_are_one_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ", ".join(f"{__name__}.{name}" for name in ("Part", "Network", "Block"))
    found = findings([Network, Block, Part], tmp_path, monkeypatch)
    assert found == {"Part": names}


def test_a_part_that_was_not_probed_or_is_sound_has_no_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = findings([Network, Sound, Misuse], tmp_path, monkeypatch)
    assert set(found) == {"Network", "Misuse"}


def test_modules_that_give_a_sound_part_the_wrong_dtype_are_one_finding_at_the_innermost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = findings([Stack, Sound, Misuse, Scaled], tmp_path, monkeypatch)
    assert found == {
        "Scaled": f"{__name__}.Scaled, {__name__}.Stack",
        "Misuse": f"{__name__}.Misuse",
    }


def test_two_precisions_that_fail_at_one_line_are_one_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = findings([InFloat, Rotary], tmp_path, monkeypatch)
    assert found == {"Rotary": f"{__name__}.Rotary, {__name__}.InFloat"}
    failed = (record for kind in (Rotary, InFloat) for record in records(kind, tmp_path))
    codes = [record.code for record in failed if record.verdict == "fail"]
    assert codes == ["bfloat16", "double"]


def test_classes_that_fail_at_a_line_of_their_base_are_one_finding_at_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = findings([OtherForecast, Forecast], tmp_path, monkeypatch, "global-state")
    assert found == {"Forecast": f"{__name__}.Forecast, {__name__}.OtherForecast"}


def test_a_table_that_a_move_leaves_behind_is_one_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = records(PlainTable, tmp_path, ["followed-device", "followed-dtype"])
    assert [r.probe for r in found if r.verdict == "fail"] == ["followed-device"]
    (alone,) = records(PlainTable, tmp_path)
    assert alone.verdict == "fail"


@pytest.mark.parametrize(("folder", "is_finding"), [("testing", False), ("layers", True)])
def test_what_supports_the_tests_of_a_package_has_properties_only(
    folder: str, is_finding: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    package = f"support_{folder}"
    (tmp_path / package / folder).mkdir(parents=True)
    for parent in (tmp_path / package, tmp_path / package / folder):
        (parent / "__init__.py").touch()
    (tmp_path / package / folder / "parts.py").write_text(
        "import torch\nfrom torch import nn\n\n\nclass Part(nn.Module):\n"
        "    def forward(self, x):\n        return x @ torch.ones(8, 8)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    target = f"{package}.{folder}.parts:Part"
    place = {"path": f"{package}/{folder}/parts.py", "line": 5, "end_line": 7}
    known = plain_recipes([StoredRecipe(Recipe(target, call=Arguments((TensorSpec((2, 8)),))))])
    checked = check_class({"target": target, **place}, str(tmp_path), ["followed-dtype"], known)
    assert [r.verdict == "fail" for r in checked.records] == [is_finding]
    assert bool(checked.coverage.properties) is not is_finding


def test_modules_whose_part_or_base_fails_by_itself_are_one_finding_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = [Dropping, DroppedAndScaled, DroppedElsewhere, Dropped]
    found = findings(kinds, tmp_path, monkeypatch, "deterministic-evaluation")
    assert found == {
        "Dropped": ", ".join(
            f"{__name__}.{n}" for n in ("Dropped", "Dropping", "DroppedAndScaled")
        ),
        "DroppedElsewhere": f"{__name__}.DroppedElsewhere",
    }


def test_a_module_whose_part_was_not_probed_keeps_its_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = findings([Dropping], tmp_path, monkeypatch, "deterministic-evaluation")
    assert set(found) == {"Dropping"}
