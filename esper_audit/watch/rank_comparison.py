"""Comparison of what the ranks of a run measured under the same key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from esper_audit.watch.records import Measured, Seen

PARTED = "ranks-agree"
SAME = "data-varies"


def compare_ranks(measured: Iterable[Measured]) -> Iterator[Seen]:
    """Yield the first key of a monitor under which ranks differ that should agree, or the reverse."""
    groups: dict[tuple[str, str], dict[int, Measured]] = {}
    for found in measured:
        groups.setdefault((found.check, found.key), {})[found.rank] = found
    reported: set[str] = set()
    for (check, key), by_rank in groups.items():
        values = {found.value for found in by_rank.values()}
        if check in reported or len(by_rank) < 2:
            continue
        if check == PARTED and len(values) > 1:
            reported.add(check)
            yield _parted(key, by_rank)
        if check == SAME and len(values) == 1:
            reported.add(check)
            yield _same(key, by_rank)


def _parted(key: str, by_rank: dict[int, Measured]) -> Seen:
    first = by_rank[min(by_rank)]
    others = [rank for rank, found in sorted(by_rank.items()) if found.value != first.value]
    message = (
        f"parameters of rank {', '.join(map(str, others))} differ from those of rank {first.rank} "
        f"at {key}: wrap the model on every rank, and replace no parameter after that"
    )
    return Seen(PARTED, "parted", first.place, 0, message, {"ranks": len(by_rank)}, first.rank)


def _same(key: str, by_rank: dict[int, Measured]) -> Seen:
    first = by_rank[min(by_rank)]
    ranks = ", ".join(map(str, sorted(by_rank)))
    message = f"ranks {ranks} begin with the same batch: give the loader a DistributedSampler"
    return Seen(SAME, "same-on-ranks", first.place, 0, message, {"ranks": len(by_rank)}, first.rank)
