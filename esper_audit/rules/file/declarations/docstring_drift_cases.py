"""The cases of the rule `docstring-drift`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "no Args section",
        '''
        def f(a, b):
            """Adds.

            Returns:
                the sum.
            """
        ''',
    ),
    Valid(
        "the Google style",
        '''
        def f(a, b=0.1, *rest, **more):
            """F.

            Args:
                a (int): left.
                b: right. Defaults to 0.1.
                *rest: x.
                **more: y.
            """
        ''',
    ),
    Valid(
        "the NumPy style, consistent",
        '''
        def f(x, y, z=3):
            """Adds.

            Parameters
            ----------
            x, y : array
                Summands.
            z : int, default: 3
                Third.

            Returns
            -------
            w : int
            """
        ''',
    ),
    Valid(
        "the Sphinx style, consistent",
        '''
        def f(a, b):
            """Adds.

            :param a: left
                side
            :param int b: right
            :return: sum
            """
        ''',
    ),
    Valid(
        "names that `**kwargs` accepts",
        '''
        def f(a, **kwargs):
            """F.

            Args:
                a: left.
                lr: for the optimiser.
            """
        ''',
    ),
    Valid(
        "the docstring of a class",
        '''
        class A:
            """A.

            Args:
                n: size.
                x: input of forward.
                w: field.
            """
            w: int
            def __init__(self, n):
                pass
            def forward(self, x):
                pass
        ''',
    ),
    Valid(
        "a class whose constructor is inherited",
        '''
        class A(B):
            """A.

            Args:
                n: size.
            """
            k: int = 0
        ''',
    ),
    Valid(
        "a class and its constructor that share the documentation",
        '''
        class A:
            """A.

            Args:
                n: size.
                m: width.
            """
            def __init__(self, n, m, k):
                """Make.

                Args:
                    k: kind.
                """
        ''',
    ),
    Valid(
        "a decorator that passes an argument",
        '''
        @with_session
        def f(session, a, b):
            """F.

            Args:
                a: left.
                b: right.
                c: x.
            """
        ''',
    ),
    Valid(
        "underscore names, self-evident names, names in prose",
        '''
        def f(a, b, c, _d, device, dtype, e):
            """F.

            Args:
                a: left.
                b: right, unlike `e`.
                c: x.
            """
        ''',
    ),
    Valid(
        "a section that documents few parameters",
        '''
        def f(a, b, c, d):
            """F.

            Args:
                a: left.
            """
        ''',
    ),
    Valid(
        "a section that is no list of entries",
        '''
        def f(a, b, c):
            """F.

            Args:
                a: left.
                b: right.
                and so on, as in `g`
            """
        ''',
    ),
    Valid(
        "an example of a docstring",
        '''
        def f(text):
            """Reads a docstring such as:

            Args:
                x: left.
            """
        ''',
    ),
    Valid(
        "defaults that agree or cannot be compared",
        '''
        def f(a=1e-3, b=None, c=N, d='x', e=2, g=(1, 2), h=1):
            """F.

            Args:
                a: (default: 0.001).
                b: defaults to 3.
                c: Default: 4.
                d: default `'x'`
                e: default is 3 if b else 2.
                g: defaults to [1, 2]
                h: options
                    - k: default: 7
            """
        ''',
    ),
    Valid(
        "shapes that agree or cannot be compared",
        '''
        def f(x, y, z):
            """F.

            Args:
                x: of shape (B, T).
                y: of shape (..., T).
                z: of shape (B,).
            """
            b, t = x.shape
            b, t, c = y.shape
            z = z[None]
            b, t = z.shape
        ''',
    ),
    Valid(
        "a text that is no docstring",
        '''
        def f(a):
            """F."""
            """Args:
                b: x.
            """
        ''',
    ),
    Valid(
        "a family of names, a Sphinx type of several words, and an address",
        '''
        def attend(x, key_mask, query_mask):
            """Attend.

            Args:
                x: the input
                *_mask: True where a position counts
                https://example.com/masks
            """


        def fill(value, size):
            """Fill.

            :param value float or torch.Tensor: what to fill with
            :param int or None size: how many
            """
        ''',
    ),
    Valid(
        "the keys of a dict that the body reads",
        '''
        def forward(self, data):
            """Match two images.

            Args:
                data: a dict with
                left: the left image
                right: the right image
            """
            if "mask" in data:
                return data["left"]
            return data.get("right")
        ''',
    ),
)

INVALID = (
    Invalid(
        "a removed parameter",
        '''
        def f(alpha, b, c):
            """F.

            Args:
                aplha (float): how much.
                b: right.
                c: width.
                mask: none.
            """
        ''',
        (
            (2, "documents `aplha`, `mask`, which `f` does not take"),
            (2, "omits `alpha`, which `f` takes"),
        ),
    ),
    Invalid(
        "an added parameter, in a class",
        '''
        class A(nn.Module):
            """A.

            Args:
                n (int): size
                m (int): width
            """
            def __init__(self, n, m, bias=True):
                pass
        ''',
        ((2, "omits `bias`, which `A` takes"),),
    ),
    Invalid(
        "the NumPy style",
        '''
        def f(x, eps=1e-6):
            """F.

            Parameters
            ----------
            x : array
            y : array
            eps : float, default=1e-5
            """
        ''',
        (
            (2, "documents `y`, which `f` does not take"),
            (2, "gives `eps` the default 1e-5; the signature has 1e-06"),
        ),
    ),
    Invalid(
        "the Sphinx style, for a method with a transparent decorator",
        '''
        class A:
            @torch.no_grad()
            def f(self, obs, n):
                """F.

                :param obs_: seen
                :param n: how many, defaults to 4
                """
        ''',
        (
            (4, "documents `obs_`, which `f` does not take"),
            (4, "gives `n` the default 4; the signature requires it"),
        ),
    ),
    Invalid(
        "defaults that changed",
        '''
        def f(a=1, *, b='sum', c=True):
            """F.

            Args:
                a (int): x (default: 3).
                b: y. Default is 'mean'.
                c (bool): defaults to `False`.
            """
        ''',
        (
            (2, "gives `a` the default 3; the signature has 1"),
            (2, "gives `b` the default 'mean'; the signature has 'sum'"),
            (2, "gives `c` the default False; the signature has True"),
        ),
    ),
    Invalid(
        "another number of dimensions",
        '''
        def f(x, y):
            """F.

            Args:
                x (Tensor): input with shape ``[b x s]``
                y: of shape `(B, C, H, W)`
            """
            b, s, d = x.shape
            b, c = y.size()
        ''',
        (
            (2, "gives `x` 2 dimensions; the body unpacks 3"),
            (2, "gives `y` 4 dimensions; the body unpacks 2"),
        ),
    ),
)
