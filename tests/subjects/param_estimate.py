"""The corpus of the probe `param-estimate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from subjects.cases import Case, broken, sound
from torch import nn

from esper_audit.subject import Blueprint, Catalogue, PlainValue, promise, sequences


def excitation(dim: int) -> nn.Module:
    reduced = max(1, dim // 4)
    return nn.Sequential(nn.Linear(dim, reduced, bias=False), nn.Linear(reduced, dim))


def excitation_size(dim: int) -> int:
    return 2 * dim * max(1, dim // 4) + dim


def square(dim: int) -> nn.Module:
    return nn.Linear(dim, dim)


def square_size(dim: int) -> int:
    return dim * dim + dim


class Tied(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.second.weight = self.first.weight


class NeedsValues(nn.Module):
    """A constructor that calls `.item()`, which the meta device lacks."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        rates = torch.linspace(0.0, 0.1, 2).tolist()
        self.layers = nn.Sequential(nn.Dropout(rates[1]), nn.Linear(dim, dim))


class HiddenLayers(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = [nn.Linear(dim, dim)]
        self.scale = nn.Parameter(torch.ones(dim))


class BorrowsFromTheHost(nn.Module):
    """Contains a layer on another device, such as a layer of the host."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.own, self.borrowed = nn.Linear(dim, dim), nn.Linear(4, 4, device="cpu")


class Floored(nn.Module):
    """At least eight channels whatever the width."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(dim, max(8, dim // 4), bias=False)


def grouped(dim: int) -> nn.Module:
    """A layer of four groups, which refuses other widths."""
    return nn.Conv1d(dim, dim, 1, groups=4, bias=False)


def cases() -> Iterator[Case]:
    yield sound(_blueprint("exact", excitation, excitation_size))
    yield sound(
        _blueprint("within-a-quarter", square, lambda d: 1.1 * square_size(d), relative=0.25)
    )
    yield sound(_blueprint("tied-counted-once", Tied, lambda d: d * d + 2 * d))
    yield sound(_blueprint("needs-values", NeedsValues, square_size))
    yield sound(_blueprint("nothing-to-count", lambda _dim: nn.Identity(), lambda _dim: 0))
    declared = _blueprint("declared-widths-alone", grouped, lambda d: d * d // 4)
    yield sound(replace(declared, dims=(8, 32)))
    yield sound(_catalogue("ordered", excitation_size))
    yield broken(_blueprint("constant-of-width-64", excitation, lambda _dim: 2112), "estimate")
    wrong_by_a_bias = lambda d: excitation_size(d) + max(1, d // 4)  # noqa: E731
    yield broken(_blueprint("both-biases", excitation, wrong_by_a_bias), "estimate")
    yield broken(_blueprint("floor-forgotten", Floored, lambda d: d * (d // 4)), "estimate")
    yield broken(_blueprint("tied-counted-twice", Tied, lambda d: 2 * square_size(d)), "estimate")
    not_a_number = lambda _dim: float("nan")  # noqa: E731
    yield broken(_blueprint("not-a-number", square, not_a_number), "estimate")
    lazy = lambda dim: nn.LazyLinear(dim)  # noqa: E731
    yield broken(_blueprint("lazy", lazy, lambda _dim: 0), "uninitialised")
    yield broken(_blueprint("hidden-layers", HiddenLayers, lambda d: d), "unregistered")
    borrowed_size = lambda d: square_size(d) + square_size(4)  # noqa: E731
    borrowing = _blueprint("borrows-from-the-host", BorrowsFromTheHost, borrowed_size)
    yield broken(borrowing, "elsewhere")
    yield broken(_catalogue("misordered", lambda _dim: 2112), "estimate order")


def _blueprint(
    name: str,
    build: Callable[[int], nn.Module],
    estimate: Callable[[int], float],
    **parameters: PlainValue,
) -> Blueprint:
    return Blueprint(
        name=name,
        build=build,
        inputs=sequences,
        estimate=estimate,
        promises=[promise("param-estimate", **parameters)],
    )


def _catalogue(name: str, estimate: Callable[[int], float]) -> Catalogue:
    recipes = {"excitation": (excitation, estimate), "square": (square, square_size)}
    return Catalogue(name=name, build=lambda: recipes, promises=[promise("param-estimate")])
