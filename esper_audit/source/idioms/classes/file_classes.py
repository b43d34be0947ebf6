"""A class of one file with its bases in that file: methods, attributes bound and read, foreign bases."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

from esper_audit.source.idioms.classes.attribute_use import (
    AttributePlaces,
    AttributeUse,
    own_name,
)
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import (
    Function,
    NameScope,
    dotted,
    read_block,
    terminal_name,
)
from esper_audit.source.syntax.placed_nodes import PlacedNodes

DYNAMIC_METHODS = frozenset({"__getattr__", "__getattribute__", "__slots__"})
DYNAMIC_ATTRIBUTES = frozenset({"__dict__", "__setattr__"})
DYNAMIC_CALLS = frozenset({"setattr", "vars", "exec"})
REGISTERING_CALLS = frozenset({"register_buffer", "register_parameter", "add_module"})
MODULE_CLASSES = ("torch.nn.", "torch.jit.ScriptModule")
LIGHTNING = ("lightning.", "pytorch_lightning.")
PLAIN_BASES = frozenset(
    {"object", "builtins.object", "abc.ABC", "typing.Protocol", "typing.Generic", "enum.Enum"}
    | {"torch.autograd.Function", "builtins.dict", "builtins.list", "builtins.tuple"}
)
PROPERTIES = frozenset({"property", "cached_property", "setter", "getter", "deleter"})


class ClassMembers:
    """What the body of one class defines, binds and reads, without its bases."""

    def __init__(self, definition: ast.ClassDef, file: FileView) -> None:
        self.definition = definition
        self._file = file
        self._reads: dict[Function, list[AttributeUse]] = {}

    @cached_property
    def methods(self) -> dict[str, Function]:
        """The methods by name, the last where there are several."""
        return {method.name: method for method in self.functions}

    @cached_property
    def functions(self) -> list[Function]:
        """Every method of the body, also those below an `if`, both halves of a property included."""
        return list(_functions(self.definition.body))

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that the class body binds: methods, class attributes, nested classes, annotations."""
        scope = NameScope()
        read_block(scope, self.definition.body)
        return frozenset(scope.bound)

    @cached_property
    def bound(self) -> dict[str, list[AttributeUse]]:
        """The bindings of the attributes of an object, by name."""
        places = self._file.once(AttributePlaces)
        return _by_name(use for method in self.functions for use in places.bound(method))

    @cached_property
    def read(self) -> dict[str, list[AttributeUse]]:
        """The reads of the attributes of an object, by name."""
        return _by_name(use for method in self.functions for use in self.reads_of(method))

    def reads_of(self, method: Function) -> list[AttributeUse]:
        """Return the reads of the attributes of an object by one of the methods."""
        if method not in self._reads:
            self._reads[method] = list(self._file.once(AttributePlaces).read(method))
        return self._reads[method]

    @cached_property
    def is_dynamic(self) -> bool:
        """Return whether attributes come to be under names that are not literals."""
        if self.names & DYNAMIC_METHODS or self.definition.keywords:
            return True
        return bool(self._file.once(_dynamic_nodes).inside(self.definition))


class ClassFamily:
    """A class with its bases of the same file, nearest first.

    `foreign_bases` are the dotted names of the bases that other files define, empty for a base
    without one (a call, a subscript of something unknown).
    """

    def __init__(self, members: tuple[ClassMembers, ...], foreign_bases: frozenset[str]) -> None:
        self.members = members
        self.foreign_bases = foreign_bases
        self._reached: dict[tuple[str, ...], list[Function]] = {}

    @property
    def is_module(self) -> bool:
        """Return whether the class is derived from a module class of torch or Lightning."""
        return any(
            name.startswith(MODULE_CLASSES)
            or (name.startswith(LIGHTNING) and name.endswith(".LightningModule"))
            for name in self.foreign_bases
        )

    @property
    def is_dynamic(self) -> bool:
        """Return whether a class of the family makes attributes under names that are not literals."""
        return any(member.is_dynamic for member in self.members)

    def method(self, name: str) -> Function | None:
        """Return the method that a call on an object reaches, None if no class of the file has it."""
        found = (member.methods[name] for member in self.members if name in member.methods)
        return next(found, None)

    def has_name(self, name: str) -> bool:
        """Return whether a class body binds a name, or a method binds the attribute on its object."""
        return any(name in member.names or name in member.bound for member in self.members)

    def bindings(self, name: str) -> list[AttributeUse]:
        """Return every binding of an attribute on the object, those of the class itself first."""
        return [use for member in self.members for use in member.bound.get(name, ())]

    def reads(self, name: str) -> list[AttributeUse]:
        """Return every read of an attribute of the object, those of the class itself first."""
        return [use for member in self.members for use in member.read.get(name, ())]

    def reached_from(self, *names: str) -> list[Function]:
        """Return the methods that the named ones call on their object, at any depth, and themselves."""
        if names not in self._reached:
            found: dict[Function, None] = {}
            pending = list(names)
            while pending:
                name = pending.pop()
                member = next((m for m in self.members if name in m.methods), None)
                if member is not None and member.methods[name] not in found:
                    method = member.methods[name]
                    found[method] = None
                    pending += [use.name for use in member.reads_of(method)]
            self._reached[names] = list(found)
        return self._reached[names]


