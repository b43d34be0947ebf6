"""The rule `unknown-attribute`: a class reads an attribute of its own that nothing sets."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.interfaces import unknown_attribute_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.branches.unreachable_code import is_unreachable
from esper_audit.source.idioms.classes.attribute_use import AttributeUse
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.classes.unset_attributes import (
    is_closed_module,
    is_method_of_mixin,
    is_value_for,
    known_attributes,
    unset_attributes,
)
from esper_audit.source.idioms.interfaces.keywords import is_misspelt, similar_name
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted

ASKING = frozenset({"hasattr", "getattr"})
# What torch, Python or each user of a module calls.
ENTRY_POINTS = (
    *("__init__", "forward", "__call__", "reset_parameters", "train", "extra_repr"),
    *("__len__", "__getitem__", "__iter__", "__next__", "__enter__", "__exit__"),
)
# What is called beside the computation, so that the rest of the class works and tests pass.
DESCRIBING = frozenset({"extra_repr", "__repr__", "__str__", "__len__"})
# A class that lacks as many attributes gets them from elsewhere.
MANY = 3


class UnknownAttributeOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`dissimilar`: also report attributes without a similar name, and calls with a word more or less.

    `everywhere`: also report what no constructor, forward or special method reaches, and classes that lack
    three attributes or more.
    """

    dissimilar: bool = False
    everywhere: bool = False


