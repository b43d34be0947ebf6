"""The rule `unknown-keyword`: a call passes a keyword that the called function does not take."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity, Span
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.interfaces import unknown_keyword_cases as cases
from esper_audit.rules.rule import Options, Replacement, Rule, Triggers, Violation
from esper_audit.source.idioms.branches.unreachable_code import is_unreachable
from esper_audit.source.idioms.interfaces.keywords import (
    OwnFunctions,
    has_numpy_alias,
    is_misspelt,
    similar_name,
    torch_keywords,
    torch_keywords_by_name,
)
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import defaults, dotted, identifiers, terminal_name


class UnknownKeywordOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`dissimilar`: also report keywords that resemble none of an own function, or have a word more or less."""

    dissimilar: bool = False


class UnknownKeyword(Rule):
    """A call passes a keyword that the called function does not take.

    What: a misspelt keyword of a function or layer of torch (`is_casual`), or of a call whose function, class
    or method stands in the same file; with the option `dissimilar` any keyword that these do not take.

    Why: the call raises a TypeError, at the first batch or in the one branch that reaches it.

    Quiet: `**kwargs` in the signature or in the call, decorators that may change the signature,
    functions that are defined twice, methods that a class of the file overrides with the keyword, and
    methods of the object that take no similar keyword, as a class of another file may override them;
    names of torch that resemble no keyword, which another version may have; NumPy's names of a keyword,
    which functions of torch take as well (`keepdims`, `axis`); calls below a `try` that catches
    TypeError, and those of a module that shows itself (`__name__ == "__main__"`); a switch that is off by
    default and that the file names nowhere else; code that nothing of the file can run; the same call
    again in a function.

    Tickets: real code
    """

    contract = "known-names"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "6 of 7 by readers in 260 packages, after mending on them (mmagic, modelscope and others); 2 of 2 in "
        "the last 90 unseen packages, before mending on them, and with `dissimilar` 8 of 12"
    )
    triggers = Triggers(nodes=frozenset({"Call"}), parts=frozenset({"="}))

    options: UnknownKeywordOptions
    Options = UnknownKeywordOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep calls with keywords."""
        return [n for n in nodes if isinstance(n, ast.Call) and n.keywords]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report each keyword that the called function does not take."""
        if not isinstance(node, ast.Call) or not _is_known(node, file) or not _is_plain(node):
            return
        has_name_of_torch = terminal_name(node.func) in torch_keywords_by_name()
        resolved = (file.resolve(node.func) or "") if has_name_of_torch else ""
        is_torch = resolved.startswith("torch.")
        known = (
            torch_keywords().get(resolved) if is_torch else file.once(OwnFunctions).keywords(node)
        )
        unknown = [k for k in node.keywords if known is not None and k.arg not in known]
        if not unknown or _is_attempt(node, file) or _is_demonstration(node, file):
            return
        if is_unreachable(node, file):
            return
        named = [(k, similar_name(k.arg or "", known or ())) for k in unknown]
        function = file.code(node.func, parentheses=True)
        for keyword, meant in named:
            is_alias = is_torch and has_numpy_alias(resolved, keyword.arg or "", known or ())
            is_asked = is_torch or self.options.dissimilar
            if meant and not is_alias and (is_asked or is_misspelt(keyword.arg or "", meant)):
                message = f"`{function}` takes no `{keyword.arg}`: it has `{meant}`"
                yield Violation(keyword, message, _renamed(keyword, meant, file))
        plain = [keyword for keyword, meant in named if not meant]
        is_open = self.options.dissimilar and not is_torch and not function.startswith("self.")
        if plain and is_open and _is_first(node, file) and not _is_unused_switch(node, file):
            names = ", ".join(f"`{keyword.arg}`" for keyword in plain)
            yield Violation(plain[0], f"`{function}` takes no {names}")


def _renamed(keyword: ast.keyword, meant: str, file: FileView) -> Replacement:
    """Return the fix that writes the keyword which the function has."""
    span = file.span(keyword)
    name = Span(span.line, span.column, span.line, span.column + len(keyword.arg or ""))
    return Replacement(name, meant, safe=True, description=f"pass `{meant}`")


def _is_known(call: ast.Call, file: FileView) -> bool:
    """Return whether a call may be one of torch or of the own code of a file, by its last name alone.

    A call of torch with keywords that every function of that name takes is none.
    """
    name = terminal_name(call.func)
    if file.once(OwnFunctions).has_name(name):
        return True
    common = torch_keywords_by_name().get(name)
    return common is not None and any(keyword.arg not in common for keyword in call.keywords)


def _is_plain(call: ast.Call) -> bool:
    """Return whether a call names all its keywords, and its function by a dotted name."""
    return bool(dotted(call.func)) and all(keyword.arg for keyword in call.keywords)


def _is_demonstration(call: ast.Call, file: FileView) -> bool:
    """Return whether a call is below `if __name__ == "__main__"`, where a module shows itself."""
    tests = (s.test for s in file.enclosing(call) if isinstance(s, ast.If))
    return any("__name__" in identifiers(node) for test in tests for node in walk(test))


def _is_first(call: ast.Call, file: FileView) -> bool:
    """Return whether no call above in a function passes the same keywords to the same function."""
    functions = file.functions(call)
    calls = [
        c
        for c in file.calls(terminal_name(call.func))
        if dotted(c.func) == dotted(call.func) and file.functions(c) == functions
    ]
    names = {k.arg for k in call.keywords}
    return not functions or all(
        c.lineno >= call.lineno or not names <= {k.arg for k in c.keywords} for c in calls
    )


def _is_unused_switch(call: ast.Call, file: FileView) -> bool:
    """Return whether a call is below a switch that is off by default, and that the rest of the file leaves out."""
    functions = file.functions(call)
    given = defaults(functions[-1].args) if functions else {}
    off = {n for n, d in given.items() if isinstance(d, ast.Constant) and d.value in (False, None)}
    tests = [s.test for s in file.enclosing(call) if isinstance(s, ast.If)]
    for switch in off & {dotted(test) for test in tests}:
        named = re.findall(rf"\b{switch}\b", file.source.text)
        own = re.findall(rf"\b{switch}\b", ast.unparse(functions[-1]))
        if len(named) == len(own):
            return True
    return False


def _is_attempt(call: ast.Call, file: FileView) -> bool:
    """Return whether a call is made in a `try` that may catch its TypeError."""
    return any(isinstance(s, ast.Try) and s.handlers for s in file.enclosing(call))
