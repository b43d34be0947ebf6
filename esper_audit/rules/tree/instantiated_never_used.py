"""The rule `instantiated-never-used`: an object that is created and never used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.tree import instantiated_never_used_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.records import Use
from esper_audit.source.index.records import Symbol
from esper_audit.source.index.values.value import Value, parts
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.usage.constructor_effects import ConstructorEffects
from esper_audit.source.usage.instantiations import Instantiation, instantiations
from esper_audit.source.usage.reflective_access import HARMLESS_BASES
from esper_audit.source.usage.tree import Tree

# Code that reads every attribute, or every part of a module, without a name.
READS_ALL = re.compile(
    r"\b(vars\(self|__getstate__|__reduce__|__getattr__|__getattribute__|__getitem__"
    r"|self\.(__dict__|_modules|_parameters|children|named_children|get_submodule))\b"
    r"|getattr\(self, [^'\"]"
)
COMMENTS = re.compile(r"#.*|\"\"\"(?:.|\n)*?\"\"\"")
UNUSED_NOTE = re.compile(
    r"unused|not used|never (?:used|read)|no longer|(?<!gradient )(?<!activation )checkpoint(?!ing)|\bckpt"
    r"|state.?dict|pretrained weights|placeholder",
    re.IGNORECASE,
)
CONTAINERS = frozenset({"ModuleList", "ModuleDict", "ParameterList", "ParameterDict"})
READS_ALL_LOCALS = frozenset({"locals", "exec", "eval", "globals"})


class InstantiatedNeverUsed(TreeRule):
    """An object is created and never used.

    What: a function creates an object of a known class and binds it to a local variable or to an
    attribute of `self` that only tests or nothing reads, or to no name; for a module that contains modules also
    an object from a function or a factory parameter (`norm=nn.LayerNorm`).

    Why: it has no effect: a loss is not added, a norm is not applied. A layer that `forward` omits
    still has parameters: the optimizer updates them, the checkpoint contains them, and
    `DistributedDataParallel` waits for their gradients.

    Quiet: a read of the attribute by its class, a base or a subclass, by an owner of such an object,
    or by an object of unknown class; strings in the same file and composed names that may refer to
    it; classes that iterate over all parts (`children`, `__dict__`, `getattr(self, name)`), or with a
    base outside the tree that may; `nn.ModuleList` and similar containers, which register the parts
    of others; public attributes of a library's classes, except modules in modules; constructors that
    do more than fill their object (pass it on, register hooks, call unknown code), that may raise if
    the object itself is discarded, or that are called in a `try` or `with`; a class whose comments or
    docstring mention checkpoint compatibility, unused parts or earlier versions, or contain the code
    that used it.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P3
    precision = "59 of 60 findings were correct (transformers, TTS, espnet, diffusers and 15 more); none in 20 others"

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the objects that are created and never used, by file."""
        constructors = ConstructorEffects(tree)
        for unit in tree.index.modules():
            found = instantiations(tree, unit) if unit.role is Role.PRODUCTION else ()
            reported: set[tuple[str, str]] = set()
            for instantiation in found:
                attribute = (instantiation.around.owner, instantiation.attribute)
                if instantiation.attribute and attribute not in reported:
                    reported.add(attribute)
                    yield from _unread_attribute(tree, constructors, unit, instantiation)
                elif not instantiation.attribute and _is_idle(constructors, instantiation):
                    yield _unused_object(tree, unit, instantiation)


def _unread_attribute(
    tree: Tree, constructors: ConstructorEffects, unit: ModuleFacts, instantiation: Instantiation
) -> Iterator[TreeViolation | NotAnalysed]:
    """Report an attribute that nothing reads."""
    owner = (
        tree.index.symbol(unit.path, instantiation.around.owner)
        if instantiation.around.owner
        else None
    )
    if owner is None or not _is_only_for_the_tree(tree, constructors, owner, instantiation):
        return
    family = tree.index.resolver.hierarchy.family(owner.key)
    readers = _readers(tree, family, instantiation.attribute)
    if readers - {Role.TEST} or _is_read_without_name(tree, family, instantiation.attribute):
        return
    if _is_explained(tree, owner, instantiation):
        return
    answer = tree.index.readers(instantiation.attribute)
    if answer.is_complete:
        how = "only tests read it" if readers else "never read"
        message = (
            f"`{instantiation.bound}` of `{owner.short}` is {_description(instantiation)} and {how}"
        )
        yield tree.at_node(unit.path, instantiation.place, message, subject=owner.symbol)
    else:
        yield tree.undecided(owner, answer)


def _is_only_for_the_tree(
    tree: Tree, constructors: ConstructorEffects, owner: Symbol, instantiation: Instantiation
) -> bool:
    """Return whether only the tree may read an attribute, as with parts of a module for `forward`."""
    if tree.index.resolver.hierarchy.foreign_bases(owner.key) - HARMLESS_BASES:
        return False
    if any(value.name.rpartition(".")[2] in CONTAINERS for value in instantiation.made):
        return False
    if all(map(constructors.is_module, instantiation.made)):
        return constructors.is_module(Value("class", owner.key))
    if not instantiation.is_new or not all(map(constructors.is_effect_free, instantiation.made)):
        return False
    return instantiation.attribute.startswith("_") or not tree.external_callers.is_public_api(owner)


def _readers(tree: Tree, family: list[str], name: str) -> set[Role]:
    """Return the roles of the files that read an attribute of a class, its bases or its subclasses."""
    paths = {parts(key)[0] for key in family}
    return {
        hit.role
        for key in family
        for hit in tree.reference_table.of_key(f"{key}.{name}")
        if hit.use is not Use.WRITE and (hit.use is not Use.STRING or hit.module.path in paths)
    }


def _is_read_without_name(tree: Tree, family: list[str], name: str) -> bool:
    """Return whether something may read an attribute of some classes whose name it does not spell."""
    if tree.dynamic_names.may_mean(name):
        return True
    return any(READS_ALL.search(tree.text(tree.index.of_key(key))) for key in family)


def _unused_object(tree: Tree, unit: ModuleFacts, instantiation: Instantiation) -> TreeViolation:
    subject = unit.symbol(unit.innermost(instantiation.statement.lineno))
    if instantiation.bound:
        message = f"`{instantiation.bound}` is {_description(instantiation)} and never read"
    else:
        message = f"{_classes(instantiation)} is created and discarded"
    return tree.at_node(unit.path, instantiation.place, message, subject=subject)


def _is_idle(constructors: ConstructorEffects, instantiation: Instantiation) -> bool:
    """Return whether an object without effects is bound to an unread local variable or to no name."""
    if (
        not instantiation.is_new
        or instantiation.around.is_watched
        or instantiation.bound.startswith("_")
    ):
        return False
    if not all(map(constructors.is_effect_free, instantiation.made)):
        return False
    return not any(map(constructors.may_raise, instantiation.made)) and not _is_read(instantiation)


def _is_read(instantiation: Instantiation) -> bool:
    """Return whether the function reads the local variable or may read it."""
    function = instantiation.around.function
    for node in walk(function) if function is not None and instantiation.bound else ():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id in {instantiation.bound, *READS_ALL_LOCALS}:
                return True
        elif isinstance(node, (ast.Global, ast.Nonlocal)) and instantiation.bound in node.names:
            return True
    return False


def _is_explained(tree: Tree, owner: Symbol, instantiation: Instantiation) -> bool:
    """Return whether a comment or docstring explains an unused part or contains the code that used it."""
    text = " ".join(COMMENTS.findall(tree.text(owner)))
    if re.search(rf"{re.escape(instantiation.bound)}\b", text):
        return True
    return UNUSED_NOTE.search(text) is not None or tree.external_callers.is_kept_for_compatibility(
        text
    )


def _description(instantiation: Instantiation) -> str:
    return f"created ({_classes(instantiation)})" if instantiation.is_new else "set to a module"


def _classes(instantiation: Instantiation) -> str:
    names = sorted({re.split(r"[.:]", value.name)[-1] for value in instantiation.made})
    return " or ".join(f"`{name}`" for name in names)