class UnknownAttribute(Rule):
    """A class reads an attribute of its own that nothing sets.

    What: `self.x` where neither the class nor its bases set or define `x`, but a name that is spelt
    almost so (`time_casual_padding`, `time_causal_padding`), or a value that has a word more or less
    (`num_channels`, `channels`); or any in `extra_repr`, `__repr__`,
    `__str__` and `__len__`. Also `hasattr` and `getattr` of a literal. With the option `dissimilar` any
    `self.x` that nothing sets in a module of torch, where the constructor, the forward or a special
    method reads it, or a method that these call: one finding a class.

    Why: the module raises an AttributeError at its first forward, or in the one branch that no test
    reaches.

    Quiet: bases that the file does not show; classes with `__getattr__`, `setattr` by computed names or
    a decorator; mixins, abstract classes and classes with open methods, to which subclasses add; an
    attribute that a subclass in the file has, that other code of the file sets, or whose name the class
    passes on with itself (`hasattr(self, "x")`); a method that a plain class calls where only a value
    has a similar name, as a class beside it brings it; a private method that is called only for an
    argument which is None by default, or below conditions only; code that nothing of the file can run,
    and methods that it puts on another class; the `else` of a layer that is always there; a branch that
    the constants of the class, of the method or of every call in the file rule out, or for a text that
    the file names nowhere else; what a forward always reads and a comment took out; a method that is
    called in training only; modules without a forward, and classes whose name a later one takes;
    methods that nothing above runs, to whose object other files may give what they read, and classes
    that lack three attributes or more, which were cut out of another framework (option `everywhere`);
    attributes without a similar name, which are true, but mostly of branches and classes that nothing
    uses (option `dissimilar`).

    Tickets: real code
    """

    contract = "known-names"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "22 of 23 by readers in 260 packages, after mending on them (deeppavlov, fastnlp, hippynn and others); "
        "16 of 18 in the last 125 unseen packages, before mending on them, and with `dissimilar` 17 of 48; of values "
        "with a word more or less and of texts of objects 10 of 10 by their author, in the packages tuned on"
    )
    triggers = Triggers(
        nodes=frozenset({"ClassDef"}), calls=ASKING, parts=frozenset({"self.", "attr("})
    )

    options: UnknownAttributeOptions
    Options = UnknownAttributeOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep classes, and the calls that ask for an attribute."""
        return [n for n in nodes if isinstance(n, (ast.ClassDef, ast.Call))]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the unset attributes of a class, and questions to what has no attributes."""
        if isinstance(node, ast.ClassDef):
            yield from self._unset(node, file)
        elif isinstance(node, ast.Call) and node.args and dotted(node.func) in ASKING:
            asked = node.args[0]
            if isinstance(asked, ast.Constant) and len(node.args) > 1:
                what = f"{type(asked.value).__name__} {file.code(asked)}"
                yield Violation(node, f"asks the {what} for an attribute, and no object")

    def _unset(self, definition: ast.ClassDef, file: FileView) -> Iterator[Violation]:
        uses = [u for u in unset_attributes(definition, file) if not is_unreachable(u.node, file)]
        names = {use.name for use in uses}
        if len(names) >= MANY and not self.options.everywhere:
            return
        known = known_attributes(definition, file) if uses else frozenset()
        # A method is not named after the attribute that it alone uses by mistake.
        around = {name: {u.method.name for u in uses if u.name == name} for name in names}
        meant = {name: similar_name(name, known - around[name]) for name in names}
        where = f"is set nowhere in `{definition.name}` or its bases"
        for use in _first_of_each(use for use in uses if meant[use.name]):
            similar = meant[use.name]
            is_plain = is_misspelt(use.name, similar) or is_value_for(
                use, similar, definition, file
            )
            is_asked = self._is_asked(use) or is_plain
            if is_asked and not is_method_of_mixin(use, similar, definition, file):
                yield Violation(use.node, f"`self.{use.name}` {where}: it has `{similar}`")
        unlike = (u for u in uses if not meant[u.name] and self._is_asked(u))
        plain = [u for u in unlike if not _is_training_half(u, file)]
        is_described = all(use.method.name in DESCRIBING for use in plain)
        if plain and (is_described or is_closed_module(definition, file)):
            plain = _first_of_each(self._reached(plain, definition, file))
            others = [f"`{use.name}`" for use in plain[1:]]
            rest = f", nor {'is' if len(others) == 1 else 'are'} {', '.join(others)}"
            for use in plain[:1]:
                yield Violation(use.node, f"`self.{use.name}` {where}{rest if others else ''}")

    def _is_asked(self, use: AttributeUse) -> bool:
        """Return whether an attribute is reported that no similar name speaks for."""
        is_option = self.options.dissimilar or self.options.everywhere
        return is_option or use.method.name in DESCRIBING

    def _reached(
        self, uses: list[AttributeUse], definition: ast.ClassDef, file: FileView
    ) -> list[AttributeUse]:
        """Return the uses in methods that run, all where asked for."""
        table = file.once(class_table)
        families = [table.family(each) for each in (definition, *table.subclasses(definition))]
        run = set(
            chain.from_iterable(
                family.reached_from(*ENTRY_POINTS, *DESCRIBING) for family in families
            )
        )
        if self.options.everywhere:
            return uses
        return [
            u for u in uses if u.method in run and not _is_for_option(u.method, definition, file)
        ]


def _is_for_option(method: Function, definition: ast.ClassDef, file: FileView) -> bool:
    """Return whether a class calls a private method of its own below conditions only."""
    if not method.name.startswith("_") or method.name.startswith("__"):
        return False
    calls = [c for c in scan(definition, {ast.Call}) if isinstance(c, ast.Call)]
    own = [call for call in calls if dotted(call.func) == f"self.{method.name}"]
    return bool(own) and all(any(isinstance(s, ast.If) for s in file.enclosing(c)) for c in own)


def _is_training_half(use: AttributeUse, file: FileView) -> bool:
    """Return whether a method is called in training only: the class was taken over for inference."""
    above = file.parent(use.node)
    return (
        isinstance(above, ast.Call)
        and above.func is use.node
        and any(
            isinstance(s, ast.If) and dotted(s.test) == "self.training"
            for s in file.enclosing(above)
        )
    )


def _first_of_each(uses: Iterable[AttributeUse]) -> list[AttributeUse]:
    """Return the first use of each name, in the order of the file."""
    first: dict[str, AttributeUse] = {}
    for use in sorted(uses, key=lambda use: (use.node.lineno, use.node.col_offset)):
        first.setdefault(use.name, use)
    return list(first.values())
