"""Objects that a recording writes down: what is built from them is again what a module can be given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributions, nn

from esper_audit.findings.coverage import Stage
from esper_audit.findings.probe_record import Verdict
from esper_audit.probes.catalogue.complete_state import CompleteState
from esper_audit.probes.catalogue.followed_device import FollowedDevice
from esper_audit.probes.catalogue.inputs_unmodified import InputsUnmodified
from esper_audit.probes.discovery.trial import attempt_call
from esper_audit.probes.recipes.materialise import import_name, materialise
from esper_audit.probes.recipes.plain_data import decode_value, encode_value
from esper_audit.probes.recipes.program import program
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.subject import subject_by_recipe
from esper_audit.probes.recipes.values import (
    Arguments,
    CallSpec,
    NameSpec,
    NotDescribable,
    TensorSpec,
)
from esper_audit.probes.recording.description import describe
from esper_audit.probes.recording.recipes import recipes_of
from esper_audit.probes.recording.signature import Recorded
from esper_audit.probes.subject.subject import BIRTH
from esper_audit.probes.units import Unit, measure_unit
from esper_audit.project.file_roles import Roles

pytestmark = pytest.mark.torch

COVARIANCE = torch.eye(3) * 0.7 + 0.1


class Divergence(nn.Module):
    """Is given a distribution, whose cached property it makes be computed."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, given: distributions.MultivariateNormal, x: Tensor) -> Tensor:
        assert given.covariance_matrix.shape[-1] == x.shape[-1]
        log_probability: Tensor = given.log_prob(x)  # type: ignore[no-untyped-call]  # of torch
        return self.scale * log_probability


class Shifting(nn.Module):
    """Overwrites what its argument is made of."""

    def forward(self, given: distributions.Normal) -> Tensor:
        given.loc.add_(1)
        return given.loc * 2


class Constant(nn.Module):
    """Is given a distribution that it does not look at."""

    def forward(self, given: distributions.Normal) -> Tensor:
        return torch.zeros(2)


def value_of(value: Any) -> Any:
    """Return the value of a recipe, by way of the plain data of its file."""
    return decode_value(encode_value(describe(value, lambda _: None)))


def drawn_again(value: Any, seed: int = 0) -> Any:
    return materialise(value_of(value), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "given",
    [
        distributions.Normal(torch.zeros(4), torch.ones(4)),
        distributions.LogNormal(torch.zeros(2, 3), torch.full((2, 3), 0.3)),
        distributions.Uniform(torch.zeros(3), torch.tensor([1.0, 2.0, 5.0])),
        distributions.Categorical(probs=torch.tensor([[0.2, 0.8], [0.5, 0.5]])),
        distributions.Bernoulli(logits=torch.randn(5)),
        distributions.Binomial(torch.tensor(7.0), probs=torch.rand(4)),
        distributions.Dirichlet(torch.rand(2, 3) + 1),
        distributions.MultivariateNormal(torch.zeros(3), COVARIANCE),
        distributions.MultivariateNormal(torch.zeros(2, 3), scale_tril=COVARIANCE.tril()),
        distributions.Independent(distributions.Normal(torch.zeros(2, 3), torch.ones(2, 3)), 1),
        distributions.MixtureSameFamily(
            distributions.Categorical(torch.rand(4)),
            distributions.Normal(torch.zeros(4), torch.ones(4)),
        ),
        distributions.TransformedDistribution(
            distributions.Normal(torch.zeros(2), torch.ones(2)), distributions.ExpTransform()
        ),
    ],
    ids=lambda given: type(given).__name__,
)
def test_a_distribution_is_made_again_of_its_kind_and_shapes(
    given: distributions.Distribution,
) -> None:
    again = drawn_again(given)
    assert type(again) is type(given)
    assert (again.batch_shape, again.event_shape) == (given.batch_shape, given.event_shape)
    assert again.log_prob(again.sample()).isfinite().all()


def test_what_a_distribution_computed_meanwhile_is_not_given_again() -> None:
    given = distributions.Categorical(logits=torch.randn(3))
    assert given.probs.sum() > 0  # computed now, and kept
    value = value_of(given)
    assert isinstance(value, CallSpec)
    assert [*value.kwargs] == ["logits"]


def test_a_covariance_that_is_positive_definite_but_for_rounding_is_drawn_so() -> None:
    given = distributions.MultivariateNormal(torch.zeros(3), COVARIANCE)
    given.covariance_matrix = torch.ones(3, 3)
    assert torch.linalg.cholesky(drawn_again(given).covariance_matrix).isfinite().all()


def test_describing_a_distribution_leaves_nothing_in_it() -> None:
    given = distributions.MultivariateNormal(torch.zeros(3), COVARIANCE)
    before = set(vars(given))
    value_of(given)
    assert set(vars(given)) == before


