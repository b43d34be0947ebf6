"""The rule `docstring-drift`: a docstring contradicts the signature."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.declarations import docstring_drift_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.docstrings.docstring_owner import (
    class_argument_names,
    companion_docstring,
    docstring,
    documented_function,
    has_declared_signature,
    named_parameters,
    string_keys,
)
from esper_audit.source.idioms.docstrings.docstring_sections import (
    DocumentedArguments,
    documented_arguments,
    is_possible_documentation,
)
from esper_audit.source.idioms.docstrings.docstring_statements import (
    is_different_default,
    stated_defaults,
    stated_rank,
    unpacked_rank,
)
from esper_audit.source.syntax.enclosing import Definition
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, defaults, parameters
from esper_audit.text.phrases import quoted

WORDS = frozenset(
    {"Args", "ARGS", "Arguments", "Parameters", "Params", "arg", "argument", "param", "parameter"}
)
WORD = re.compile(r"\w+")


class DocstringDriftOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`self_evident`: parameters that a complete Args section may omit."""

    self_evident: frozenset[str] = frozenset({"device", "dtype"})


class DocstringDrift(Rule):
    """A docstring contradicts the signature.

    What: an Args section (Google, NumPy or Sphinx style) that documents a parameter which the
    function, or the `__init__` of the class, does not take; one that documents most parameters and
    does not mention the others; a stated default ("defaults to 0.1") that differs from the
    signature; a shape with another number of dimensions than the first statement unpacks.

    Why: a caller that follows the docstring passes a name that raises, or relies on a default that
    the function does not have. The seeds of a run are configured from docstrings.

    Quiet: no Args section, or one inside an example; `*args` and `**kwargs`, which may take other
    names; the keys of a dict that the body reads; families of names (`*_mask`); decorators that may
    change the signature, overloads, setters; classes without their own `__init__`, fields and the
    parameters of other methods in a class docstring; parameters that start with an underscore or are
    mentioned in prose; `device` and `dtype` (option `self_evident`); a section with lines that are no
    entries; a default that is None in the signature, is computed, is qualified ("if", "unless") or
    belongs to a bullet inside an entry.

    Tickets: real code
    """

    contract = "true-docstrings"
    category = Category.DOCUMENTATION
    severity = Severity.P4
    precision = (
        "143 of 145 findings were correct (transformers, timm, torchtune, stable_baselines3)"
    )
    triggers = Triggers(nodes=frozenset({"FunctionDef", "ClassDef"}), words=WORDS)
    Options = DocstringDriftOptions
    options: DocstringDriftOptions
    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions and classes with a docstring that may have an Args section."""
        return [
            n
            for n in nodes
            if isinstance(n, Definition) and is_possible_documentation(docstring(n))
        ]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report each contradiction at the docstring."""
        if isinstance(node, Definition):
            for message in self._contradictions(node, file):
                yield Violation(node.body[0], message)

    def _contradictions(self, owner: Definition, file: FileView) -> Iterator[str]:
        text = docstring(owner)
        function = documented_function(owner)
        if not text or function is None or not has_declared_signature(function):
            return
        documented = documented_arguments(text)
        if not documented.entries:
            return
        yield from _unknown_parameters(documented, function, owner)
        if documented.is_complete:
            yield from self._undocumented(documented, function, owner, file)
        yield from _other_defaults(documented, function)
        yield from _other_ranks(documented, function)

    def _undocumented(
        self,
        documented: DocumentedArguments,
        function: Function,
        owner: Definition,
        file: FileView,
    ) -> Iterator[str]:
        """Yield a message for unmentioned parameters if most parameters are mentioned."""
        taken = [name for name in named_parameters(function) if not name.startswith("_")]
        mentioned = {entry.name for entry in documented.entries} | self.options.self_evident
        missing = [name for name in taken if name not in mentioned]
        if missing:
            owners = [*file.definitions(owner), owner]
            words = set(WORD.findall(docstring(owner) + companion_docstring(owner, owners)))
            missing = [name for name in missing if name not in words]
        if missing and 2 * len(missing) < len(taken):
            yield f"omits {_listed(missing)}, which `{owner.name}` takes"


def _unknown_parameters(
    documented: DocumentedArguments, function: Function, owner: Definition
) -> Iterator[str]:
    if function.args.vararg is not None or function.args.kwarg is not None:
        return
    known = {parameter.arg for parameter in parameters(function.args)}
    if isinstance(owner, ast.ClassDef):
        known |= class_argument_names(owner)
    known |= string_keys(function)
    unknown = [entry.name for entry in documented.entries if entry.name not in known]
    if unknown:
        yield f"documents {_listed(unknown)}, which `{owner.name}` does not take"


def _other_defaults(documented: DocumentedArguments, function: Function) -> Iterator[str]:
    signature, taken = defaults(function.args), named_parameters(function)
    for name, text in documented.entries:
        stated = dict(stated_defaults(text))
        if len(stated) != 1 or name not in taken:
            continue
        ((code, value),) = stated.items()
        if name not in signature:
            yield f"gives `{name}` the default {code}; the signature requires it"
        elif is_different_default(value, signature[name]):
            actual = quoted(ast.unparse(signature[name]))
            yield f"gives `{name}` the default {code}; the signature has {actual}"


def _other_ranks(documented: DocumentedArguments, function: Function) -> Iterator[str]:
    for name, text in documented.entries:
        stated = stated_rank(text)
        unpacked = unpacked_rank(function, name) if stated is not None else None
        if unpacked is not None and stated != unpacked:
            yield f"gives `{name}` {stated} dimensions; the body unpacks {unpacked}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))
