"""The cache of what probing returned for unchanged classes and subjects."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import msgspec

from esper_audit.project.config import Project
from esper_audit.project.content_cache import ContentCache
from esper_audit.project.engine_fingerprint import content_digest, package_fingerprint
from esper_audit.rules.probe_catalogue import plugin_modules, probe_source

PURPOSE = "probes"
Value = TypeVar("Value")


class UnitCache:
    """Results by name and digest of what they depend on, in a file of the project.

    The file counts as absent if this package, the installed packages, Python, torch or the limits of
    probing are others. A run that is killed leaves what `save_new` wrote.
    """

    def __init__(self, project: Project, *, enabled: bool) -> None:
        surroundings = msgspec.json.encode(
            [
                torch_version(),
                project.config.probing.seconds,
                project.config.probing.memory,
                project.config.preload,
                [*map(probe_source, plugin_modules())],
            ]
        )
        made_by = digest_of(
            package_fingerprint().hex(), sys.version, importable_names(), surroundings.hex()
        )
        self._answers = ContentCache(project.root, PURPOSE, made_by, bytes, enabled=enabled)
        self.save, self.save_new = self._answers.save, self._answers.save_new

    def get(self, name: str, digest: bytes, kind: type[Value]) -> Value | None:
        """Return the result of a name with this digest, None if there is none."""
        encoded = self._answers.get(name, digest)
        if encoded is None:
            return None
        try:
            return msgspec.msgpack.decode(encoded, type=kind)
        except msgspec.MsgspecError:  # damaged inside
            return None

    def put(self, name: str, digest: bytes, value: object) -> None:
        """Set the result of a name, which `save` or `save_new` writes."""
        self._answers.put(name, digest, msgspec.msgpack.encode(value))


def importable_names() -> list[tuple[str, list[str]]]:
    """Return what lies in each folder that Python imports from: packages, and their versions by name."""
    folders = [path for path in sys.path if os.path.isdir(path)]
    return [(path, sorted(set(os.listdir(path)) - {"__pycache__"})) for path in folders]


def torch_version() -> str:
    """Return the version of the installed torch, empty if there is none."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def digest_of(*parts: object) -> bytes:
    """Return a digest of plain data and bytes."""
    return content_digest(msgspec.json.encode(parts, order="sorted"))
