"""The cases of the rule `state-outside-state-dict`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "an answer that a trial with random values gives",
        """
        import torch
        from torch import nn


        def is_usable() -> bool:
            trial = torch.rand(8, 12)
            return kernel(trial) is not None


        class Blocker(nn.Module):
            def __init__(self):
                super().__init__()
                self.usable = is_usable()

            def forward(self, x):
                return kernel(x) if self.usable else x
        """,
    ),
    Valid(
        "keys that the forward itself keeps",
        """
        import torch
        from torch import nn


        class Attention(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.keys = torch.zeros(8, width)

            def forward(self, x, at):
                self.keys[at] = x
                return self.keys
        """,
    ),
    Valid(
        "a module of the file that registers a draw, and a store of keys that a forward fills",
        """
        import torch
        from torch import nn


        class Weights(nn.Module):
            def __init__(self, start):
                super().__init__()
                self.weight = nn.Parameter(start)

            def forward(self):
                return self.weight


        class Tower(nn.Module):
            def __init__(self, width, count, limit):
                super().__init__()
                self.tokens = Weights(torch.randn(1, count, width)) if count > 0 else None
                self.keys = torch.zeros(8, limit, width)

            def forward(self, x, start):
                self.keys[:8, start : start + x.shape[1]] = x
                return self.keys[:, : start + x.shape[1]] + self.tokens()
        """,
    ),
    Valid(
        "buffers and parameters",
        """
        import torch
        from torch import nn

        class Wired(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.register_buffer("wires", torch.randperm(width))
                self.register_buffer("noise", torch.randn(width), persistent=False)
                self.scale = nn.Parameter(torch.randn(width))
                weights = torch.rand(width)
                self.gate = nn.Parameter(weights)
                self.layers = nn.ModuleList([nn.Linear(2, 2) for _ in torch.rand(3)])

            def forward(self, x):
                return self.layers[0](x[self.wires] + self.noise * self.gate * self.scale)
        """,
    ),
    Valid(
        "constants that derive from the arguments",
        """
        import torch
        from torch import nn

        class Positions(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.steps = torch.arange(width) / width
                self.window = torch.zeros(width)

            def forward(self, x):
                return x + self.steps + self.window
        """,
    ),
    Valid(
        "a draw that a seed repeats",
        """
        import torch
        from torch import nn

        class Projection(nn.Module):
            def __init__(self, width, seed):
                super().__init__()
                g = torch.Generator().manual_seed(seed)
                self.wires = torch.randperm(width, generator=g)

            def forward(self, x):
                return x[self.wires]
        """,
    ),
    Valid(
        "a draw of each forward, and a draw that the forward does not read",
        """
        import torch
        from torch import nn

        class Noise(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.noise = torch.randn(width)
                self.example = torch.randn(1, width)

            def forward(self, x):
                self.noise = torch.randn(x.shape)
                return x + self.noise

            def export(self):
                return trace(self, self.example)
        """,
    ),
    Valid(
        "a class that saves it by itself, and a class that is no module",
        """
        import torch
        from torch import nn

        class Wired(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.wires = torch.randperm(width)
            def forward(self, x):
                return x[self.wires]
            def get_extra_state(self):
                return self.wires

        class Policy:
            def __init__(self, width):
                self.wires = torch.randperm(width)
            def forward(self, x):
                return x[self.wires]
        """,
    ),
    Valid(
        "a sum that starts anew",
        """
        import torch
        from torch import nn

        class Mean(nn.Module):
            def __init__(self):
                super().__init__()
                self.total = torch.zeros(1)
            def reset(self):
                self.total = torch.zeros(1)
            def forward(self, x):
                self.total += x.sum()
                return self.total
        """,
    ),
    Valid(
        "an example for a compiler, a count that is reset, and a record",
        """
        import torch
        from torch import nn
        from graphs import optimised

        class Contract(nn.Module):
            def __init__(self):
                super().__init__()
                self.graph = optimised(examples=(torch.randn(3, 4), torch.randn(4)))
                self.count = torch.tensor(0)
                self.history = torch.zeros(1000)

            def keep(self, x):
                self.history[: x.shape[0]] = x.cpu()
                return self.history.shape[0]

            def forward(self, x):
                if self.count.ndim == 0:
                    self.count = torch.zeros(x.shape[0])
                self.count[0] += 1
                self.keep(x)
                return self.graph(x)
        """,
    ),
    Valid(
        "an initialiser that hands back a parameter",
        """
        import torch
        from torch import nn
        class Latents(nn.Module):
            def __init__(self, count, width):
                super().__init__()
                self.latents = nn.init.trunc_normal_(nn.Parameter(torch.empty(count, width)))
            def forward(self, x):
                return x @ self.latents.T
        """,
    ),
    Valid(
        "a place to work in",
        """
        import torch
        from torch import nn
        class Embed(nn.Module):
            def __init__(self, size, width):
                super().__init__()
                self.space = torch.zeros(size, width)
            def prepare(self, x):
                self.space[: len(x)].copy_(self.table(x))
            def forward(self, x):
                return self.layer(self.space[: len(x)])
        """,
    ),
    Valid(
        "a list of what the owner registers",
        """
        import torch
        from torch import nn
        class Lookup(nn.Module):
            def __init__(self, size):
                super().__init__()
                self.values = torch.zeros(size)
            def update(self, ids, values):
                self.values[ids] = values
            def states(self):
                yield "values", self.values
            def forward(self, ids):
                return self.values[ids]
        """,
    ),
    Valid(
        "a flag of a function that draws to try something",
        """
        import torch
        from torch import nn


        def works():
            probe = torch.rand((2, 3))
            try:
                kernel(probe)
                return True
            except RuntimeError:
                return False


        def fits(size) -> bool:
            return torch.randn(size).std() > 0


        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.fast, self.large = False, False
                self.kernel = works()
                self.wide = fits(3)

            def forward(self, x):
                return kernel(x) if self.kernel and self.wide else x.relu()
        """,
    ),
    Valid(
        "features of the data, some of which a function projects in the data",
        """
        import torch
        from torch import nn


        def collect(graph, kinds):
            for kind in kinds:
                if graph[kind].shape[1] != 8:
                    weight = torch.randn(graph[kind].shape[1], 8)
                    graph[kind] = graph[kind] @ weight
            rows = [torch.zeros(4, 8) for _ in kinds]
            for at, kind in enumerate(kinds):
                rows[at][:2] = graph[kind][:2]
            return rows


        class Net(nn.Module):
            def __init__(self, graph, kinds):
                super().__init__()
                self.rows = collect(graph, kinds)

            def forward(self, at):
                return torch.stack(self.rows)[at]
        """,
    ),
    Valid(
        "a helper that fills in constants, and one whose layer is initialised",
        """
        import torch
        import torch.nn.functional as F
        from torch import nn

        def table(width):
            rows = torch.empty(4, width)
            nn.init.ones_(rows)
            return F.normalize(rows, dim=-1)

        def learned(*sizes):
            weight = nn.Parameter(torch.Tensor(*sizes))
            nn.init.kaiming_uniform_(weight)
            return weight

        def encoded(length, width, kind):
            table = torch.empty(length, width)
            if kind == "normal":
                nn.init.normal_(table)
            return nn.Parameter(table, requires_grad=False)

        def head(width):
            layer = nn.Linear(width, width)
            nn.init.orthogonal_(layer.weight)
            return layer

        class Net(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.rows = table(width)
                self.learned = learned(width, width)
                self.places = encoded(8, width, "normal")
                self.head = head(width)
                self.scale = torch.empty(width)
                nn.init.constant_(self.scale, 0.5)

            def forward(self, x):
                return self.head(x * self.scale) @ self.rows.T @ self.learned + self.places
        """,
    ),
)

INVALID = (
    Invalid(
        "a tensor with gradients that is no parameter",
        """
        import torch
        from torch import nn


        class Field(nn.Module):
            def __init__(self, fields):
                super().__init__()
                self.weights = torch.randn(fields, fields, requires_grad=True)

            def forward(self, x):
                return x @ self.weights
        """,
        (
            (
                8,
                (
                    "`self.weights` is drawn at random (`torch.randn(fields, fields, requires_grad=True)`), "
                    "is read by the forward and is not in the state dict. Make it an nn.Parameter."
                ),
            ),
        ),
    ),
    Invalid(
        "a helper that draws in place, and a draw that a function of torch scales",
        """
        import torch
        import torch.nn.functional as F
        from torch import nn

        def codes(entries, width):
            book = torch.empty(entries, width)
            nn.init.orthogonal_(book)
            return book

        class Quantizer(nn.Module):
            def __init__(self, entries, width):
                super().__init__()
                self.codes = codes(entries, width)
                anchors = F.normalize(torch.rand(entries, width) - 0.5, dim=-1)
                self.anchors = anchors

            def forward(self, x):
                return torch.cdist(x, self.codes).argmin(-1), x @ self.anchors.T
        """,
        (
            (
                13,
                (
                    "`self.codes` is drawn at random (`codes(entries, width)`), is read by the forward "
                    "and is not in the state dict. Register it as a buffer."
                ),
            ),
            (
                15,
                (
                    "`self.anchors` is drawn at random (`torch.rand(entries, width)`), is read by the "
                    "forward and is not in the state dict. Register it as a buffer."
                ),
            ),
        ),
    ),
    Invalid(
        "keys that the forward itself keeps, where asked for",
        """
        import torch
        from torch import nn


        class Attention(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.keys = torch.zeros(8, width)

            def forward(self, x, at):
                self.keys[at] = x
                return self.keys
        """,
        (
            (
                8,
                (
                    "`self.keys` is updated by `forward`, is read by the forward and is not in the state "
                    "dict. Register it as a buffer."
                ),
            ),
        ),
        options={"caches": True},
    ),
    Invalid(
        "wires that are drawn once",
        """
        import torch
        from torch import nn

        class Wired(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.wires = torch.randperm(2 * width) % width
                self.mix = nn.Linear(2 * width, width)

            def forward(self, x):
                return self.mix(x[..., self.wires])
        """,
        (
            (
                7,
                (
                    "`self.wires` is drawn at random (`torch.randperm(2 * width)`), is read by the "
                    "forward and is not in the state dict. Register it as a buffer."
                ),
            ),
        ),
    ),
    Invalid(
        "a list of projections, by way of a local name, that a helper of the forward reads",
        """
        import torch
        import torch.nn as nn

        class Hash(nn.Module):
            def __init__(self, rounds, width):
                nn.Module.__init__(self)
                planes = [torch.randn(width, 8).float() for _ in range(rounds)]
                self._planes = planes

            def _buckets(self, x):
                return [x @ p for p in self._planes]

            def forward(self, x):
                return self._buckets(x)
        """,
        (
            (
                8,
                (
                    "`self._planes` is drawn at random (`torch.randn(width, 8)`), is read by the forward "
                    "and is not in the state dict. Register it as a buffer."
                ),
            ),
        ),
    ),
    Invalid(
        "a helper of the file, and a draw in place",
        """
        import numpy as np
        import torch
        from torch import nn

        def features(width):
            angles = np.random.uniform(0, 1, width)
            return torch.from_numpy(angles)

        class Fourier(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.angles = features(width)
                self.basis = torch.empty(width, width)
                nn.init.orthogonal_(self.basis)
                self.shift = torch.empty(width)
                self.shift.data.uniform_(-1, 1)
                self.out = nn.Linear(width, 1)

            def forward(self, x):
                return self.out(torch.cos(x @ self.basis + self.angles + self.shift))
        """,
        (
            (
                12,
                (
                    "`self.angles` is drawn at random (`features(width)`), is read by the forward and is "
                    "not in the state dict. Register it as a buffer."
                ),
            ),
            (
                13,
                (
                    "`self.basis` is drawn at random (`nn.init.orthogonal_(self.basis)`), is read by the "
                    "forward and is not in the state dict. Register it as a buffer."
                ),
            ),
            (
                15,
                (
                    "`self.shift` is drawn at random (`self.shift.data.uniform_(-1, 1)`), is read by the "
                    "forward and is not in the state dict. Register it as a buffer."
                ),
            ),
        ),
    ),
    Invalid(
        "statistics that training updates",
        """
        import torch
        from torch import nn

        class Whiten(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.mean = torch.zeros(width)
                self.scale = torch.ones(width).double()
                self.setup(width)

            def setup(self, width):
                self.codes = torch.zeros(8, width)

            @torch.no_grad()
            def observe(self, x):
                self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
                self.scale.lerp_(x.std(0), 0.1)
                self.codes[0] = x[0]

            def forward(self, x):
                if self.training:
                    self.observe(x)
                return (x - self.mean) / self.scale + self.codes[0]
        """,
        (
            (
                7,
                (
                    "`self.mean` is updated by `observe`, is read by the forward and is not in the state "
                    "dict. Register it as a buffer."
                ),
            ),
            (
                8,
                (
                    "`self.scale` is updated by `observe`, is read by the forward and is not in the state "
                    "dict. Register it as a buffer."
                ),
            ),
            (
                12,
                (
                    "`self.codes` is updated by `observe`, is read by the forward and is not in the state "
                    "dict. Register it as a buffer."
                ),
            ),
        ),
    ),
    Invalid(
        "a subclass reads what its base drew",
        """
        import torch
        from torch import nn

        class Base(nn.Module):
            def __init__(self, n):
                super().__init__()
                self.order = torch.randperm(n)

        class Shuffle(Base):
            def forward(self, x):
                return x[:, self.order]
        """,
        (
            (
                7,
                (
                    "`self.order` is drawn at random (`torch.randperm(n)`), is read by the forward and is "
                    "not in the state dict. Register it as a buffer."
                ),
            ),
        ),
    ),
)
