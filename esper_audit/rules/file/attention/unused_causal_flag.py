"""The rule `unused-causal-flag`: an argument that promises causality reaches nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.attention import unused_causal_flag_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import returned_values, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

FLAG = re.compile(r"^(is_|use_|make_)?(causal|autoregressive|causal_mask)$")
ALLOCATING = frozenset({"empty", "empty_like", "new_empty", "empty_strided"})
COMPUTING = re.compile(r"softmax|matmul|bmm|einsum|atten|attn|conv|forward|kernel")
# A class with such bases can read every attribute in another file.
KNOWN_BASES = ("torch.nn.", "builtins.", "abc.", "typing.", "object", "dataclasses.")


class UnusedCausalFlag(Rule):
    """An argument that promises causality reaches nothing.

    What: a parameter `causal`, `is_causal`, `autoregressive` and the like that its function never reads,
    or that `__init__` stores in an attribute that no class of the family reads, as where the layers are
    built without it.

    Why: `Block(causal=True)` builds, trains and sees the future. The option is documented and inert.

    Quiet: abstract functions and those that raise; an override, whose base prescribes the parameter; a
    flag that is explicitly discarded (`del causal`); an attribute of a class with bases elsewhere, and a
    constructor with `**kwargs` there; a function that only allocates its result.

    Off unless selected: most flags that nothing reads are there because another implementation of the same
    signature reads them.

    Tickets: real code
    """

    contract = "causal-mask"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "0 of 3 in 17 packages seen last (lmdeploy); before: 1 of 1 finding would be merged (torchtune), "
        "none in 18 other packages; 0 of 10 in 49 packages more, before mending on them"
    )
    triggers = Triggers(
        nodes=frozenset({"FunctionDef"}),
        collected=frozenset({"ClassDef"}),
        words=frozenset({"causal", "is_causal", "use_causal", "autoregressive", "causal_mask"}),
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions with a parameter that promises causality."""
        return [node for node in nodes if isinstance(node, Function) and _flag_of(node) is not None]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report a flag that reaches nothing."""
        flag = _flag_of(node) if isinstance(node, Function) else None
        if flag is None or not isinstance(node, Function) or _is_stub(node):
            return
        texts = (n.value for n in scan(node, {ast.Constant}) if isinstance(n, ast.Constant))
        if flag.arg in texts or _is_shape_function(node) or _is_of_interface(node, file):
            return
        uses = [n for n in scan(node, {ast.Name}) if isinstance(n, ast.Name) and n.id == flag.arg]
        where = _stored_in(node, flag.arg) if len(uses) == 1 else ""
        if not uses and not _is_prescribed(node, file):
            message = (
                f"`{flag.arg}` of `{node.name}` reaches no mask, no padding and no inner module"
            )
        elif where and _is_unread(where, node, file):
            message = f"`{flag.arg}` of `{node.name}` goes to `self.{where}`, which nothing reads"
        else:
            return
        yield Violation(
            flag, f"{message}: the future stays visible. Apply or remove it.", argument=flag.arg
        )


def _flag_of(node: Function) -> ast.arg | None:
    return next((p for p in parameters(node.args) if FLAG.search(p.arg)), None)


def _is_stub(function: Function) -> bool:
    """Return whether a function has no body of its own, or always raises."""
    body = [s for s in function.body if not isinstance(s, (ast.Pass, ast.Expr))]
    return not body or isinstance(body[0], ast.Raise)


def _is_shape_function(function: Function) -> bool:
    """Return whether a function allocates its result and computes nothing: the fake of a kernel."""
    products = scan(function, {ast.MatMult})
    calls = [c for c in scan(function, {ast.Call}) if isinstance(c, ast.Call)]
    names = {terminal_name(call.func) for call in calls}
    is_computed = bool(products) or any(COMPUTING.search(name) for name in names)
    has_result = function.name == "__init__" or any(
        not isinstance(value, ast.Constant) for value in returned_values(function)
    )
    return not is_computed and (not names.isdisjoint(ALLOCATING) or not has_result)


def _is_of_interface(function: Function, file: FileView) -> bool:
    """Return whether a constructor takes what it does not know, as all classes of a foreign base do."""
    owner = file.once(class_table).owner(function)
    if owner is None or function.name != "__init__" or function.args.kwarg is None:
        return False
    return not _has_known_bases(file.once(class_table).family(owner).foreign_bases)


def _stored_in(function: Function, flag: str) -> str:
    """Return the attribute of the object to which a function assigns a flag, empty without one."""
    for node in scan(function, {ast.Assign}):
        if isinstance(node, ast.Assign) and dotted(node.value) == flag:
            owner, _, name = dotted(node.targets[0]).partition(".")
            return name if owner == "self" else ""
    return ""


def _is_prescribed(function: Function, file: FileView) -> bool:
    """Return whether a base of the class may prescribe the parameters of a method."""
    table = file.once(class_table)
    owner = table.owner(function)
    if function.name.startswith("_") and not function.name.endswith("__"):
        return True
    if owner is None or function.name in ("__init__", "forward"):
        return bool(function.decorator_list)
    family = table.family(owner)
    inherited = [m for m in family.members[1:] if function.name in m.methods]
    return bool(inherited) or not _has_known_bases(family.foreign_bases)


def _is_unread(attribute: str, function: Function, file: FileView) -> bool:
    """Return whether no code of the file reads an attribute, and no base of another file can."""
    table = file.once(class_table)
    owner = table.owner(function)
    if owner is None or not _has_known_bases(table.family(owner).foreign_bases):
        return False
    kin = {owner, *table.subclasses(owner)}
    kin |= {member.definition for each in kin for member in table.family(each).members}
    read = (
        node
        for node in file.nodes(ast.Attribute)
        if node.attr == attribute and isinstance(node.ctx, ast.Load)
    )
    return f'"{attribute}"' not in file.source.text and not any(
        dotted(node.value) != "self" or not kin.isdisjoint(file.definitions(node)) for node in read
    )


def _has_known_bases(names: frozenset[str]) -> bool:
    return all(name.startswith(KNOWN_BASES) for name in names)
