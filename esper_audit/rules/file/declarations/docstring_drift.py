"""The rule `docstring-drift`: a docstring says of the arguments what the signature does not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.declarations import docstring_drift_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.docstrings.docstring_owner import (
    docstring,
    documented_function,
    has_its_own_signature,
    known_to_class,
    named_parameters,
    told_beside,
)
from esper_audit.source.idioms.docstrings.docstring_sections import (
    DocumentedArguments,
    documented_arguments,
    may_document,
)
from esper_audit.source.idioms.docstrings.docstring_statements import (
    disagrees,
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
    """`self_evident` names parameters that a complete Args section may leave out."""

    self_evident: frozenset[str] = frozenset({"device", "dtype"})


class DocstringDrift(Rule):
    """A docstring says of the arguments what the signature does not.

    What: an Args section (Google, NumPy or Sphinx style) that documents a parameter which the function,
    or the `__init__` of the class, does not take; one that tells of most parameters and does not so
    much as mention the others; a default in words ("defaults to 0.1") that the signature contradicts;
    a shape with another number of dimensions than the body unpacks first of all.

    Why: who calls by the docstring passes a name that raises, or trains with a default that is not
    the one. The seeds of a run's configuration are chosen from docstrings.

    Quiet: no Args section, one inside an example; `*args` and `**kwargs`, through which other names
    may go; decorators that may change the signature, overloads, setters; classes without an
    `__init__` of their own, fields and the parameters of other methods in a class's docstring;
    parameters that start with an underscore or are told of in prose; `device` and `dtype` (option
    `self_evident`); a section with lines that do not read as entries; a default that is None in the
    signature, is computed, hedged ("if", "unless") or belongs to a bullet inside of an entry.

    Tickets: real code
    """

    contract = "true-docstrings"
    category = Category.DOCUMENTATION
    severity = Severity.P4
    precision = "143 of 145 read were right (transformers, timm, torchtune, stable_baselines3)"
    triggers = Triggers(nodes=frozenset({"FunctionDef", "ClassDef"}), words=WORDS)
    Options = DocstringDriftOptions
    options: DocstringDriftOptions
    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions and classes with a docstring that may have an Args section."""
        return [n for n in nodes if isinstance(n, Definition) and may_document(docstring(n))]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report each drift at the docstring."""
        if isinstance(node, Definition):
            for message in self._drifts([*file.definitions(node), node]):
                yield Violation(node.body[0], message)

    def _drifts(self, owners: Sequence[Definition]) -> Iterator[str]:
        owner, text = owners[-1], docstring(owners[-1])
        function = documented_function(owner)
        if not text or function is None or not has_its_own_signature(function):
            return
        documented = documented_arguments(text)
        if not documented.entries:
            return
        yield from _unknown(documented, function, owner)
        if documented.is_whole:
            words = frozenset(WORD.findall(text + told_beside(owner, owners)))
            yield from self._left_out(words, function, owner)
        yield from _other_defaults(documented, function)
        yield from _other_ranks(documented, function)

    def _left_out(
        self, words: frozenset[str], function: Function, owner: Definition
    ) -> Iterator[str]:
        """Yield what is not so much as mentioned, where most parameters are."""
        taken = [name for name in named_parameters(function) if not name.startswith("_")]
        lacking = [name for name in taken if name not in words | self.options.self_evident]
        if lacking and 2 * len(lacking) < len(taken):
            yield f"says nothing of {_listed(lacking)}, which `{owner.name}` takes"


def _unknown(
    documented: DocumentedArguments, function: Function, owner: Definition
) -> Iterator[str]:
    if function.args.vararg is not None or function.args.kwarg is not None:
        return
    known = {parameter.arg for parameter in parameters(function.args)}
    if isinstance(owner, ast.ClassDef):
        known |= known_to_class(owner)
    unknown = [entry.name for entry in documented.entries if entry.name not in known]
    if unknown:
        yield f"documents {_listed(unknown)}, which `{owner.name}` does not take"


def _other_defaults(documented: DocumentedArguments, function: Function) -> Iterator[str]:
    written, taken = defaults(function.args), named_parameters(function)
    for name, text in documented.entries:
        stated = dict(stated_defaults(text))
        if len(stated) != 1 or name not in taken:
            continue
        ((words, value),) = stated.items()
        if name not in written:
            yield f"gives `{name}` the default {words}; the signature requires it"
        elif disagrees(value, written[name]):
            actual = quoted(ast.unparse(written[name]))
            yield f"gives `{name}` the default {words}; the signature says {actual}"


def _other_ranks(documented: DocumentedArguments, function: Function) -> Iterator[str]:
    for name, text in documented.entries:
        stated = stated_rank(text)
        unpacked = unpacked_rank(function, name) if stated is not None else None
        if unpacked is not None and stated != unpacked:
            yield f"gives `{name}` {stated} dimensions; the body unpacks {unpacked}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))
