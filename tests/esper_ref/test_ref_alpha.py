"""Alpha: its curves, and the controller that follows them."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esper_ref import AlphaController, AlphaCurve, AlphaMode
from esper_ref.errors import AlphaError, CheckpointKeyError

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTHS = (1, 2, 3, 10, 1000)
STEEPNESSES = (1e-300, 1e-6, 1.0, 12.0, 1e3, 1e8)
unit = st.floats(0.0, 1.0)


def ramp(controller: AlphaController) -> list[float]:
    """Step until the controller says it is done; the alphas on the way, the first included."""
    alphas = [controller.alpha]
    done = False
    while not done:
        done = controller.step()
        alphas.append(controller.alpha)
    return alphas


@pytest.mark.parametrize(
    ("t", "height"),
    [(0.0, 0.0), (0.2, 0.024244), (0.4, 0.230141), (0.6, 0.769859), (0.8, 0.975756), (1.0, 1.0)],
)
def test_the_sigmoid_at_12_has_the_heights_of_its_table(t: float, height: float) -> None:
    # the table has six decimals
    assert AlphaCurve.SIGMOID.at(t, 12.0) == pytest.approx(height, abs=5e-7)


def test_linear_is_t_and_cosine_is_half_of_one_less_cosine() -> None:
    for t in (0.0, 0.1, 0.25, 0.5, 0.9, 1.0):
        assert AlphaCurve.LINEAR.at(t) == t
        assert AlphaCurve.COSINE.at(t) == pytest.approx((1 - math.cos(math.pi * t)) / 2, abs=1e-16)


@given(curve=st.sampled_from(AlphaCurve), k=st.floats(5e-324, allow_nan=False))
def test_a_curve_is_exact_at_both_ends_and_halfway(curve: AlphaCurve, k: float) -> None:
    assert curve.at(0.0, k) == 0.0
    assert curve.at(1.0, k) == 1.0
    assert curve.at(0.5, k) == pytest.approx(0.5, abs=1e-15)


@given(curve=st.sampled_from(AlphaCurve), k=st.floats(5e-324), t=unit, u=unit)
def test_a_curve_is_monotone_and_stays_in_the_unit_interval(
    curve: AlphaCurve, k: float, t: float, u: float
) -> None:
    low, high = curve.at(min(t, u), k), curve.at(max(t, u), k)
    assert 0.0 <= low <= 1.0
    assert 0.0 <= high <= 1.0
    assert low <= high + 1e-15  # cos and tanh are rounded, each to its own nearest


@pytest.mark.parametrize("t", [-0.1, 1.1, math.nan])
def test_a_curve_has_no_value_outside_its_interval(t: float) -> None:
    with pytest.raises(AlphaError, match="defined on"):
        AlphaCurve.COSINE.at(t)


@pytest.mark.parametrize("curve", AlphaCurve)
@pytest.mark.parametrize(("start", "target"), [(0.0, 1.0), (1.0, 0.0), (0.3, 0.7), (0.9, 0.2)])
def test_a_ramp_is_monotone_and_exact_after_just_its_steps(
    curve: AlphaCurve, start: float, target: float
) -> None:
    for steps, k in product(LENGTHS, STEEPNESSES):
        controller = AlphaController(alpha=start, alpha_start=start, alpha_target=start)
        controller.retarget(
            alpha_target=target, alpha_steps_total=steps, alpha_curve=curve, alpha_steepness=k
        )
        alphas = ramp(controller)
        assert len(alphas) == steps + 1
        assert alphas[0] == start
        assert alphas[-1] == target
        assert alphas == sorted(alphas, reverse=target < start)
        assert controller.holds_target


@given(moves=st.lists(st.tuples(unit, st.integers(0, 6), st.sampled_from(AlphaCurve)), max_size=6))
def test_no_sequence_of_ramps_overshoots_or_stops_short(
    moves: list[tuple[float, int, AlphaCurve]],
) -> None:
    controller = AlphaController()
    for target, steps, curve in moves:
        low, high = sorted((controller.alpha, target))
        controller.retarget(alpha_target=target, alpha_steps_total=steps, alpha_curve=curve)
        assert all(low <= alpha <= high for alpha in ramp(controller))
        assert controller.alpha == target
        assert controller.alpha_mode is AlphaMode.HOLD


def test_a_ramp_says_which_way_it_goes() -> None:
    controller = AlphaController()
    controller.retarget(alpha_target=1.0, alpha_steps_total=2)
    assert controller.alpha_mode is AlphaMode.UP
    ramp(controller)
    controller.retarget(alpha_target=0.0, alpha_steps_total=2)
    assert controller.alpha_mode is AlphaMode.DOWN


def test_a_new_target_is_refused_while_ramping_and_changes_nothing() -> None:
    controller = AlphaController()
    controller.retarget(alpha_target=1.0, alpha_steps_total=5)
    controller.step()
    before = controller.to_dict()
    with pytest.raises(AlphaError, match="Retarget once it holds"):
        controller.retarget(alpha_target=0.0, alpha_steps_total=5)
    assert controller.to_dict() == before


@pytest.mark.parametrize("steepness", [1e10, 1e300, math.inf])
def test_a_very_small_temperature_is_an_immediate_snap(steepness: float) -> None:
    controller = AlphaController(alpha_curve=AlphaCurve.SIGMOID)
    controller.retarget(alpha_target=0.8, alpha_steps_total=10, alpha_steepness=steepness)
    assert controller.alpha == 0.8
    assert controller.step() is True


def test_a_ramp_of_no_steps_is_an_immediate_snap() -> None:
    controller = AlphaController()
    controller.retarget(alpha_target=0.8, alpha_steps_total=0)
    assert controller.holds_target
    assert controller.alpha == 0.8


@pytest.mark.parametrize("curve", AlphaCurve)
def test_a_controller_read_back_at_any_tick_goes_on_the_same(curve: AlphaCurve) -> None:
    controller = AlphaController()
    controller.retarget(alpha_target=0.9, alpha_steps_total=7, alpha_curve=curve)
    for _ in range(9):
        copy = AlphaController.from_dict(controller.to_dict())
        assert copy == controller
        assert copy.step() == controller.step()
        assert copy == controller


@pytest.mark.parametrize("change", [{"alpha": None}, {"alpha_wobble": 1}])
def test_a_controller_is_not_read_from_other_keys(change: dict[str, int | None]) -> None:
    d = AlphaController().to_dict()
    for key, value in change.items():
        if value is None:
            del d[key]
        else:
            d[key] = value
    with pytest.raises(CheckpointKeyError, match=next(iter(change))):
        AlphaController.from_dict(d)


@pytest.mark.parametrize("steps", [(-1, 0), (1, 0)])
def test_a_controller_that_could_not_have_come_about_is_refused(steps: tuple[int, int]) -> None:
    with pytest.raises(AlphaError, match="steps"):
        AlphaController(alpha_steps_done=steps[0], alpha_steps_total=steps[1])


def assert_refuses_nonsense(set_alpha: Callable[[float], None]) -> None:
    for nonsense in (math.nan, -1e-9, 1.0 + 1e-9, math.inf, -math.inf):
        try:
            set_alpha(nonsense)
        except AlphaError:
            continue
        raise AssertionError(f"{nonsense} was taken")


def test_an_alpha_that_is_none_is_refused_and_not_clamped() -> None:
    controller = AlphaController()
    assert_refuses_nonsense(lambda a: controller.retarget(alpha_target=a, alpha_steps_total=0))
    assert_refuses_nonsense(lambda a: AlphaController(alpha=a) and None)
    assert controller == AlphaController()


def test_the_test_above_sees_a_setter_that_clamps() -> None:
    def clamping(a: float) -> None:
        assert 0.0 <= max(0.0, min(1.0, a)) <= 1.0  # and NaN becomes 1: full blend

    with pytest.raises(AssertionError, match="was taken"):
        assert_refuses_nonsense(clamping)


def test_a_controller_on_its_way_down_takes_no_new_target() -> None:
    controller = AlphaController(1.0, 1.0, 1.0)
    controller.retarget(alpha_target=0.0, alpha_steps_total=4)
    controller.step()
    before = controller.to_dict()
    with pytest.raises(AlphaError, match="ramping down"):
        controller.retarget(alpha_target=1.0, alpha_steps_total=4)
    assert controller.to_dict() == before
