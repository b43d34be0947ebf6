"""The corpus of the probe `ddp-decision`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import torch
import torch.distributed as dist
from subjects.cases import Case, broken, inconclusive, sound

from esper_audit.subject import Decision, promise


def rank_0_decides(evidence: bool) -> bool:
    box = [evidence]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def all_must_agree(evidence: bool) -> bool:
    votes = torch.tensor(int(evidence))
    dist.all_reduce(votes, op=dist.ReduceOp.MIN)
    return bool(votes)


def each_for_itself(evidence: bool) -> bool:
    return evidence


def one_may_veto_for_itself(evidence: bool) -> bool:
    """Right in one of the two ways in which ranks can differ."""
    return all_must_agree(evidence) if dist.get_rank() == 1 else rank_1_decides(evidence)


def rank_1_decides(evidence: bool) -> bool:
    return all_must_agree(evidence) or evidence


def asks_only_when_in_doubt(evidence: bool) -> bool:
    """The rank that has decided does not join the collective operation."""
    return True if evidence else all_must_agree(evidence)


def sends_as_many_as_it_saw(evidence: bool) -> bool:
    votes = torch.zeros(2 if evidence else 1)
    dist.all_reduce(votes)
    return bool(votes.sum())


def raises_on_rank_1(evidence: bool) -> bool:
    if dist.get_rank() == 1 and not evidence:
        raise LookupError("no evidence on this rank")
    return rank_0_decides(evidence)


def dies_on_rank_1(evidence: bool) -> bool:
    if dist.get_rank() == 1:
        os._exit(0)
    return rank_0_decides(evidence)


def never(_seen: bool) -> bool:
    return False


def cases() -> Iterator[Case]:
    yield sound(_decision(rank_0_decides))
    yield sound(_decision(all_must_agree))
    yield broken(_decision(each_for_itself), "disagree")
    yield broken(_decision(one_may_veto_for_itself), "disagree")
    yield broken(_decision(asks_only_when_in_doubt), "no-answer")
    yield broken(_decision(sends_as_many_as_it_saw), "no-answer")
    yield broken(_decision(raises_on_rank_1), "no-answer")
    yield broken(_decision(dies_on_rank_1), "no-answer")
    yield inconclusive(_decision(never), "depends")


def _decision(function: Callable[[bool], bool]) -> Decision:
    return Decision(
        name=function.__name__,
        build=lambda: function,
        decide=lambda decide, evidence: decide(evidence),
        promises=[promise("ddp-decision")],
    )
