"""The base of the probes of contracts that every module keeps: no promise is needed for them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import ClassVar

from torch import nn

from esper_audit.findings.probe_record import Plain
from esper_audit.probes.probe import Probe
from esper_audit.probes.recipes.materialise import import_name
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.subject.subject import Subject

SAMPLING_NAME = re.compile(
    r"nois|sampl|variational|augment|random|stochastic|gumbel|reparam|bernoulli|monte_?carlo|perturb|jitter"
    r"|diffus|generat|vae|corrupt|mix_?up|cut_?mix",
    re.IGNORECASE,
)
SAMPLING_TEXT = re.compile(
    r"\bsampl(ing|ed)\b|\bsamples from|stochastic|\bnois[ey]\b|variational|augment|gumbel|randomly|reparameteri"
    r"|\bdraws?\b.{0,30}\brandom|\bdrawn (per|at|in|for) (each|every|forward|call)",
    re.IGNORECASE,
)
IN_TRAINING = re.compile(
    r"\b(in|during|only|while) training\b|train(ing)? (mode|only)", re.IGNORECASE
)
NOT_IN_TRAINING = re.compile(r"eval|inference|\btest|predict|augment", re.IGNORECASE)
SAMPLING_CALL = re.compile(
    r"(torch\.)?(randn|rand|bernoulli|multinomial|randint|randperm|rand_like|randn_like|gumbel_softmax"
    r"|uniform_|normal_|bernoulli_|exponential_|rsample|sample)\("
)


class UniversalProbe(Probe[Discovered]):
    """A probe of a contract that needs no promise.

    `program_of` returns a program in plain PyTorch that fails by an assertion, and the last line of its
    error. `by_design` returns why a breach is a property of the module rather than a finding, if it is.
    `possible` names the detectors of which maintainers mend fewer than nine in ten failures: these are listed
    with the class, and findings only where the probe is requested or `probing.possible` is configured.
    """

    takes: ClassVar[type[Subject] | tuple[type[Subject], ...]] = Discovered
    requires: ClassVar[tuple[str, ...]] = ()
    has_separate_causes: ClassVar[bool] = True
    possible: ClassVar[frozenset[str]] = frozenset()

    def program_of(
        self, subject: Discovered, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return a program that shows the breach of a detector, and the error that it ends with."""
        raise NotImplementedError

    def reproduction(
        self, subject: Discovered, state: str, detector: str, witness: Mapping[str, Plain]
    ) -> tuple[str, str]:
        """Return the program in plain PyTorch."""
        return self.program_of(subject, detector, witness)


def documentation_of(subject: Discovered) -> str:
    """Return the docstrings of a class and its forward, without those of `nn.Module`."""
    kind = import_name(subject.recipe.target)
    own = "" if kind.__doc__ == nn.Module.__doc__ else kind.__doc__ or ""
    return f"{own} {kind.forward.__doc__ or ''}"


def is_noisy_in_training(subject: Discovered) -> bool:
    """Return whether the documentation of a class says of its noise that it belongs to training."""
    sentences = re.split(r"[.;]\s|\n\s*\n", documentation_of(subject))
    noisy = [one for one in sentences if SAMPLING_NAME.search(one)]
    return any(IN_TRAINING.search(one) and not NOT_IN_TRAINING.search(one) for one in noisy)


def is_sampling_by_name(subject: Discovered) -> bool:
    """Return whether the name or the docstring of a class mentions sampling."""
    is_named = SAMPLING_NAME.search(subject.recipe.class_name)
    return bool(is_named or SAMPLING_TEXT.search(documentation_of(subject)))


def is_metric(subject: Discovered) -> bool:
    """Return whether a class or function measures a result, by its module or base: nothing is trained by it."""
    target = import_name(subject.recipe.target)
    is_in_metrics = {"metric", "metrics"} & set(target.__module__.split("."))
    bases = target.__mro__ if isinstance(target, type) else ()
    return bool(is_in_metrics) or any(base.__name__ == "Metric" for base in bases)


def sampling_calls(module: nn.Module) -> str:
    """Return the first call in a forward of a module's own classes that samples, empty if there is none."""
    kinds = {type(part) for part in module.modules()}
    for kind in sorted(kinds, key=lambda one: one.__qualname__):
        if kind.__module__.startswith("torch."):
            continue
        if SAMPLING_NAME.search(kind.__name__):
            return kind.__name__
        try:
            found = SAMPLING_CALL.search(inspect.getsource(kind))
        except (OSError, TypeError):
            continue
        if found:
            return found[0].rstrip("(")
    return ""