def test_a_covariance_is_drawn_positive_definite_and_anew() -> None:
    first, second = drawn_again(COVARIANCE), drawn_again(COVARIANCE, seed=1)
    assert torch.linalg.cholesky(first).isfinite().all()
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(3, 3),
        torch.ones(3, 3),  # positive semidefinite only
        torch.eye(3),  # an adjacency, or a mask, as likely as a covariance
        torch.tensor([[0.1, 0.9], [0.9, 0.1]]),
        torch.rand(1, 1),
    ],
)
def test_another_square_is_a_plain_tensor(tensor: Tensor) -> None:
    assert isinstance(value_of(tensor), TensorSpec)


def test_a_size_is_a_size_again() -> None:
    assert isinstance(drawn_again(torch.Size([2, 3])), torch.Size)


def local_function(x: Tensor) -> Tensor:
    return x


class Needy:
    def __init__(self, width: int) -> None:
        self.other = width


def test_what_has_a_name_is_written_by_it_and_what_has_none_says_so() -> None:
    assert value_of(local_function) == NameSpec(f"{__name__}:local_function")
    rows = [lambda x: x, lambda x: -x]
    places: list[Any] = []
    for size in (2, 3):

        class Sized:
            places.append(size)

    for value, reason in (
        (rows[0], "a lambda, .*whose source is not unique"),
        (Sized, "which reads places, size around it"),
        (eval("lambda x: x"), "a lambda, <lambda>, whose source is not unique"),
        (__file__, "the path of a file or folder of this machine"),
        ("word " * 17, "a text of 85 characters"),
        (Needy(3), "a Needy, which does not keep its argument width"),
    ):
        with pytest.raises(NotDescribable, match=reason):
            value_of(value)


TEST_MODULE = """
import torch
from beside import WIDTH


class Model(torch.nn.Linear):
    def __init__(self):
        super().__init__(WIDTH, WIDTH)
"""


def test_a_class_of_a_test_module_is_written_and_imported_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_model.py").write_text(TEST_MODULE)
    (tmp_path / "tests" / "beside.py").write_text("WIDTH = 5\n")
    (tmp_path / "parts.py").write_text("")
    files = {
        "test_model": "tests/test_model.py",
        "parts": "parts.py",
        "torch_extra": "/x/tests/a.py",
    }
    named = {
        "args": [{"call": "test_model:Model"}, {"name": "parts:Part"}, {"name": "torch_extra:A"}]
    }
    located = {module: str(tmp_path / file) for module, file in files.items()}
    recorded = Recorded("parts:Block", located["parts"], build=named, call={}, files=located)
    (stored,) = recipes_of([recorded], Roles(), str(tmp_path))["parts:Block"]
    model, part, installed = stored.recipe.build.args
    assert model == CallSpec("tests/test_model.py:Model")
    assert (part, installed) == (NameSpec("parts:Part"), NameSpec("torch_extra:A"))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    try:
        assert import_name("tests/test_model.py:Model")().in_features == 5
        text = program(Recipe(f"{__name__}:Constant", Arguments((model,))), [])
        assert "from tests.test_model import Model" in text
    finally:
        for name in ("tests.test_model", "beside"):
            sys.modules.pop(name, None)


def test_of_signatures_that_differ_in_numbers_alone_the_cheapest_is_written() -> None:
    def recorded(cost: int, size: int, **build: Any) -> Recorded:
        call = {"args": [{"tensor": [size, size]}, {"tuple": [size] * size}]}
        return Recorded("parts:Block", "", {"kwargs": build}, call, cost)

    found = [
        recorded(5, 3, width=3, mode="a"),
        recorded(4, 2, width=2, mode="a"),
        recorded(7, 3, width=3, mode="b"),
        recorded(6, 3, width=None, mode="a"),
    ]
    written = recipes_of(found, Roles(), "/")["parts:Block"]
    kwargs = [one.recipe.build.kwargs for one in written]
    assert kwargs == [
        {"width": 2, "mode": "a"},
        {"width": None, "mode": "a"},
        {"width": 3, "mode": "b"},
    ]


def test_a_signature_without_parts_of_tests_comes_first() -> None:
    fake, real = ({"args": [{"call": f"{module}:Act"}]} for module in ("fakes", "parts"))
    files = {"fakes": "/x/tests/test_fakes.py", "parts": "/x/parts.py"}
    found = [
        Recorded("parts:Block", "/x/parts.py", build, {}, cost, files=files)
        for cost, build in ((1, fake), (9, real))
    ]
    written = recipes_of(found, Roles(), "/x")["parts:Block"]
    assert [one.recipe.build.args[0] for one in written] == [
        CallSpec("parts:Act"),
        CallSpec("tests/test_fakes.py:Act"),
    ]


def recipe_of(kind: type, *call: Any) -> Recipe:
    return Recipe(f"{__name__}:{kind.__qualname__}", call=Arguments(tuple(map(value_of, call))))


