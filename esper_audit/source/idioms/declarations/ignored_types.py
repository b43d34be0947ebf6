"""The type errors that a comment switches off, and what a file itself declares at their place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import msgspec

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

IGNORE = re.compile(r"#\s*(?:type|pyright):\s*ignore(?:\[([\w\-, ]*)\])?")
# The errors that a type checker reports for a value of another type than the declared one.
VALUE_ERRORS = frozenset(
    {"arg-type", "return-value", "assignment", "typeddict-item", "typeddict-unknown-key"}
    | {"reportArgumentType", "reportReturnType", "reportAssignmentType"}
)
KEY_ERRORS = frozenset({"typeddict-item", "typeddict-unknown-key"})
OPEN_TYPES = re.compile(r"dict|mapping|any$|object$|model$", re.IGNORECASE)
KNOWN_BASES = frozenset(
    {"torch.nn.Module", "builtins.object", "abc.ABC", "typing.NamedTuple", "msgspec.Struct"}
    | {"enum.Enum", "enum.IntEnum", "enum.StrEnum"}
)
TYPED_DICTS = ("typing.TypedDict", "typing_extensions.TypedDict")


def ignored_errors(node: ast.expr, file: FileView) -> frozenset[str] | None:
    """Return the codes of the comment that switches errors of a node off, empty for all, None without one.

    The comment is on the first or the last line of the node or of the statement around it.
    """
    statement = file.enclosing(node)[-1]
    lines = {node.lineno, node.end_lineno, statement.lineno}
    if not isinstance(statement, (Function, ast.ClassDef, ast.If, ast.For, ast.With, ast.Try)):
        lines.add(statement.end_lineno)
    for line in sorted(line for line in lines if line is not None):
        found = IGNORE.search(file.source.lines[line - 1])
        if found is not None:
            return frozenset(code.strip() for code in (found[1] or "").split(",")) - {""}
    return None


class Declared(msgspec.Struct, frozen=True):
    """What a place of the file declares for a value: the annotation, None where it is not in the file.

    `is_argument` is whether the value is an argument of a call.
    """

    annotation: ast.expr | None
    is_argument: bool = False


def declared_for(value: ast.expr, file: FileView) -> Declared | None:
    """Return what is declared where a value is assigned, returned or passed, None for other places."""
    above = file.parent(value)
    if isinstance(above, ast.AnnAssign):
        return Declared(above.annotation)
    if isinstance(above, ast.Return):
        functions = file.functions(value)
        return Declared(functions[-1].returns if functions else None)
    if isinstance(above, ast.Assign):
        return Declared(_annotation_of(above.targets[0], file))
    if isinstance(above, ast.keyword):
        call = file.parent(above)
        found = _parameter(call, above.arg or "", file) if isinstance(call, ast.Call) else None
        return Declared(found, is_argument=True)
    if isinstance(above, ast.Call) and value in above.args:
        return Declared(_parameter(above, above.args.index(value), file), is_argument=True)
    return None


def class_of(annotation: ast.expr | None, file: FileView) -> ast.ClassDef | None:
    """Return the class of the file that an annotation names, alone or beside None."""
    names = [name for name in _names_in(annotation) if name not in ("None", "Optional")]
    return file.once(class_table).by_name.get(names[0]) if len(names) == 1 else None


def is_open(annotation: ast.expr | None, file: FileView) -> bool:
    """Return whether an annotation, if there is one, permits a dict, perhaps through an alias of the file."""
    names = _names_in(annotation)
    statements = (s for s in file.tree.body if isinstance(s, (ast.Assign, ast.AnnAssign)))
    aliases = {
        terminal_name(target): s.value
        for s in statements
        for target in (s.targets if isinstance(s, ast.Assign) else [s.target])
    }
    names += [inner for name in names for inner in _names_in(aliases.get(name))]
    return any(OPEN_TYPES.search(name) for name in names) or len(names) > 1


def is_typed_dict(definition: ast.ClassDef, file: FileView) -> bool:
    """Return whether a class is a TypedDict all of whose bases are in the file."""
    bases = file.once(class_table).family(definition).foreign_bases
    return bool(bases) and all(base in TYPED_DICTS or base == "TypedDict" for base in bases)


def is_closed(definition: ast.ClassDef, file: FileView) -> bool:
    """Return whether every attribute of the objects of a class is known, and no dict is one of them."""
    family = file.once(class_table).family(definition)
    decorators = {
        terminal_name(d.func if isinstance(d, ast.Call) else d)
        for member in family.members
        for d in member.definition.decorator_list
    }
    is_plain = decorators <= {"dataclass", "final", "total_ordering", "frozen", "define"}
    return family.foreign_bases <= KNOWN_BASES and is_plain and not family.is_dynamic


def keys_of(definition: ast.ClassDef, file: FileView) -> tuple[frozenset[str], frozenset[str]]:
    """Return the keys of a TypedDict: all of them, and those that a value may not leave out."""
    every, required = set(), set()
    for member in file.once(class_table).family(definition).members:
        keywords = {k.arg: k.value for k in member.definition.keywords}
        total = keywords.get("total")
        is_total = not (isinstance(total, ast.Constant) and total.value is False)
        for name, annotation in _fields(member.definition):
            wrapped = terminal_name(outer_name_of(annotation))
            every.add(name)
            if wrapped == "Required" or (is_total and wrapped != "NotRequired"):
                required.add(name)
    return frozenset(every), frozenset(required)


def _fields(definition: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    """Yield the annotated names of a class body."""
    for statement in definition.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id, statement.annotation


def outer_name_of(annotation: ast.expr) -> ast.expr:
    """Return `NotRequired` for the annotation `NotRequired[int]`, else the annotation itself."""
    return annotation.value if isinstance(annotation, ast.Subscript) else annotation


def literal_keys(value: ast.expr) -> frozenset[str] | None:
    """Return the keys of a dict that is written out, None for any other value."""
    if isinstance(value, ast.Dict) and value.keys:
        keys = [k.value for k in value.keys if isinstance(k, ast.Constant)]
        texts = frozenset(key for key in keys if isinstance(key, str))
        return texts if len(texts) == len(value.keys) else None
    if isinstance(value, ast.Call) and dotted(value.func) == "dict" and value.keywords:
        names = frozenset(keyword.arg for keyword in value.keywords if keyword.arg is not None)
        return names if len(names) == len(value.keywords) and not value.args else None
    return None


def _annotation_of(target: ast.expr, file: FileView) -> ast.expr | None:
    """Return the annotation of a name or attribute that the file declares elsewhere."""
    name = terminal_name(target)
    declared = (node for node in file.nodes(ast.AnnAssign) if terminal_name(node.target) == name)
    return next((node.annotation for node in declared), None) if name else None


def _parameter(call: ast.Call, which: str | int, file: FileView) -> ast.expr | None:
    """Return the annotation of a parameter of a function or class of the file."""
    found = list(_declared_parameters(call, file))
    if isinstance(which, int):
        return found[which][1] if which < len(found) else None
    return next((annotation for name, annotation in found if name == which), None)


def _declared_parameters(call: ast.Call, file: FileView) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield the parameters of what a call of the file's own code reaches, without the object itself."""
    name, table = terminal_name(call.func), file.once(class_table)
    definition = table.by_name.get(name)
    family = table.family(definition) if definition is not None else None
    initial = family.method("__init__") if family is not None else None
    if definition is not None and initial is None:
        yield from _fields(definition)
        return
    named = [f for f in _functions(file) if f.name == name] if initial is None else [initial]
    if len(named) == 1:
        taken = [(p.arg, p.annotation) for p in parameters(named[0].args)]
        is_bound = file.once(class_table).owner(named[0]) is not None
        yield from taken[1:] if is_bound else taken


def _functions(file: FileView) -> list[Function]:
    return [*file.nodes(ast.FunctionDef), *file.nodes(ast.AsyncFunctionDef)]


def _names_in(annotation: ast.expr | None) -> list[str]:
    """Return the last parts of the names in an annotation, that of a quoted one included."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return re.findall(r"[A-Za-z_]\w*(?!\w*\.)", annotation.value)
    if annotation is None:
        return []
    if isinstance(annotation, ast.Attribute):
        return [annotation.attr]
    if isinstance(annotation, ast.Name):
        return [annotation.id]
    found = [*scan(annotation, {ast.Name, ast.Attribute})]
    return [terminal_name(n) for n in found if isinstance(n, (ast.Name, ast.Attribute))]
