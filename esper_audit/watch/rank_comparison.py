"""Comparison of what the ranks of a run measured under the same key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from esper_audit.watch.records import Measured, Seen

PARTED = "parted"
SAME_BATCH = "same-on-ranks"
SAME_STREAM = "same-stream"


def compare_ranks(measured: Iterable[Measured]) -> Iterator[Seen]:
    """Yield the first key of each code under which ranks differ that should agree, or the reverse."""
    groups: dict[tuple[str, str], dict[int, Measured]] = {}
    for found in measured:
        groups.setdefault((found.code, found.key), {})[found.rank] = found
    reported: set[str] = set()
    for (code, key), by_rank in groups.items():
        if code in reported or len(by_rank) < 2:
            continue
        values = {found.value for found in by_rank.values()}
        if (len(values) > 1) == (code == PARTED):
            reported.add(code)
            yield _seen(_message(code, key, by_rank), by_rank)


def _message(code: str, key: str, by_rank: dict[int, Measured]) -> str:
    first, *others = sorted(by_rank)
    if code == PARTED:
        value = by_rank[first].value
        differing = [f"{rank}" for rank in others if by_rank[rank].value != value]
        return (
            f"parameters of rank {', '.join(differing)} differ from those of rank {first} at {key}: "
            "wrap the model on every rank, and replace no parameter after that"
        )
    ranks = ", ".join(map(str, sorted(by_rank)))
    if code == SAME_BATCH:
        return f"ranks {ranks} begin with the same batch: give the loader a DistributedSampler"
    return f"ranks {ranks} draw the same {key} while they load data: add the rank to the seed"


def _seen(message: str, by_rank: dict[int, Measured]) -> Seen:
    first = by_rank[min(by_rank)]
    ranks = len(by_rank)
    return Seen(first.check, first.code, first.place, 0, message, {"ranks": ranks}, first.rank)