NORMAL = distributions.Normal(torch.full((4,), 0.5), torch.ones(4))


def test_a_module_that_is_given_a_distribution_runs() -> None:
    given = distributions.MultivariateNormal(torch.zeros(3), scale_tril=COVARIANCE.tril())
    recipe = recipe_of(Divergence, given, torch.randn(2, 3))
    assert attempt_call(recipe, Divergence()).stage is Stage.RUN
    subject = subject_by_recipe(recipe)
    unmodified = measure_unit(Unit(subject, BIRTH, InputsUnmodified(), ()))
    assert unmodified.verdict is Verdict.PASS  # what the distribution computed is no change of it
    moved = measure_unit(Unit(subject, BIRTH, FollowedDevice(), ()))
    assert moved.verdict is not Verdict.FAIL  # a distribution stays where it is


def test_a_module_that_does_not_look_at_its_distribution_is_fed_and_does_not_run() -> None:
    assert attempt_call(recipe_of(Constant, NORMAL), Constant()).stage is Stage.FED


def test_a_module_that_overwrites_what_a_distribution_is_made_of_is_found() -> None:
    subject = subject_by_recipe(recipe_of(Shifting, NORMAL))
    record = measure_unit(Unit(subject, BIRTH, InputsUnmodified(), ()))
    assert record.verdict is Verdict.FAIL
    assert "loc" in str(record.witness)


class Masked(nn.Module):
    """Keeps as many features as its mask has."""

    kept: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", mask.nonzero())

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.kept[:, 0]]


def test_each_construction_of_a_module_is_given_the_same_tensors() -> None:
    mask, x = TensorSpec((9,), "int64", 0, 2), TensorSpec((2, 9))
    recipe = Recipe(f"{__name__}:Masked", Arguments((mask,)), Arguments((x,)))
    record = measure_unit(Unit(subject_by_recipe(recipe), BIRTH, CompleteState(), ()))
    assert record.verdict is Verdict.PASS
    text = program(recipe, ["other = BUILD"])
    assert "argument = torch.randint(0, 2, (9,))\nmodule = Masked(argument).eval()" in text
    assert "other = Masked(argument)" in text


def test_a_program_makes_a_distribution_once() -> None:
    given = distributions.Normal(torch.zeros(2), torch.ones(2))
    text = program(
        recipe_of(Divergence, given, torch.randn(2)),
        ["first = module(CALL)", "second = module(CALL)"],
    )
    assert text.count("Normal(") == 1
    assert "first = module(given, x)\nsecond = module(given, x)" in text


class Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.mix(x)
        return mixed


def test_a_copied_layer_is_recorded_as_the_layer_that_it_was_copied_from() -> None:
    # In a process of its own: the hooks of a recorder stay.
    program = f"""
import copy, pickle, sys, torch
sys.path[:0] = {[str(Path(__file__).parent)]}
from esper_audit.probes.recording.recorder import Recorder
found = []
Recorder(lambda kind: kind.__name__ == "Layer", found.append).install()
from test_recorded_values import Layer
layer = Layer(6)
copy.deepcopy(layer)(torch.randn(2, 6))
pickle.loads(pickle.dumps(layer))(torch.randn(3, 6))
print([(one.build, one.call and one.call["args"][0]["tensor"]) for one in found])
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    built = {"args": [6]}
    assert ran.stdout.strip() == str([(built, None), (built, [2, 6])])


COUNTED = """
import sys, torch
from unittest import mock
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
if "record" in sys.argv:
    from esper_audit.probes.recording.recorder import Recorder
    found = []
    Recorder(lambda kind: True, found.append).install()
seen = []

class Functions(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        seen.append(function.__name__)
        return function(*args, **(kwargs or {}))

class Dispatched(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        seen.append(str(function))
        return function(*args, **(kwargs or {}))

class Sum(torch.nn.Module):
    def forward(self, x, ids):
        return x.sum() + ids.sum()

covariance = torch.eye(3) * 0.7 + 0.1
with mock.patch("torch.linalg.cholesky_ex") as factor, mock.patch("torch.equal") as equal:
    with Functions(), Dispatched():
        Sum()(covariance, torch.tensor([3, 4]))
assert not factor.called and not equal.called
assert "record" not in sys.argv or [one for one in found if one.call]
print(*seen)
"""


def test_modes_and_replacements_of_the_command_see_no_operation_of_the_recording(
    tmp_path: Path,
) -> None:
    (tmp_path / "counted.py").write_text(COUNTED)
    ran = [
        subprocess.run([sys.executable, tmp_path / "counted.py", *words], capture_output=True)
        for words in ([], ["record"])
    ]
    assert not ran[1].returncode, ran[1].stderr
    seen = [one.stdout.decode() for one in ran]
    assert "aten.sum" in seen[0]
    assert seen[0] == seen[1]
