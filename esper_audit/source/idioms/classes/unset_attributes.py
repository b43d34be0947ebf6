"""The attributes that a class reads on its object and that nothing of the file sets."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.source.idioms.classes.attribute_use import AttributeUse, own_name
from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.idioms.classes.module_members import MODULE_MEMBERS
from esper_audit.source.idioms.classes.outside_bindings import (
    is_filled_by_names,
    is_put_on_others,
    set_from_outside,
)
from esper_audit.source.idioms.classes.switches import (
    ConstantAttributes,
    is_without_layer,
)
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.enclosing import is_within
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import (
    Function,
    defaults,
    dotted,
    identifiers,
    parameters,
    text_of,
)
from esper_audit.source.syntax.placed_nodes import PlacedNodes

# Bases of which all attributes are known.
KNOWN_BASES = frozenset({"torch.nn.Module", "builtins.object"})
TRAINER_METHODS = ("training_step", "configure_optimizers")
MIXIN = re.compile(r"mix_?in|(interface|protocol)$", re.IGNORECASE)
BASE = re.compile(r"^_?(abstract|base)|base$", re.IGNORECASE)


def unset_attributes(definition: ast.ClassDef, file: FileView) -> Iterator[AttributeUse]:
    """Yield each read of the attributes that no class of the family and no code of the file sets."""
    table = file.once(class_table)
    family = table.family(definition)
    if not family.foreign_bases <= KNOWN_BASES or family.is_dynamic or _is_template(family, file):
        return
    if any(family.method(name) is not None for name in TRAINER_METHODS):
        return  # a trainer runs the module, and gives it what it reads
    own = family.members[0]
    read = (name for name in own.read if not name.startswith("__") and name not in MODULE_MEMBERS)
    unset = [name for name in read if not family.has_name(name)]
    if (
        not unset
        or definition.decorator_list
        or _is_shadowed(definition, file)
        or _is_borrowed(family)
        or _is_made_elsewhere(family, file)
        or is_filled_by_names(definition, file)
    ):
        return
    derived = [table.family(each) for each in table.subclasses(definition)]
    constants = ConstantAttributes([family, *derived], file.once(set_from_outside), file)
    for name in sorted(unset):
        is_set = any(each.is_dynamic or each.has_name(name) for each in derived)
        if is_set or name in _spelled(family) or name in file.once(set_from_outside):
            continue
        uses = (use for use in own.read[name] if _is_in(use.node, definition, file))
        needed = (
            use
            for use in uses
            if not _is_unused_option(use.method, definition, file)
            and not is_without_layer(use, family, file)
            and not _is_of_other_class(use, file)
            and not _is_tallied(use.method, file)
            and not _is_of_inner_function(use, file)
            and not constants.is_dead(use.node, use.method)
            and not is_put_on_others(use.method, definition, file)
            and not _is_commented_out(use, definition, file)
        )
        yield from needed


def known_attributes(definition: ast.ClassDef, file: FileView) -> frozenset[str]:
    """Return the names that a class and its bases bind."""
    family = file.once(class_table).family(definition)
    return frozenset(name for member in family.members for name in (*member.names, *member.bound))


def is_closed_module(definition: ast.ClassDef, file: FileView) -> bool:
    """Return whether a class is a module of torch all of whose other bases are in the file."""
    return file.once(class_table).family(definition).is_module


def is_value_for(use: AttributeUse, meant: str, definition: ast.ClassDef, file: FileView) -> bool:
    """Return whether an attribute is read as a value, and a value of the class has a similar name.

    A call may be of an option that a class which was taken over left out.
    """
    above = file.parent(use.node)
    is_called = isinstance(above, ast.Call) and above.func is use.node
    return not is_called and bool(file.once(class_table).family(definition).bindings(meant))


def is_method_of_mixin(
    use: AttributeUse, meant: str, definition: ast.ClassDef, file: FileView
) -> bool:
    """Return whether a plain class calls a method that its users bring, where a value has a similar name."""
    above = file.parent(use.node)
    is_called = isinstance(above, ast.Call) and above.func is use.node
    family = file.once(class_table).family(definition)
    return is_called and not family.is_module and family.method(meant) is None


def _is_borrowed(family: ClassFamily) -> bool:
    """Return whether the methods of a class are put on objects of other classes.

    Such a class has no constructor of its own, and reads what the other class has.
    """
    return family.method("__init__") is None


def _is_of_inner_function(use: AttributeUse, file: FileView) -> bool:
    """Return whether a function inside the method has a parameter with the name of the object.

    Such a function is put on an object of another class (`block.forward = forward.__get__(block)`).
    """
    inner = [function for function in file.functions(use.node) if function is not use.method]
    name = own_name(use.method)
    return any(name in {p.arg for p in parameters(function.args)} for function in inner)


def _is_tallied(method: Function, file: FileView) -> bool:
    """Return whether the file calls a method only in methods of that name: a count over the parts."""
    if method.name.startswith("__"):
        return False
    calls = [
        call
        for call in file.nodes(ast.Call)
        if isinstance(call.func, ast.Attribute) and call.func.attr == method.name
    ]
    around = [file.functions(call)[-1:] for call in calls]
    return bool(calls) and all(f and f[0].name == method.name != "forward" for f in around)


def _is_of_other_class(use: AttributeUse, file: FileView) -> bool:
    """Return whether a read is below a test that the object is of another class."""
    tests = (
        part
        for branch in file.enclosing(use.node)
        if isinstance(branch, ast.If) and is_within(use.node, branch.body)
        for part in walk(branch.test)
    )
    return any(
        isinstance(part, ast.Call)
        and dotted(part.func) == "isinstance"
        and dotted(part.args[0]) == "self"
        for part in tests
    )


def _is_made_elsewhere(family: ClassFamily, file: FileView) -> bool:
    """Return whether a constructor passes its object to a function that another file defines.

    `_add_layers(self, width)` may set whatever it likes.
    """
    made = [member.methods["__init__"] for member in family.members if "__init__" in member.methods]
    statements = (s for method in made for s in scan(method, {ast.Expr}))
    calls = [
        s.value for s in statements if isinstance(s, ast.Expr) and isinstance(s.value, ast.Call)
    ]
    return any(
        isinstance(call.func, ast.Name)
        and any(dotted(argument) == "self" for argument in call.args)
        and file.source.names.module.bound.get(call.func.id) is not None
        and file.source.names.module.bound[call.func.id].is_import
        for call in calls
    )


def _is_shadowed(definition: ast.ClassDef, file: FileView) -> bool:
    """Return whether a later class of the file takes the name, of the class or of all that use it."""
    last = {s.name: s for s in file.tree.body if isinstance(s, ast.ClassDef)}
    uses = [name for name in file.nodes(ast.Name) if name.id == definition.name]
    around = [file.definitions(name)[:1] for name in uses]
    places = [definition] if definition in file.tree.body else []
    users = [d[0] for d in around if d and isinstance(d[0], ast.ClassDef)]
    is_used = len(users) == len(uses) > 0
    return any(last[each.name] is not each for each in places) or (
        is_used and all(last.get(each.name) is not each for each in users)
    )


def _is_commented_out(use: AttributeUse, definition: ast.ClassDef, file: FileView) -> bool:
    """Return whether a forward always reads what a comment of the class took out: it does not run yet."""
    around = file.enclosing(use.node)
    if use.method.name != "forward" or any(isinstance(s, ast.If) for s in around):
        return False
    lines = file.source.lines[definition.lineno : definition.end_lineno]
    return any(re.match(rf"\s*#\s*self\.{use.name}\s*=[^=\n]", line) for line in lines)


def _is_in(node: ast.expr, definition: ast.ClassDef, file: FileView) -> bool:
    """Return whether a node is in a class itself, and not in a class that a method of it defines."""
    return [d for d in file.definitions(node) if isinstance(d, ast.ClassDef)][-1:] == [definition]


def _is_unused_option(method: Function, definition: ast.ClassDef, file: FileView) -> bool:
    """Return whether a private method is called only for an argument that is None by default."""
    if not method.name.startswith("_") or method.name.startswith("__"):
        return False
    calls = [
        node
        for node in scan(definition, {ast.Call})
        if isinstance(node, ast.Call) and dotted(node.func) == f"self.{method.name}"
    ]
    return bool(calls) and all(_is_optional(call, file) for call in calls)


def _is_optional(call: ast.Call, file: FileView) -> bool:
    """Return whether a call takes an argument that is None by default, below a test or an assert of it."""
    functions = file.functions(call)
    given = defaults(functions[-1].args) if functions else {}
    optional = {n for n, d in given.items() if isinstance(d, ast.Constant) and d.value is None}
    passed = {a.id for a in call.args if isinstance(a, ast.Name)} & optional
    checks = [*file.enclosing(call), *(scan(functions[-1], {ast.Assert}) if functions else ())]
    tests = [check.test for check in checks if isinstance(check, (ast.If, ast.Assert))]
    return any(not passed.isdisjoint(identifiers(node)) for t in tests for node in ast.walk(t))


def _is_template(family: ClassFamily, file: FileView) -> bool:
    """Return whether subclasses are to add something: a mixin, abstract methods, open methods."""
    if BASE.search(family.members[0].definition.name):
        return True
    if family.reads("forward") and family.method("forward") is None:
        return True  # it calls a forward that only its subclasses have
    for member in family.members:
        if MIXIN.search(member.definition.name):
            return True
        for method in member.functions:
            if any("abstract" in dotted(decorator) for decorator in method.decorator_list):
                return True
            if file.once(_unimplemented).inside(method):
                return True
    return False


def _unimplemented(file: FileView) -> PlacedNodes[ast.Raise]:
    """Return the statements that raise a NotImplementedError."""
    if "NotImplemented" not in file.source.text:
        return PlacedNodes(())
    raised = (s for s in file.nodes(ast.Raise) if s.exc and "NotImplemented" in file.text(s))
    return PlacedNodes(s for s in raised if "NotImplemented" in text_of(s.exc or s))


def _spelled(family: ClassFamily) -> frozenset[str]:
    """Return the strings that a class passes in calls with its object: `copy_attr(self, host, ("x",))`."""
    calls = (
        node
        for member in family.members
        for node in scan(member.definition, {ast.Call})
        if isinstance(node, ast.Call) and any(dotted(a) in ("self", "cls") for a in node.args)
    )
    return frozenset(
        part.value
        for call in calls
        for argument in (*call.args, *(keyword.value for keyword in call.keywords))
        for part in walk(argument)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )
