"""The cases of the rule `unused-parameter`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

VALID = (
    ValidTree(
        "read",
        {
            "a.py": """
                def f(x, eps):
                    return x + eps
            """,
        },
    ),
    ValidTree(
        "a leading underscore",
        {
            "a.py": """
                def f(x, _eps):
                    return x
            """,
        },
    ),
    ValidTree(
        "a list that is extended",
        {
            "a.py": """
                def f(x, found):
                    found += [x]
            """,
        },
    ),
    ValidTree(
        "deleted on purpose",
        {
            "a.py": """
                def f(x, eps):
                    del eps
                    return x
            """,
        },
    ),
    ValidTree("a stub", {"a.py": "def f(x, eps): ...\n"}),
    ValidTree(
        "a body that raises",
        {
            "a.py": """
                def f(x, eps):
                    raise TypeError('no')
            """,
        },
    ),
    ValidTree(
        "read by a nested function",
        {
            "a.py": """
                def f(eps):
                    def g(x):
                        return x + eps

                    return g
            """,
        },
    ),
    ValidTree(
        "in a table",
        {
            "a.py": """
                def f(x, eps):
                    return x


                TABLE = {'f': f}
            """,
        },
    ),
    ValidTree(
        "a callback",
        {
            "a.py": """
                def f(x, eps):
                    return x
            """,
            "b.py": """
                import a


                run(hook=a.f)
            """,
        },
    ),
    ValidTree(
        "registered",
        {
            "a.py": """
                @register
                def f(x, eps):
                    return x
            """,
        },
    ),
    ValidTree(
        "an override",
        {
            "a.py": """
                class A:
                    def f(self, x, eps):
                        return x + eps


                class B(A):
                    def f(self, x, eps):
                        return x
            """,
        },
    ),
    ValidTree(
        "a default that subclasses override",
        {
            "a.py": """
                class A:
                    def f(self, x, eps):
                        return x


                class B(A):
                    def f(self, x, eps):
                        return x + eps
            """,
        },
    ),
    ValidTree(
        "prescribed by a base outside the tree",
        {
            "a.py": """
                import lib


                class A(lib.B):
                    def f(self, x, eps):
                        return x
            """,
        },
    ),
    ValidTree(
        "a forward that another module shares",
        {
            "a.py": """
                from torch import nn


                class A(nn.Module):
                    def forward(self, x, mask):
                        return x


                class B(nn.Module):
                    def forward(self, x, mask):
                        return x * mask
            """,
        },
    ),
    ValidTree(
        "declared unused",
        {
            "a.py": """
                def f(x, eps):
                    '''Args:
                        eps: unused.
                    '''
                    return x
            """,
        },
    ),
    ValidTree(
        "functions of a naming pattern",
        {
            "a.py": """
                def is_npu_there(check=False):
                    return npu(check)


                def is_xpu_there(check=False):
                    return xpu(check)


                def is_mlu_there(check=False):
                    return mlu()
            """,
        },
    ),
    ValidTree(
        "one of a pair of functions",
        {
            "a.py": """
                def _cuda_sync(device):
                    return lambda: cuda.wait(device)


                def _mps_sync(device):
                    return mps.wait
            """,
        },
    ),
    ValidTree(
        "one of a pair of opposite functions",
        {
            "a.py": """
                def a_to_b(state, tie):
                    return state if tie else fix(state)


                def b_to_a(state, tie):
                    return mend(state)
            """,
        },
    ),
    ValidTree(
        "a variant of another function",
        {
            ".py": """
                def get_steps(count, device):
                    return count
            """,
            "inverse_.py": """
                def get_inverse_steps(count, device):
                    return -count
            """,
            "late_.py": """
                def get_late_steps(count, device):
                    return there(count, device)
            """,
        },
    ),
    ValidTree(
        "a check that receives all arguments",
        {
            "a.py": """
                def check_inputs(x, height, width, kind):
                    if x is None:
                        raise ValueError('no x')
            """,
        },
    ),
    ValidTree(
        "a method to override",
        {
            "a.py": """
                class A:
                    def send(self, key, weights):
                        # a method to override
                        self.link.send(weights)
            """,
        },
    ),
    ValidTree(
        "a convention with three unread parameters",
        {
            "a.py": """
                def _convert_a(state, model):
                    return fix(state)


                def _convert_b(state, model):
                    return rename(state)
            """,
            "b.py": """
                def _convert_c(state, model):
                    return drop(state)
            """,
        },
    ),
    ValidTree(
        "classes that ignore the same parameter",
        {
            "Gauss.py": """
                class GaussMixin:
                    def __init__(self, x, role):
                        self.x = x
            """,
            "Fixed.py": """
                class FixedMixin:
                    def __init__(self, x, role):
                        self.x = x
            """,
            "Table.py": """
                class TableMixin:
                    def __init__(self, x, role):
                        self.x = x
            """,
        },
    ),
    ValidTree(
        "a replacement for a function of torch",
        {
            "a.py": """
                import torch.nn.functional as F


                def conv2d_same(x, weight, stride, padding):
                    return F.conv2d(pad(x), weight, stride)
            """,
        },
    ),
    ValidTree(
        "one of two definitions",
        {
            "a.py": """
                if NEW:

                    def act(x, inplace):
                        return fast(x, inplace)

                else:

                    def act(x, inplace):
                        return slow(x)
            """,
        },
    ),
    ValidTree(
        "one of two alternatives, the other is passed by a user",
        {
            "a.py": """
                def run(again, xs):
                    if again is True:

                        def ask(step, xs):
                            return step > 3

                    else:
                        ask = again
                    return ask(1, xs)
            """,
        },
    ),
    ValidTree(
        "a mock",
        {
            "a.py": """
                def mocked_loaders(size):
                    return [1, 2]
            """,
        },
    ),
    ValidTree(
        "its use is commented out",
        {
            "a.py": """
                class A:
                    def __init__(self, x, drop):
                        self.x = x
                        # self.drop = Drop(drop) if drop > 0.0 else Identity()
                        self.drop = Identity()
            """,
        },
    ),
    ValidTree(
        "its use is commented out over several lines",
        {
            "a.py": """
                class A:
                    def show(self, title, x):
                        # if detects(x):
                        #     self.draw(x,
                        #               title=title)
                        return log(x)
            """,
        },
    ),
    ValidTree(
        "declared unused on the line below",
        {
            "a.py": '''
                def write(data, rate=None):
                    """Write.

                    rate : None
                        Not used, for others.
                    """
                    print(data)
            ''',
        },
    ),
    ValidTree(
        "a step that subclasses may implement",
        {
            "a.py": """
                class A:
                    def mask(self, weights, length):
                        return weights
            """,
        },
    ),
    ValidTree(
        "deprecated",
        {
            "a.py": """
                @deprecated('use g')
                def f(x, size=None):
                    return x + 1
            """,
            "b.py": """
                def f(x, ends=None):
                    'Deprecated: use g.'

                    return g(x)
            """,
        },
    ),
    ValidTree(
        "an argument of all models",
        {
            "a.py": """
                class Net:
                    def reset_classifier(self, classes, global_pool=''):
                        self.head = head(classes)
            """,
        },
    ),
    ValidTree(
        "a base class for others",
        {
            "a.py": """
                class BaseLoader:
                    def run(self, path, settings):
                        self.path = path
                        return open(path)
            """,
        },
    ),
    ValidTree(
        "a default for subclasses",
        {
            "a.py": """
                class Bar:
                    def columns(self, trainer):
                        return [Text(self.style), Time()]

                    def start(self, trainer):
                        return show(self.columns(trainer))
            """,
        },
    ),
    ValidTree(
        "a declared copy",
        {
            "a.py": """
                # Copied from lib.f
                @cache
                def f(x, eps):
                    return x
            """,
        },
    ),
    ValidTree(
        "declared not to be read",
        {
            "a.py": """
                def f(x, eps):
                    '''eps: accepted for symmetry with g, not read here.'''
                    return x
            """,
        },
    ),
    ValidTree(
        "all locals",
        {
            "a.py": """
                def f(x, eps):
                    return g(**locals())
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "a threshold that is ignored",
        {
            "a.py": """
                def clip(x, limit=1.0):
                    return x
            """,
        },
        (("a.py", 1, "`clip` never reads its parameter `limit`"),),
    ),
    InvalidTree(
        "a mask that is only overwritten",
        {
            "a.py": """
                class A:
                    def f(self, x, mask):
                        mask = None
                        return x


                A().f(1, 2)
            """,
        },
        (("a.py", 2, "`A.f` never reads its parameter `mask`"),),
    ),
    InvalidTree(
        "a pair of functions of which neither reads it",
        {
            "a.py": """
                def _lower_gain(x, parts):
                    return x


                def _upper_gain(x, parts):
                    return -x
            """,
        },
        (
            ("a.py", 1, "`_lower_gain` never reads its parameter `parts`"),
            ("a.py", 5, "`_upper_gain` never reads its parameter `parts`"),
        ),
    ),
    InvalidTree(
        "a check that ignores one argument",
        {
            "a.py": """
                def check_goal(seen, space):
                    if space is None:
                        raise ValueError('no space')
            """,
        },
        (("a.py", 1, "`check_goal` never reads its parameter `seen`"),),
    ),
    InvalidTree(
        "a parameter of a constructor",
        {
            "a.py": """
                class A:
                    def __init__(self, dim, heads):
                        self.dim = dim


                A(1, 2).dim
            """,
        },
        (("a.py", 2, "`A` never reads its parameter `heads`"),),
    ),
)
