"""The parts of the facts of many files, equal ones held once: repetition is most of their memory."""

from __future__ import annotations

from collections.abc import Mapping
from sys import intern
from typing import Any, TypeVar

from msgspec.structs import force_setattr

from esper_audit.source.facts.access_path import AccessPath
from esper_audit.source.facts.records import (
    Bound,
    CallArguments,
    Definition,
    FileFacts,
    Mention,
    Parameter,
    Paths,
    ScopeFacts,
)

Part = TypeVar("Part")
NO_ATTRIBUTES: Mapping[str, tuple[Bound, ...]] = {}


class SharedParts:
    """Replaces the parts of facts that were just decoded by equal ones of other facts."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def share(self, facts: FileFacts) -> None:
        """Let equal paths, names, numbers, parameters and arguments be one object."""
        for scope in facts.scopes:
            self._share_scope(scope)
        for definition in facts.definitions:
            self._share_definition(definition)
        for mention in facts.mentions:
            self._share_mention(mention)
        one = self._one
        for word, places in facts.strings.items():
            facts.strings[word] = tuple((one(line), one(column)) for line, column in places)

    def _share_scope(self, scope: ScopeFacts) -> None:
        force_setattr(scope, "name", intern(scope.name))
        force_setattr(scope, "line", self._one(scope.line))
        force_setattr(scope, "end_line", self._one(scope.end_line))
        bindings = {intern(name): self._paths(paths) for name, paths in scope.bindings.items()}
        force_setattr(scope, "bindings", bindings)

    def _share_definition(self, definition: Definition) -> None:
        force_setattr(definition, "name", intern(definition.name))
        force_setattr(definition, "annotation", intern(definition.annotation))
        force_setattr(definition, "line", self._one(definition.line))
        force_setattr(definition, "end_line", self._one(definition.end_line))
        force_setattr(definition, "decorators", self._paths(definition.decorators))
        force_setattr(definition, "bases", self._paths(definition.bases))
        force_setattr(definition, "returned", self._paths(definition.returned))
        force_setattr(definition, "parameters", self._parameters(definition.parameters))
        attributes = {
            intern(name): tuple(map(self._bound, bounds))
            for name, bounds in definition.attributes.items()
        }
        force_setattr(definition, "attributes", attributes or NO_ATTRIBUTES)

    def _share_mention(self, mention: Mention) -> None:
        force_setattr(mention, "path", self._path(mention.path))
        force_setattr(mention, "line", self._one(mention.line))
        force_setattr(mention, "scope", self._one(mention.scope))
        if mention.arguments is not None:
            force_setattr(mention, "arguments", self._arguments(mention.arguments))

    def _bound(self, bound: Bound) -> Bound:
        force_setattr(bound, "path", self._path(bound.path))
        force_setattr(bound, "line", self._one(bound.line))
        return bound

    def _arguments(self, arguments: CallArguments) -> CallArguments:
        known: CallArguments | None = self._known.get(arguments)
        if known is not None:
            return known
        keywords = tuple(map(intern, arguments.keywords))
        literals = tuple((intern(name), intern(text)) for name, text in arguments.literals)
        force_setattr(arguments, "keywords", self._one(keywords))
        force_setattr(arguments, "literals", self._one(literals))
        force_setattr(arguments, "spread", intern(arguments.spread))
        return self._one(arguments)

    def _parameters(self, parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
        known: tuple[Parameter, ...] | None = self._known.get(parameters)
        return known if known is not None else self._one(tuple(map(self._parameter, parameters)))

    def _parameter(self, parameter: Parameter) -> Parameter:
        known: Parameter | None = self._known.get(parameter)
        if known is not None:
            return known
        force_setattr(parameter, "name", intern(parameter.name))
        force_setattr(parameter, "default", intern(parameter.default))
        force_setattr(parameter, "annotation", intern(parameter.annotation))
        return self._one(parameter)

    def _paths(self, paths: Paths) -> Paths:
        known: Paths | None = self._known.get(paths)
        return known if known is not None else self._one(tuple(map(self._path, paths)))

    def _path(self, path: AccessPath) -> AccessPath:
        known: AccessPath | None = self._known.get(path)
        if known is not None:
            return known
        force_setattr(path, "name", intern(path.name))
        if path.held is not None:
            force_setattr(path, "held", self._path(path.held))
        if path.steps:
            for step in path.steps:
                force_setattr(step, "name", intern(step.name))
            steps = tuple(map(self._one, path.steps))
            force_setattr(path, "steps", self._one(steps))
        return self._one(path)

    def _one(self, part: Part) -> Part:
        """Return the first part that equals this one."""
        known: Part = self._known.setdefault(part, part)
        return known
