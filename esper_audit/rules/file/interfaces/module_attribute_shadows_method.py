"""The rule `module-attribute-shadows-method`: a module loses a method that torch calls on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.interfaces import module_attribute_shadows_method_cases as cases
from esper_audit.rules.rule import Options, Replacement, Rule, Triggers, Violation
from esper_audit.source.idioms.branches.unreachable_code import is_unused
from esper_audit.source.idioms.classes.attribute_use import own_name
from esper_audit.source.idioms.classes.file_classes import class_table, is_property
from esper_audit.source.idioms.classes.module_methods import (
    MODE_METHODS,
    MODULE_METHODS,
    changes_mode,
    has_result,
    is_callable_value,
    is_mode_switch,
    parts_without_mode,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters
from esper_audit.text.phrases import quoted

# What torch calls on a whole model and on none of its children, and what are usual names of other things.
USUAL = frozenset({"type", "cpu", "cuda"})
ASSIGNMENTS = (ast.Assign, ast.AnnAssign)


class ModuleAttributeShadowsMethodOptions(
    Options, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """`types`: also report attributes named `type`, `cpu` or `cuda`, the usual names of a kind and of flags.

    `procedures`: also report `train(loader, epochs)` and the like, which train and are no switch.
    """

    types: bool = False
    procedures: bool = False


class ModuleAttributeShadowsMethod(Rule):
    """A module loses a method that torch calls on it.

    What: in an `nn.Module`, an attribute with the name of a method of `nn.Module` (`self.train = flag`,
    `self.half = 0.5`, `self.modules = []`, `apply = False` in the class body) whose value cannot be
    called; an override of `train` or `eval` that never calls its base, also one that switches some of its
    parts only, or that returns nothing. With the option `types` also `self.type = "conv"`.

    Why: `eval()` is `train(False)` on every child, `to()` and `apply()` go over `children()`: the call
    raises "object is not callable" in another file. Without the base the mode does not change, and
    `model = model.eval()` is None where the override returns nothing.

    Quiet: `train` and `eval` with parameters of their own or with a loop, which are procedures and a
    public name (option `procedures`); a value that can be called: a method, a function, a lambda,
    `functools.partial`, `torch.compile`; abstract overrides, those that raise, and the stubs of
    `typing.overload`; an attribute named `type`, `cpu` or `cuda`, which torch calls on the whole model, and on
    no child; classes that are no modules, that `__all__` leaves out and the file uses nowhere, or that a later
    class replaces.

    Tickets: real code
    """

    contract = "module-methods"
    category = Category.API_CONTRACT
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "37 of 38 by readers in 152 packages, without procedures and conversions; 20 of 21 in the last 65 "
        "unseen packages, before mending on them; 1 of 1 attribute with the name of a conversion in 420 "
        "packages, without `cpu` and `cuda`, by their author"
    )
    triggers = Triggers(
        attributes=MODULE_METHODS,
        nodes=frozenset({"Assign", "AnnAssign", "FunctionDef"}),
        collected=frozenset({"ClassDef"}),
        words=frozenset({"torch"}),
    )

    options: ModuleAttributeShadowsMethodOptions
    Options = ModuleAttributeShadowsMethodOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep bindings of an attribute or a class attribute, and overrides of the mode."""
        return [node for node in nodes if _may_shadow(node)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report what hides or replaces a method of a module."""
        if not isinstance(node, (ast.expr, ast.stmt)) or not _may_shadow(node):
            return
        if is_unused(node, file):
            return
        if isinstance(node, Function):
            yield from self._check_override(node, file)
        elif isinstance(node, ast.Attribute):
            yield from self._check_attribute(node, file)
        elif isinstance(node, ASSIGNMENTS):
            yield from self._check_class_attribute(node, file)

    def _check_attribute(self, node: ast.Attribute, file: FileView) -> Iterator[Violation]:
        if not self._is_harmful(node.attr):
            return
        functions = file.functions(node)
        table = file.once(class_table)
        owner = table.owner(functions[-1]) if functions else None
        if owner is None or ast.unparse(node.value) != own_name(functions[-1]):
            return
        found = [u for u in table.members(owner).bound.get(node.attr, ()) if u.node is node]
        value = found[0].value if found else None
        if value is None or is_callable_value(value, functions[-1], node.attr, file):
            return
        if table.is_module(owner):
            message = f"`{quoted(file.code(node))}` hides the method `{node.attr}()` of `nn.Module`"
            yield Violation(node, f"{message}, which torch calls. Rename the attribute.")

    def _check_class_attribute(
        self, node: ast.Assign | ast.AnnAssign, file: FileView
    ) -> Iterator[Violation]:
        around = file.definitions(node)
        table = file.once(class_table)
        owner = around[-1] if around else None
        if not isinstance(owner, ast.ClassDef) or node.value is None:
            return
        name = _names(node)[0]
        if not self._is_harmful(name):
            return
        if isinstance(node.value, (ast.Constant, ast.List, ast.Dict)) and table.is_module(owner):
            message = f"`{name}` of the class hides the method `{name}()` of `nn.Module`"
            yield Violation(node, f"{message}, which torch calls. Rename the attribute.")

    def _is_harmful(self, name: str) -> bool:
        """Return whether a module needs the method of a name."""
        return name not in USUAL or self.options.types

    def _check_override(self, node: Function, file: FileView) -> Iterator[Violation]:
        table = file.once(class_table)
        owner = table.owner(node)
        if owner is None or _is_no_override(node) or not table.is_module(owner):
            return
        is_procedure = not changes_mode(node) or bool(scan(node, {ast.For, ast.While}))
        if is_procedure and not is_mode_switch(node) and not self.options.procedures:
            return
        taken = [p.arg for p in parameters(node.args)][1:]
        if not changes_mode(node):
            words = f"takes {', '.join(taken[:3])} and " if len(taken) > 1 else ""
            message = f"`{owner.name}.{node.name}` {words}never calls the `{node.name}` of its base"
            yield Violation(
                node, f"{message}: `eval()` does not change the mode. Call it, or rename this one."
            )
        elif node.name == "train" and (left := parts_without_mode(table.family(owner), file)):
            message = f"`{owner.name}.train` never calls the `train` of its base: "
            message += f"`{left[0]}` stays in the mode that it was in. Call it first."
            yield Violation(node, message)
        elif not has_result(node):
            message = f"`{owner.name}.{node.name}` returns nothing, and `model.{node.name}()` of torch the module"
            yield Violation(node, f"{message}. Return self.", _with_return(node, file))


def _is_no_override(method: Function) -> bool:
    """Return whether a method is a property, or the stub of an overload."""
    decorators = {dotted(decorator).rpartition(".")[2] for decorator in method.decorator_list}
    return is_property(method) or "overload" in decorators


def _with_return(method: Function, file: FileView) -> Replacement | None:
    """Return the method's last statement with `return self` below it, None where a return ends it early."""
    last = method.body[-1]
    if scan(method, {ast.Return, ast.Yield}) or file.is_on_header_line(last):
        return None
    code = f"{file.code(last)}\n{' ' * last.col_offset}return {own_name(method)}"
    return Replacement(last, code, safe=True, description="return the module")


def _may_shadow(node: ast.AST) -> bool:
    if node.__class__ is ast.Attribute:
        return isinstance(node.ctx, ast.Store)
    if isinstance(node, ASSIGNMENTS):
        return not MODULE_METHODS.isdisjoint(_names(node))
    return isinstance(node, Function) and node.name in MODE_METHODS


def _names(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]
