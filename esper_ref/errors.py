"""The one error family of the library: every error a caller may want to catch has a name here."""

from __future__ import annotations


class EsperRefError(Exception):
    """Whatever goes wrong by a rule of this library."""


class MissingTorchError(EsperRefError, ImportError):
    """PyTorch is not installed."""


class TopologyError(EsperRefError, ValueError):
    """A topology that does not exist, or features that do not have its layout."""


class IllegalTransitionError(EsperRefError):
    """A move that `VALID_TRANSITIONS` does not hold. Nothing was changed."""


class AlphaError(EsperRefError, ValueError):
    """An alpha that is NaN or outside [0, 1], or a ramp that contradicts itself."""


class BlendError(EsperRefError, ValueError):
    """A blend that lacks one of its operands."""


class MetricError(EsperRefError, ValueError):
    """A measurement that is no number, is out of range, or has no data."""


class RulesError(EsperRefError, ValueError):
    """A threshold or a time with which no decision can be made."""


class GateError(EsperRefError, ValueError):
    """A gate that does not exist, or a stage that no gate guards."""


class PolicyError(EsperRefError, ValueError):
    """An action of a growth policy that cannot be taken."""


class SlotError(EsperRefError):
    """A slot asked to do what its stage does not allow."""


class BlueprintError(EsperRefError, ValueError):
    """A blueprint that is registered twice, or not at all."""


class HostError(EsperRefError, TypeError):
    """An object that is not a host."""


class RoutingError(EsperRefError, ValueError):
    """A segment that does not exist, or a route that runs backwards."""


class DistributedError(EsperRefError, RuntimeError):
    """Ranks that are not at the same gate."""


class CheckpointError(EsperRefError):
    """A checkpoint that cannot be used. The model was not changed."""


class CheckpointKeyError(CheckpointError, ValueError):
    """A checkpoint with a missing or an unknown key."""


class CheckpointValueError(CheckpointError, ValueError):
    """A checkpoint in which a key has a value that cannot be."""


class CheckpointVersionError(CheckpointError, ValueError):
    """A checkpoint in another format version."""


class CheckpointFileError(CheckpointError, OSError):
    """A checkpoint file that is truncated or not a checkpoint at all."""