class ClassTable:
    """The classes of one file, each read at its first query."""

    def __init__(self, file: FileView) -> None:
        self._file = file
        self._members: dict[ast.ClassDef, ClassMembers] = {}
        self._families: dict[ast.ClassDef, ClassFamily] = {}

    @cached_property
    def classes(self) -> list[ast.ClassDef]:
        """Every class of the file, in the order of the file."""
        return self._file.nodes(ast.ClassDef)

    @cached_property
    def by_name(self) -> dict[str, ast.ClassDef]:
        """The classes by name, the last where there are several."""
        return {definition.name: definition for definition in self.classes}

    def members(self, definition: ast.ClassDef) -> ClassMembers:
        """Return what the body of a class has."""
        if definition not in self._members:
            self._members[definition] = ClassMembers(definition, self._file)
        return self._members[definition]

    def family(self, definition: ast.ClassDef) -> ClassFamily:
        """Return a class with its bases."""
        if definition not in self._families:
            self._families[definition] = self._family(definition)
        return self._families[definition]

    def is_module(self, definition: ast.ClassDef) -> bool:
        """Return whether a class is a module: by its bases, or by a forward beside layers of torch.

        The second is for a base that another file defines. A parameter by itself is no layer.
        """
        family = self.family(definition)
        forward = family.method("forward")
        if family.is_module or forward is None or not family.foreign_bases - PLAIN_BASES:
            return family.is_module
        uses = (
            use for member in family.members for found in member.bound.values() for use in found
        )
        layers = (use.value.func for use in uses if isinstance(use.value, ast.Call))
        names = (self._file.resolve(layer) or "" for layer in layers)
        return bool(own_name(forward)) and any(
            name.startswith("torch.nn.") and name != "torch.nn.Parameter" for name in names
        )

    def subclasses(self, definition: ast.ClassDef) -> list[ast.ClassDef]:
        """Return the classes of the file that are derived from a class, at any depth."""
        return self._subclasses.get(definition, [])

    @cached_property
    def _subclasses(self) -> dict[ast.ClassDef, list[ast.ClassDef]]:
        """The derived classes of each class that has any."""
        table: dict[ast.ClassDef, list[ast.ClassDef]] = {}
        for other in self.classes:
            for member in self.family(other).members:
                if member.definition is not other:
                    table.setdefault(member.definition, []).append(other)
        return table

    def owner(self, method: Function) -> ast.ClassDef | None:
        """Return the class whose body holds a method, None for a function."""
        enclosing = self._file.definitions(method)
        found = enclosing[-1] if enclosing else None
        return found if isinstance(found, ast.ClassDef) else None

    def _family(self, definition: ast.ClassDef) -> ClassFamily:
        found: dict[ast.ClassDef, None] = {}
        foreign: set[str] = set()
        pending = [definition]
        while pending:
            current = pending.pop(0)
            if current in found:
                continue
            found[current] = None
            for base in current.bases:
                own = self._own_base(base, current)
                if own is not None:
                    pending.append(own)
                else:
                    foreign.add(self._foreign_base(base))
        members = tuple(self.members(each) for each in found)
        return ClassFamily(members, frozenset(foreign))

    def _own_base(self, base: ast.expr, derived: ast.ClassDef) -> ast.ClassDef | None:
        plain = base.value if isinstance(base, ast.Subscript) else base
        found = self.by_name.get(terminal_name(plain))
        if found is derived or self._is_imported(plain):
            return None
        return found

    def _is_imported(self, base: ast.expr) -> bool:
        binding = self._file.source.names.module.bound.get(dotted(base).partition(".")[0])
        return binding is not None and binding.is_import

    def _foreign_base(self, base: ast.expr) -> str:
        plain = base.value if isinstance(base, ast.Subscript) else base
        return self._file.resolve(plain) or dotted(plain)


def class_table(file: FileView) -> ClassTable:
    """Return the classes of a file. Ask for it by `file.once(class_table)`."""
    return ClassTable(file)


def is_property(method: Function) -> bool:
    """Return whether a method is read like an attribute."""
    return any(terminal_name(decorator) in PROPERTIES for decorator in method.decorator_list)


def _functions(body: list[ast.stmt]) -> Iterator[Function]:
    for statement in body:
        if isinstance(statement, Function):
            yield statement
        elif not isinstance(statement, ast.ClassDef):
            for block in blocks(statement):
                yield from _functions(block)


def _by_name(uses: Iterator[AttributeUse]) -> dict[str, list[AttributeUse]]:
    table: dict[str, list[AttributeUse]] = {}
    for use in uses:
        table.setdefault(use.name, []).append(use)
    for found in table.values():
        if len(found) > 1:
            found.sort(key=lambda use: (use.node.lineno, use.node.col_offset))
    return table


def _dynamic_nodes(file: FileView) -> PlacedNodes[ast.AST]:
    """Return what can bind an attribute under a name that is no literal."""
    attributes = [a for a in file.nodes(ast.Attribute) if a.attr in DYNAMIC_ATTRIBUTES]
    calls = file.calls("setattr", *DYNAMIC_CALLS, *REGISTERING_CALLS)
    nodes: list[ast.AST] = [call for call in calls if _is_dynamic(call)]
    nodes += [a for a in attributes if isinstance(a.value, ast.Name)]
    return PlacedNodes(nodes)


def _is_dynamic(node: ast.Call) -> bool:
    function = node.func
    if isinstance(function, ast.Name) and function.id == "setattr" and len(node.args) > 1:
        return not isinstance(node.args[1], ast.Constant)
    if terminal_name(function) in REGISTERING_CALLS:
        return bool(node.args) and not isinstance(node.args[0], ast.Constant)
    return isinstance(function, ast.Name) and function.id in DYNAMIC_CALLS
