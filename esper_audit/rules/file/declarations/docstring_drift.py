"""The rule `docstring-drift`: a docstring says of the arguments what the signature does not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Options, Reach, Rule, Triggers, Valid, Violation
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
)
from esper_audit.source.idioms.docstrings.docstring_statements import (
    disagrees,
    stated_defaults,
    stated_rank,
    unpacked_rank,
)
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.enclosing import Definition, definitions_in
from esper_audit.source.syntax.names import Function, defaults, parameters
from esper_audit.source.syntax.node_view import View
from esper_audit.text.phrases import quoted

WORDS = frozenset(
    {"Args", "ARGS", "Arguments", "Parameters", "Params", "arg", "argument", "param", "parameter"}
)
WORD = re.compile(r"\w+")
DOC = '{}:\n    """F.\n\n    Args:\n        {}\n    """\n'


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
    triggers = Triggers(nodes=frozenset({"Expr"}), words=WORDS)
    reach = Reach.STATEMENT
    Options = DocstringDriftOptions
    options: DocstringDriftOptions
    VALID = (
        Valid(
            "no Args section",
            'def f(a, b):\n    """Adds.\n\n    Returns:\n        the sum.\n    """\n',
        ),
        Valid(
            "Google",
            DOC.format(
                "def f(a, b=0.1, *rest, **more)",
                "a (int): left.\n        b: right. Defaults to 0.1.\n        *rest: x.\n"
                "        **more: y.",
            ),
        ),
        Valid(
            "NumPy",
            'def f(x, y, z=3):\n    """Adds.\n\n    Parameters\n    ----------\n'
            "    x, y : array\n        Summands.\n"
            "    z : int, default: 3\n        Third.\n\n    Returns\n    -------\n"
            '    w : int\n    """\n',
        ),
        Valid(
            "Sphinx",
            'def f(a, b):\n    """Adds.\n\n    :param a: left\n        side\n'
            '    :param int b: right\n    :return: sum\n    """\n',
        ),
        Valid(
            "names that go through",
            DOC.format("def f(a, **kwargs)", "a: left.\n        lr: for the optimiser."),
        ),
        Valid(
            "the docstring of a class",
            'class A:\n    """A.\n\n    Args:\n        n: size.\n'
            '        x: input of forward.\n        w: field.\n    """\n    w: int\n'
            "    def __init__(self, n):\n        pass\n    def forward(self, x):\n"
            "        pass\n",
        ),
        Valid(
            "a class whose constructor is inherited",
            'class A(B):\n    """A.\n\n    Args:\n        n: size.\n    """\n    k: int = 0\n',
        ),
        Valid(
            "a class and its constructor share the work",
            'class A:\n    """A.\n\n    Args:\n        n: size.\n        m: width.\n    """\n'
            '    def __init__(self, n, m, k):\n        """Make.\n\n'
            '        Args:\n            k: kind.\n        """\n',
        ),
        Valid(
            "a decorator that passes an argument",
            DOC.format(
                "@with_session\ndef f(session, a, b)", "a: left.\n        b: right.\n        c: x."
            ),
        ),
        Valid(
            "underscore, self-evident, told in prose",
            DOC.format(
                "def f(a, b, c, _d, device, dtype, e)",
                "a: left.\n        b: right, unlike `e`.\n        c: x.",
            ),
        ),
        Valid("only what is worth a word", DOC.format("def f(a, b, c, d)", "a: left.")),
        Valid(
            "a section that is no list",
            DOC.format(
                "def f(a, b, c)", "a: left.\n        b: right.\n        and so on, as in `g`"
            ),
        ),
        Valid(
            "an example of a docstring",
            'def f(text):\n    """Reads a docstring such as:\n\n    Args:\n        x: left.\n'
            '    """\n',
        ),
        Valid(
            "defaults that agree or cannot be judged",
            DOC.format(
                "def f(a=1e-3, b=None, c=N, d='x', e=2, g=(1, 2), h=1)",
                "a: (default: 0.001).\n        b: defaults to 3.\n        c: Default: 4.\n"
                "        d: default `'x'`\n        e: default is 3 if b else 2.\n"
                "        g: defaults to [1, 2]\n        h: options\n            - k: default: 7",
            ),
        ),
        Valid(
            "shapes that agree or cannot be judged",
            'def f(x, y, z):\n    """F.\n\n    Args:\n        x: of shape (B, T).\n'
            '        y: of shape (..., T).\n        z: of shape (B,).\n    """\n'
            "    b, t = x.shape\n    b, t, c = y.shape\n    z = z[None]\n    b, t = z.shape\n",
        ),
        Valid(
            "a text that is no docstring",
            'def f(a):\n    """F."""\n    """Args:\n        b: x.\n    """\n',
        ),
    )
    INVALID = (
        Invalid(
            "a parameter that is gone",
            DOC.format(
                "def f(alpha, b, c)",
                "aplha (float): how much.\n        b: right.\n        c: width.\n"
                "        mask: none.",
            ),
            (
                (2, "documents `aplha`, `mask`, which `f` does not take"),
                (2, "says nothing of `alpha`, which `f` takes"),
            ),
        ),
        Invalid(
            "a parameter that came later, in a class",
            'class A(nn.Module):\n    """A.\n\n    Args:\n        n (int): size\n'
            '        m (int): width\n    """\n    def __init__(self, n, m, bias=True):\n'
            "        pass\n",
            ((2, "says nothing of `bias`, which `A` takes"),),
        ),
        Invalid(
            "in NumPy's style",
            'def f(x, eps=1e-6):\n    """F.\n\n    Parameters\n    ----------\n'
            '    x : array\n    y : array\n    eps : float, default=1e-5\n    """\n',
            (
                (2, "documents `y`, which `f` does not take"),
                (2, "gives `eps` the default 1e-5; the signature says 1e-06"),
            ),
        ),
        Invalid(
            "in Sphinx's style, of a method behind a decorator that changes nothing",
            'class A:\n    @torch.no_grad()\n    def f(self, obs, n):\n        """F.\n\n'
            "        :param obs_: seen\n        :param n: how many, defaults to 4\n"
            '        """\n',
            (
                (4, "documents `obs_`, which `f` does not take"),
                (4, "gives `n` the default 4; the signature requires it"),
            ),
        ),
        Invalid(
            "defaults that changed",
            DOC.format(
                "def f(a=1, *, b='sum', c=True)",
                "a (int): x (default: 3).\n        b: y. Default is 'mean'.\n"
                "        c (bool): defaults to `False`.",
            ),
            (
                (2, "gives `a` the default 3; the signature says 1"),
                (2, "gives `b` the default 'mean'; the signature says 'sum'"),
                (2, "gives `c` the default False; the signature says True"),
            ),
        ),
        Invalid(
            "another number of dimensions",
            'def f(x, y):\n    """F.\n\n    Args:\n'
            "        x (Tensor): input with shape ``[b x s]``\n"
            '        y: of shape `(B, C, H, W)`\n    """\n    b, s, d = x.shape\n'
            "    b, c = y.size()\n",
            (
                (2, "gives `x` 2 dimensions; the body unpacks 3"),
                (2, "gives `y` 4 dimensions; the body unpacks 2"),
            ),
        ),
    )

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Keep docstrings that drifted."""
        if not isinstance(node, ast.Expr) or not _is_text(node.value):
            return False
        owners = definitions_in(enclosing)
        return bool(owners) and owners[-1].body[0] is node and any(self._drifts(owners))

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report each drift at the docstring."""
        if not isinstance(node, cst.Expr):
            return
        if not isinstance(node.value, (cst.SimpleString, cst.ConcatenatedString)):
            return
        owners = view.definitions(node)
        if owners and node.value.evaluated_value == docstring(owners[-1]):
            for message in self._drifts(owners):
                yield Violation(node, message)

    def _drifts(self, owners: Sequence[Definition]) -> Iterator[str]:
        owner, text = owners[-1], docstring(owners[-1])
        function = documented_function(owner)
        if not text or function is None or not has_its_own_signature(function):
            return
        documented = documented_arguments(text)
        if not documented.entries:
            return
        words = frozenset(WORD.findall(text + told_beside(owner, owners)))
        yield from _unknown(documented, function, owner)
        if documented.is_whole:
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


def _is_text(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))
