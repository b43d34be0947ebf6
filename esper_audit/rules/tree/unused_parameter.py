"""The rule `unused-parameter`: a parameter that its function never reads."""

from __future__ import annotations

from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.tree import unused_parameter_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.records import MANY, Definition, DefinitionKind, Parameter, Use
from esper_audit.source.index.records import Symbol
from esper_audit.source.usage.escapes import has_escaping_object
from esper_audit.source.usage.parameter_excuses import (
    NamingPatterns,
    has_trivial_body,
    is_argument_check,
    is_copied,
    is_declared_unused,
    is_for_subclasses,
    is_read_in_commented_code,
    is_redefined,
    is_stand_in,
)
from esper_audit.source.usage.signatures import (
    CONSTRUCTOR,
    KINDS,
    count_parameters,
    display_name,
    is_hook,
    mentions_of,
)
from esper_audit.source.usage.tree import Tree

AS_VALUE = frozenset({Use.READ, Use.DECORATOR, Use.STRING})


class UnusedParameter(TreeRule):
    """A function never reads its parameter.

    What: a parameter of a function or method of production code that the body never reads, deletes
    or passes to a nested function; except `*args`, `**kwargs` and names with a leading underscore.

    Why: a caller that passes it expects an effect. A threshold, a mask or a seed that is accepted
    and dropped is a wrong result without an error.

    Quiet: signatures that other code prescribes: overrides and overridden methods, protocols,
    abstract methods, bases outside the tree, methods that are declared to be overridden or belong to
    a base class without subclasses, decorators that may register, dunder methods, functions that are
    used as values (callbacks, tables, `partial`) or named in strings, hooks of modules (`module,
    input, output`), mocks, replacements for a function of torch (`conv2d_same`), declared copies;
    calls that pass on `**kwargs` which may contain it; a function that is defined twice; a naming
    convention: the parameter is shared with another function of the same name, with two of a similar
    name (`is_npu_there`, `is_xpu_there`), with a similar function of its file (`cuda_sync`,
    `mps_sync`) that reads it, or is unread in two functions with the same beginning or end; checks
    that receive all arguments of their caller; bodies that do nothing, raise, or call `locals()`; a
    parameter that the function declares unused, deprecated or kept for compatibility, or whose use
    is commented out.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P3
    default = False
    precision = "93 of 101 findings were correct in the 13 packages it was tuned on, 141 of 180 in 28 others"

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the unread parameters of functions that no other code prescribes."""
        peers, patterns = count_parameters(tree.index), NamingPatterns(tree.index)
        for function in tree.in_scope(tree.index.all_symbols(KINDS)):
            names = [p.name for p in _unread(tree.index.definition(function))]
            if function.short != CONSTRUCTOR:
                names = [name for name in names if peers[function.short, name] == 1]
            names = [name for name in names if not _is_explained(tree, function, name)]
            names = [name for name in names if not patterns.prescribe(function, name)]
            if not names or is_argument_check(function, len(names)):
                continue
            if not _is_own_signature(tree, function):
                continue
            answer = tree.index.references(function)
            for name in names:
                if answer.is_complete:
                    yield _unread_at(tree, function, name)
                else:
                    yield tree.undecided(function, answer)


def _unread_at(tree: Tree, function: Symbol, name: str) -> TreeViolation:
    message = f"`{display_name(function)}` never reads its parameter `{name}`"
    return tree.at_parameter(function, name, message)


def _unread(definition: Definition) -> list[Parameter]:
    """Return the parameters that the function does not read."""
    is_static = definition.has_decorator("staticmethod")
    is_bound = definition.kind is DefinitionKind.METHOD and not is_static
    return [
        parameter
        for parameter in definition.parameters[is_bound:]
        if not parameter.read and parameter.kind not in MANY and not parameter.name.startswith("_")
    ]


def _is_explained(tree: Tree, function: Symbol, name: str) -> bool:
    """Return whether the text of a function or its callers explain an unread parameter."""
    text = tree.text(function)
    decorators = tree.index.definition(function).decorators
    if any("deprecat" in str(decorator) for decorator in decorators):
        return True
    if tree.external_callers.is_kept_for_compatibility(text):
        return True
    if is_declared_unused(text, name) or is_read_in_commented_code(text, name):
        return True
    return _is_possibly_in_kwargs(tree, function, name)


def _is_possibly_in_kwargs(tree: Tree, function: Symbol, name: str) -> bool:
    """Return whether a call passes on `**kwargs` that may contain the name."""
    calls = (hit.mention.arguments for hit in tree.reference_table.of(function))
    return any(
        arguments is not None and arguments.double_star and name not in arguments.keywords
        for arguments in calls
    )


def _is_own_signature(tree: Tree, function: Symbol) -> bool:
    """Return whether only known calls, and no other code, determine the signature of a function."""
    outside, owner = tree.external_callers, tree.external_callers.owner(function)
    if outside.is_registered(function) or outside.is_entry(function):
        return False
    if is_hook(tree.index.definition(function)):
        return False
    if has_trivial_body(tree, function) or outside.has_prescribed_signature(function):
        return False
    if is_stand_in(tree, function) or is_for_subclasses(tree, function, owner):
        return False
    if is_copied(tree, function) or is_redefined(tree, function):
        return False
    if owner is None or function.short != CONSTRUCTOR:
        is_passed_on = owner is not None and has_escaping_object(tree, owner)
        if is_passed_on or outside.is_called_by_language(function):
            return False
    hits = mentions_of(tree, function)
    return not any(hit.use in AS_VALUE and not hit.is_inside(function) for hit in hits)
