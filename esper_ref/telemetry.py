"""What a slot tells the outside: one frozen dataclass an event, given to callbacks or a file."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from esper_ref.lifecycle import SeedStage

if TYPE_CHECKING:
    import os
    from types import TracebackType

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """Something that happened to the seed of one slot."""

    slot_id: str
    seed_id: str


@dataclass(frozen=True)
class Germinated(Event):
    """A seed was put into the slot."""

    blueprint_id: str
    topology: str
    parameters: int


@dataclass(frozen=True)
class GateEvaluated(Event):
    """A gate was asked. `ranks_differing` are those whose own evidence said otherwise."""

    blueprint_id: str
    gate: str
    target: SeedStage
    passed: bool
    score: float
    checks_passed: tuple[str, ...]
    checks_failed: tuple[str, ...]
    message: str
    gradient_ratio: float | None
    ranks_differing: tuple[int, ...]


@dataclass(frozen=True)
class StageChanged(Event):
    """The seed moved. `epochs_in_stage` is how long it was in `before`."""

    before: SeedStage
    after: SeedStage
    epochs_in_stage: int
    counterfactual_contribution: float | None
    blending_delta: float | None


@dataclass(frozen=True)
class GateStatisticsRecorded(Event):
    """What the learned gate did in the last forward of the epoch."""

    mean: float
    std: float
    min: float
    max: float


@dataclass(frozen=True)
class NearThreshold(Event):
    """A gradient ratio was so near its threshold that the gate might as well have said no."""

    blueprint_id: str
    ratio: float
    threshold: float


@dataclass(frozen=True)
class Fossilized(Event):
    """The seed is part of the network for good."""

    blueprint_id: str
    counterfactual_contribution: float | None


@dataclass(frozen=True)
class Culled(Event):
    """The seed was removed."""

    blueprint_id: str
    reason: str


EventCallback = Callable[[Event], None]


class Telemetry:
    """Hands every event to its callbacks, in order.

    A callback that raises is reported, on the log with its traceback and in `failures`, and
    neither stops training nor keeps the event from the other callbacks. Interrupts pass through.
    A copy of a model reports to the same listeners, so a copy of a `Telemetry` is itself.
    """

    def __init__(self, *callbacks: EventCallback) -> None:
        self.callbacks = callbacks
        self.failures: list[tuple[Event, Exception]] = []

    def emit(self, event: Event) -> None:
        """Pass an event to every listener."""
        for callback in self.callbacks:
            with _Reported(self, event, callback):
                callback(event)

    def __deepcopy__(self, memo: dict[int, object]) -> Telemetry:
        """Return itself: listeners are shared, not copied."""
        return self


class _Reported:
    """Turns an exception of a callback into a report.

    A context manager, not an `except`: what a callback may raise is not ours to enumerate.
    """

    def __init__(self, telemetry: Telemetry, event: Event, callback: EventCallback) -> None:
        self.telemetry, self.event, self.callback = telemetry, event, callback

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self.telemetry.failures.append((self.event, error))
        logger.error(
            "telemetry callback %r raised on %s; training goes on without it for this event",
            self.callback,
            self.event,
            exc_info=error,
        )
        return True


class JsonLinesWriter:
    """A callback that appends each event to a file as one line of JSON.

    Opened for each line: it survives being copied with the model, and a killed run loses at most
    the line it was writing.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def __call__(self, event: Event) -> None:
        """Append `event`."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(event_as_json(event) + "\n")


class GradientRatioLog:
    """A callback that keeps every gradient ratio G2 saw, by blueprint.

    What a threshold or a normalisation should be is a question to these distributions.
    """

    def __init__(self) -> None:
        self.ratios: dict[str, list[float]] = {}

    def __call__(self, event: Event) -> None:
        """Note the ratio, if the event is G2's and the ratio was measured."""
        if not isinstance(event, GateEvaluated) or event.gate != "G2":
            return
        if event.gradient_ratio is not None:
            self.ratios.setdefault(event.blueprint_id, []).append(event.gradient_ratio)


def event_as_json(event: Event) -> str:
    """Return the event as a JSON object with its type under "event" and stages by name."""
    plain: dict[str, object] = {"event": type(event).__name__}
    for name, value in asdict(event).items():
        plain[name] = value.name if isinstance(value, SeedStage) else value
    return json.dumps(plain)
