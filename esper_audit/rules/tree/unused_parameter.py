"""The rule `unused-parameter`: a parameter that its function never reads."""

from __future__ import annotations

from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
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
    """A parameter that nothing reads.

    What: a parameter of a function or method of production code that the body never reads, deletes or
    hands to a function inside it; `*args`, `**kwargs` and names with a leading underscore aside.

    Why: a caller who passes it believes that it has an effect. A threshold, a mask or a seed that is
    taken and dropped is a wrong result without an error.

    Quiet: signatures that somebody else prescribes: overrides and what is overridden, protocols,
    abstract methods, bases outside the tree, methods that are said to be overridden or stand in a base
    class without heirs, decorators that may register, dunder methods, functions used as values
    (callbacks, tables, `partial`) or spelled in strings, hooks of modules (`module, input, output`),
    mocks, stand-ins for a function of torch (`conv2d_same`), copies that say so; calls that hand on
    `**kwargs` which may hold it; a function that is defined twice, or shares the parameter with another
    of its name, with two of a like name (`is_npu_there`, `is_xpu_there`), with a twin of its file
    (`cuda_sync`, `mps_sync`) that reads it, or leaves it unread with two that begin or end alike: it is
    a convention; checks that are given all that their caller has; bodies that do nothing, raise, or call
    `locals()`; a parameter that the function says is unused, deprecated or kept for compatibility, or
    whose use is commented out.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P3
    default = False
    precision = (
        "93 of 101 read were right in the 13 packages it was tuned on, 141 of 180 in 28 others"
    )

    VALID = (
        ValidTree("read", {"a.py": "def f(x, eps):\n    return x + eps\n"}),
        ValidTree("a leading underscore", {"a.py": "def f(x, _eps):\n    return x\n"}),
        ValidTree("a list that is added to", {"a.py": "def f(x, found):\n    found += [x]\n"}),
        ValidTree("deleted on purpose", {"a.py": "def f(x, eps):\n    del eps\n    return x\n"}),
        ValidTree("a stub", {"a.py": "def f(x, eps): ...\n"}),
        ValidTree("a refusal", {"a.py": "def f(x, eps):\n    raise TypeError('no')\n"}),
        ValidTree(
            "read by a function inside",
            {"a.py": "def f(eps):\n    def g(x):\n        return x + eps\n\n    return g\n"},
        ),
        ValidTree("in a table", {"a.py": "def f(x, eps):\n    return x\n\n\nTABLE = {'f': f}\n"}),
        ValidTree(
            "a callback",
            {"a.py": "def f(x, eps):\n    return x\n", "b.py": "import a\n\n\nrun(hook=a.f)\n"},
        ),
        ValidTree("registered", {"a.py": "@register\ndef f(x, eps):\n    return x\n"}),
        ValidTree(
            "an override",
            {
                "a.py": "class A:\n    def f(self, x, eps):\n        return x + eps\n\n\n"
                "class B(A):\n    def f(self, x, eps):\n        return x\n"
            },
        ),
        ValidTree(
            "a default that subclasses override",
            {
                "a.py": "class A:\n    def f(self, x, eps):\n        return x\n\n\n"
                "class B(A):\n    def f(self, x, eps):\n        return x + eps\n"
            },
        ),
        ValidTree(
            "a base outside prescribes it",
            {
                "a.py": "import lib\n\n\nclass A(lib.B):\n    def f(self, x, eps):\n        return x\n"
            },
        ),
        ValidTree(
            "a forward that another module shares",
            {
                "a.py": "from torch import nn\n\n\nclass A(nn.Module):\n    def forward(self, x, mask):\n"
                "        return x\n\n\nclass B(nn.Module):\n    def forward(self, x, mask):\n"
                "        return x * mask\n"
            },
        ),
        ValidTree(
            "said to be unused",
            {"a.py": "def f(x, eps):\n    '''Args:\n        eps: unused.\n    '''\n    return x\n"},
        ),
        ValidTree(
            "a family that takes the same",
            {
                "a.py": "def is_npu_there(check=False):\n    return npu(check)\n\n\ndef is_xpu_there(check=False):\n"
                "    return xpu(check)\n\n\ndef is_mlu_there(check=False):\n    return mlu()\n"
            },
        ),
        ValidTree(
            "one of a pair",
            {
                "a.py": "def _cuda_sync(device):\n    return lambda: cuda.wait(device)\n\n\n"
                "def _mps_sync(device):\n    return mps.wait\n"
            },
        ),
        ValidTree(
            "one of a pair that go two ways",
            {
                "a.py": "def a_to_b(state, tie):\n    return state if tie else fix(state)\n\n\n"
                "def b_to_a(state, tie):\n    return mend(state)\n"
            },
        ),
        ValidTree(
            "a kind of another",
            {
                f"{name}.py": f"def get_{name}steps(count, device):\n    return {body}\n"
                for name, body in (
                    ("", "count"),
                    ("inverse_", "-count"),
                    ("late_", "there(count, device)"),
                )
            },
        ),
        ValidTree(
            "a check that is given everything",
            {
                "a.py": "def check_inputs(x, height, width, kind):\n    if x is None:\n"
                "        raise ValueError('no x')\n"
            },
        ),
        ValidTree(
            "a method to override",
            {
                "a.py": "class A:\n    def send(self, key, weights):\n        # a method to override\n"
                "        self.link.send(weights)\n"
            },
        ),
        ValidTree(
            "a convention that three do not need",
            {
                "a.py": "def _convert_a(state, model):\n    return fix(state)\n\n\ndef _convert_b(state, model):\n"
                "    return rename(state)\n",
                "b.py": "def _convert_c(state, model):\n    return drop(state)\n",
            },
        ),
        ValidTree(
            "classes that drop the same",
            {
                f"{name}.py": f"class {name}Mixin:\n    def __init__(self, x, role):\n        self.x = x\n"
                for name in ("Gauss", "Fixed", "Table")
            },
        ),
        ValidTree(
            "a stand-in for a function of torch",
            {
                "a.py": "import torch.nn.functional as F\n\n\ndef conv2d_same(x, weight, stride, padding):\n"
                "    return F.conv2d(pad(x), weight, stride)\n"
            },
        ),
        ValidTree(
            "one of two definitions",
            {
                "a.py": "if NEW:\n\n    def act(x, inplace):\n        return fast(x, inplace)\n\nelse:\n\n"
                "    def act(x, inplace):\n        return slow(x)\n"
            },
        ),
        ValidTree(
            "one way of two, the other is given by a user",
            {
                "a.py": "def run(again, xs):\n    if again is True:\n\n        def ask(step, xs):\n"
                "            return step > 3\n\n    else:\n        ask = again\n    return ask(1, xs)\n"
            },
        ),
        ValidTree("a mock", {"a.py": "def mocked_loaders(size):\n    return [1, 2]\n"}),
        ValidTree(
            "its use is set aside",
            {
                "a.py": "class A:\n    def __init__(self, x, drop):\n        self.x = x\n"
                "        # self.drop = Drop(drop) if drop > 0.0 else Identity()\n        self.drop = Identity()\n"
            },
        ),
        ValidTree(
            "its use is set aside, over several lines",
            {
                "a.py": "class A:\n    def show(self, title, x):\n        # if detects(x):\n"
                "        #     self.draw(x,\n        #               title=title)\n        return log(x)\n"
            },
        ),
        ValidTree(
            "said on the line below not to be used",
            {
                "a.py": 'def write(data, rate=None):\n    """Write.\n\n    rate : None\n        Not used, for others.\n'
                '    """\n    print(data)\n',
            },
        ),
        ValidTree(
            "a step that subclasses may fill",
            {"a.py": "class A:\n    def mask(self, weights, length):\n        return weights\n"},
        ),
        ValidTree(
            "deprecated",
            {
                "a.py": "@deprecated('use g')\ndef f(x, size=None):\n    return x + 1\n",
                "b.py": "def f(x, ends=None):\n    'Deprecated: use g.'\n\n    return g(x)\n",
            },
        ),
        ValidTree(
            "asked of every model",
            {
                "a.py": "class Net:\n    def reset_classifier(self, classes, global_pool=''):\n"
                "        self.head = head(classes)\n"
            },
        ),
        ValidTree(
            "a base class for others",
            {
                "a.py": "class BaseLoader:\n    def run(self, path, settings):\n        self.path = path\n"
                "        return open(path)\n"
            },
        ),
        ValidTree(
            "a default for subclasses",
            {
                "a.py": "class Bar:\n    def columns(self, trainer):\n        return [Text(self.style), Time()]\n\n"
                "    def start(self, trainer):\n        return show(self.columns(trainer))\n"
            },
        ),
        ValidTree(
            "kept as it is elsewhere",
            {"a.py": "# Copied from lib.f\n@cache\ndef f(x, eps):\n    return x\n"},
        ),
        ValidTree(
            "said not to be read",
            {
                "a.py": "def f(x, eps):\n    '''eps: accepted for symmetry with g, not read here.'''\n    return x\n"
            },
        ),
        ValidTree("all locals", {"a.py": "def f(x, eps):\n    return g(**locals())\n"}),
    )
    INVALID = (
        InvalidTree(
            "a threshold that is dropped",
            {"a.py": "def clip(x, limit=1.0):\n    return x\n"},
            (("a.py", 1, "`clip` never reads its parameter `limit`"),),
        ),
        InvalidTree(
            "a mask that is only overwritten",
            {
                "a.py": "class A:\n    def f(self, x, mask):\n        mask = None\n        return x\n\n\n"
                "A().f(1, 2)\n"
            },
            (("a.py", 2, "`A.f` never reads its parameter `mask`"),),
        ),
        InvalidTree(
            "twins of which neither reads it",
            {
                "a.py": "def _lower_gain(x, parts):\n    return x\n\n\ndef _upper_gain(x, parts):\n    return -x\n"
            },
            (
                ("a.py", 1, "`_lower_gain` never reads its parameter `parts`"),
                ("a.py", 5, "`_upper_gain` never reads its parameter `parts`"),
            ),
        ),
        InvalidTree(
            "a check that drops one",
            {
                "a.py": "def check_goal(seen, space):\n    if space is None:\n        raise ValueError('no space')\n"
            },
            (("a.py", 1, "`check_goal` never reads its parameter `seen`"),),
        ),
        InvalidTree(
            "in a constructor",
            {
                "a.py": "class A:\n    def __init__(self, dim, heads):\n        self.dim = dim\n\n\n"
                "A(1, 2).dim\n"
            },
            (("a.py", 2, "`A` never reads its parameter `heads`"),),
        ),
    )

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the parameters that are not read, of functions whose signature is their own."""
        peers, alike = count_parameters(tree.index), NamingPatterns(tree.index)
        for function in tree.in_scope(tree.index.all_symbols(KINDS)):
            names = [p.name for p in _unread(tree.index.definition(function))]
            if function.short != CONSTRUCTOR:
                names = [name for name in names if peers[function.short, name] == 1]
            names = [name for name in names if not _is_given_for_a_reason(tree, function, name)]
            names = [name for name in names if not alike.prescribe(function, name)]
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
    """Return the parameters whose values go nowhere."""
    is_static = definition.has_decorator("staticmethod")
    is_bound = definition.kind is DefinitionKind.METHOD and not is_static
    return [
        parameter
        for parameter in definition.parameters[is_bound:]
        if not parameter.read and parameter.kind not in MANY and not parameter.name.startswith("_")
    ]


def _is_given_for_a_reason(tree: Tree, function: Symbol, name: str) -> bool:
    """Return whether the function's own text or its callers explain a parameter that it does not read."""
    text = tree.text(function)
    decorators = tree.index.definition(function).decorators
    if any("deprecat" in str(decorator) for decorator in decorators):
        return True
    if tree.external_callers.is_kept_for_compatibility(text):
        return True
    if is_declared_unused(text, name) or is_read_in_commented_code(text, name):
        return True
    return _may_arrive_in_kwargs(tree, function, name)


def _may_arrive_in_kwargs(tree: Tree, function: Symbol, name: str) -> bool:
    """Return whether some call hands on `**kwargs` that may hold the name, as they are shared with others."""
    given = (hit.mention.arguments for hit in tree.reference_table.of(function))
    return any(
        arguments is not None and arguments.double_star and name not in arguments.keywords
        for arguments in given
    )


def _is_own_signature(tree: Tree, function: Symbol) -> bool:
    """Return whether nobody but its callers, who are known to call it, decides what a function takes."""
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
        is_theirs = owner is not None and has_escaping_object(tree, owner)
        if is_theirs or outside.is_called_by_language(function):
            return False
    hits = mentions_of(tree, function)
    return not any(hit.use in AS_VALUE and not hit.is_inside(function) for hit in hits)
