"""The cases of the rule `redundant-condition`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "a last test that is always true, and stands for an else",
        """
        def share(module, layer):
            if layer.weight is not None:
                return 1
            if module.training:
                count = 1
            elif len(list(module.children())) >= 0:
                count = 2
            return layer.weight * count
        """,
    ),
    Valid(
        "a way for None that is open, inside the test for None, or bound again",
        """
        def pick(a, b, c):
            if a is not None:
                return a.x if b or a is None else a.y
            if b is None and c:
                return c
            if b is None or b.x is None:
                return a
            if c is None:
                return b
            c = b.find()
            return c is None or c.x
        """,
    ),
    Valid(
        "a text as a default value, and comparisons of each",
        """
        def load(path, kind, names):
            if (kind or "fas") == "fas" or kind == "fasta":
                return read_fasta(path)
            if path == (names or "all") or known(path or "all", path == kind):
                return path
            return kind == "fas" or "none"
        """,
    ),
    Valid(
        "a counter that is compared beside what decides",
        """
        def write(rows, every):
            kept = 0
            for row in rows:
                kept += 1
                if kept > 0 and kept % every == 0:
                    flush(row)
        """,
    ),
    Valid(
        "a half in the other branch, which does what that branch is about",
        """
        def attend(x, cond, count=None):
            if count is None or count == 0:
                return mix(x, cond)
            else:
                if count is not None and count > 0:
                    return pad(mix(x[:, count:], cond))
                raise NotImplementedError
        """,
    ),
    Valid(
        "an operand that changes nothing beside a branch that does something else",
        """
        def build(rows, name, augment, pad):
            if isinstance(rows, str):
                return [rows]
            if name == "train":
                if name == "train" and augment:
                    rows = pad(rows)
            else:
                rows = []
            return rows if isinstance(rows, str) or not pad else pad(rows)
        """,
    ),
    Valid(
        "a flag that is read, too, and a mask of a private helper",
        """
        from torch.nn import functional as F


        def offset(line, top: bool = False, verbose: bool = True, mask=None):
            width = 8 if top is not None else 0
            mask = F._canonical_mask(mask, "mask", None, "", line.dtype)
            if mask is not None:
                line = line + mask
            if verbose is not None:
                print(int(verbose))
            return line.shift(width, "left" if top else "right")
        """,
    ),
    Valid(
        "a test that is repeated where it does no harm",
        """
        def augment(rows, training, pad, lengths=None):
            if training and rows:
                if pad and training:
                    rows = pad(rows)
                else:
                    rows = rows[:1]
            if lengths is None or rows is None:
                raise ValueError("lengths are needed")
            if pad is None or lengths is None:
                raise ValueError("pad is needed")
            return rows
        """,
    ),
    Valid(
        "conditions that are open",
        """
        def step(self, updates=None, every=1):
            if updates is not None and every > 1:
                self.run(updates)
            elif updates is not None:
                self.run(every)
            return updates if updates is not None and self.warm else None
        """,
    ),
    Valid(
        "a name that is bound again, and an assert for a type checker",
        """
        def load(path, cache):
            if path is None:
                path = cache.path()
                if path is not None and cache.ready:
                    return path
            assert cache is not None
            if cache is not None and cache.ready:
                return cache
            return None
        """,
    ),
    Valid(
        "a flag that may be None, by annotation or default",
        """
        def build(a: bool | None = True, b: bool = None, c=False, d: Optional[bool] = False):
            if a is not None:
                use(a)
            if b is None:
                use(b)
            return use(c) if c is not None else use(d) if d is not None else None
        """,
    ),
    Valid(
        "a counter that other code resets or lowers, and one that is compared with more",
        """
        class Meter:
            def __init__(self, start):
                self.count = 0
                self.other = start

            def back(self):
                self.count -= 1

            def step(self):
                self.count += 1
                if self.count < 1:
                    return
                self.other += 1
                if self.other < 1:
                    return
                seen = 0
                seen += 1
                if seen < self.every:
                    return
        """,
    ),
    Valid(
        "layers and functions that may return several tensors",
        """
        import torch
        import torch.nn.functional as F
        from torch import nn


        class Model(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.rnn = nn.LSTM(width, width)

            def forward(self, x):
                out = self.rnn(x)
                if isinstance(out, tuple):
                    out = out[0]
                pooled = F.max_pool2d(out, 2, return_indices=True)
                best = torch.max(out, dim=1)
                return pooled[0] if isinstance(pooled, tuple) else best
        """,
    ),
    Valid(
        "a size that may be zero",
        """
        def mean(rows):
            if len(rows) > 0:
                return sum(rows) / len(rows)
            return 0.0 if len(rows) <= 0 else 1.0
        """,
    ),
    Valid(
        "what an assignment above sets",
        """
        def decode(x, blocks, skip):
            kept = []
            for block in blocks:
                x = block(x)
                if skip and kept is not None:
                    kept.append(x)
            return x, kept
        """,
    ),
)

INVALID = (
    Invalid(
        "a text beside a comparison",
        """
        def load(path, kind, names):
            if kind == "fas" or "fasta":
                return read_fasta(path)
            if ("key" or "value" in names) and path:
                return path
            return None
        """,
        (
            (2, '`kind == "fas" or "fasta"` is always true: the text "fasta" is true by itself'),
            (4, '`("key" or "value" in names)` is always true: the text "key" is true by itself'),
        ),
    ),
    Invalid(
        "a half that the test around it decides",
        """
        class Average:
            def step(self, new, updates=None):
                if updates is not None:
                    if updates is not None and self.every > 1:
                        self.blend(new)
                else:
                    self.blend(new)
        """,
        ((4, "`updates is not None` is always true: line 3 already tests it"),),
        fixed="""
        class Average:
            def step(self, new, updates=None):
                if updates is not None:
                    if self.every > 1:
                        self.blend(new)
                else:
                    self.blend(new)
        """,
    ),
    Invalid(
        "a way for None below the return for None",
        """
        def pick(a, b):
            if a is None:
                return b
            return a.x if b or a is None else a.y

        def put(cache, rows):
            if not rows or cache is None:
                raise ValueError("nothing to do")
            if cache is None or cache.keys is None:
                cache.keys = rows
        """,
        (
            (4, "`a is None` is always false: line 2 already tests it"),
            (9, "`cache is None` is always false: line 7 already tests it"),
        ),
        fixed="""
        def pick(a, b):
            if a is None:
                return b
            return a.x if b else a.y

        def put(cache, rows):
            if not rows or cache is None:
                raise ValueError("nothing to do")
            if cache.keys is None:
                cache.keys = rows
        """,
    ),
    Invalid(
        "a half that changes nothing, where asked for",
        """
        def pick(a, b):
            if a == "x":
                return b
            return b.x if b or a == "x" else b.y
        """,
        ((4, '`a == "x"` is always false: line 2 already tests it'),),
        fixed="""
        def pick(a, b):
            if a == "x":
                return b
            return b.x if b else b.y
        """,
        options={"restated": True},
    ),
    Invalid(
        "a bool that is tested for None",
        """
        from torch import nn


        class Likelihood(nn.Module):
            def __init__(self, width: int, mixing: bool = True) -> None:
                super().__init__()
                if mixing is not None:
                    self.weights = nn.Linear(width, width)

            def draw(self, *, sample: bool = False):
                return 1 if sample is None else 2
        """,
        (
            (7, "`mixing is not None` is always true: `mixing` is a bool"),
            (11, "`sample is None` is always false: `sample` is a bool"),
        ),
    ),
    Invalid(
        "a counter that was incremented just before",
        """
        class Norm:
            def __init__(self):
                self.count = 0

            def update(self, x):
                self.count += 1
                if self.count < 1:
                    self.mean = x
                if self.count == 0 and x is None:
                    return

            def load_state_dict(self, state):
                self.count = state["count"]


        def batches(loader):
            seen = 0
            for batch in loader:
                seen += 1
                if seen >= 1:
                    yield batch
        """,
        (
            (7, "`self.count < 1` is always false: `self.count` is at least 1 after line 6"),
            (9, "`self.count == 0` is always false: `self.count` is at least 1 after line 6"),
            (20, "`seen >= 1` is always true: `seen` is at least 1 after line 19"),
        ),
    ),
    Invalid(
        "a tuple that torch does not return",
        """
        import torch.nn.functional as F
        from torch import nn


        class Model(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.head = nn.Linear(width, width)

            def forward(self, x):
                out = self.head(x)
                if isinstance(out, tuple):
                    out = out[0]
                probability = F.softmax(x, dim=-1)
                return probability[0] if isinstance(probability, (tuple, list)) else out
        """,
        (
            (12, "`isinstance(out, tuple)` is always false: `self.head` returns a Tensor"),
            (
                15,
                (
                    "`isinstance(probability, (tuple, list))` is always false: `F.softmax` returns a "
                    "Tensor"
                ),
            ),
        ),
    ),
    Invalid(
        "comparisons that no value makes otherwise",
        """
        def mean(rows):
            if len(rows) >= 0:
                return sum(rows)
            return 1 if 3 > 2 else 0
        """,
        (
            (2, "`len(rows) >= 0` is always true: no value makes it otherwise"),
            (4, "`3 > 2` is always true: no value makes it otherwise"),
        ),
    ),
    Invalid(
        "what an assignment above sets, where asked for",
        """
        def decode(x, blocks, skip):
            kept = []
            for block in blocks:
                x = block(x)
                if skip and kept is not None:
                    kept.append(x)
            return x, kept
        """,
        ((5, "`kept is not None` is always true: line 2 sets it"),),
        options={"assignments": True},
    ),
)
