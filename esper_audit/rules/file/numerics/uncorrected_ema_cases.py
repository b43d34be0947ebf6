"""The cases of the rule `uncorrected-ema`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "a corrected average",
        """
        class Norm:
            def __init__(self):
                self.avg = 0.0
                self.n = 0
            def update(self, x):
                self.n += 1
                self.avg = self.b * self.avg + (1 - self.b) * x
                return self.avg / (1 - self.b ** self.n)
        """,
    ),
    Valid(
        "an average that starts with the first sample",
        """
        class Norm:
            def __init__(self):
                self.avg = 0.0
            def update(self, x):
                if self.first:
                    self.avg = x
                else:
                    self.avg = 0.9 * self.avg + 0.1 * x
        """,
    ),
    Valid(
        "an average that starts with None",
        """
        avg = None
        for x in xs:
            avg = x if avg is None else avg
            avg = 0.9 * avg + 0.1 * x
        """,
    ),
    Valid(
        "an average of parameters that starts with a copy",
        """
        class Teacher:
            def __init__(self, model):
                self.w = model.w.clone()
            def update(self, model):
                self.w.mul_(0.99).add_(model.w, alpha=0.01)
        """,
    ),
    Valid(
        "parameters with an unknown initial value",
        """
        for p, q in zip(a, b):
            p.data.mul_(decay).add_(q.data, alpha=1 - decay)
        """,
    ),
    Valid(
        "the optimizer Adam",
        """
        def step(p, g, beta, n):
            m = torch.zeros_like(p)
            for _ in range(n):
                m.mul_(beta).add_(g, alpha=1 - beta)
            return m / (1 - beta ** n)
        """,
    ),
    Valid(
        "an optimizer without correction",
        """
        class Lion(torch.optim.Optimizer):
            def __init__(self, p):
                self.m = torch.zeros_like(p)
            def step(self, g):
                self.m.lerp_(g, 1 - self.beta)
        """,
    ),
    Valid(
        "momentum without the complement",
        """
        class SGD:
            def __init__(self, p):
                self.v = torch.zeros_like(p)
            def step(self, g):
                self.v = 0.9 * self.v + g
                self.v.mul_(b).add_(g)
        """,
    ),
    Valid(
        "a gate of a recurrent cell",
        """
        def run(xs):
            h = torch.zeros(8)
            for x in xs:
                z = gate(x, h)
                h = z * h + (1 - z) * new(x)
            return h
        """,
    ),
    Valid(
        "a rate that warms up",
        """
        class Norm:
            avg = 0.0
            def update(self, x):
                d = min(self.decay, (1 + self.n) / (10 + self.n))
                self.avg = d * self.avg + (1 - d) * x
        """,
    ),
    Valid(
        "a mean of all samples",
        """
        mean = 0.0
        for n, x in enumerate(xs, 1):
            mean += (1 / n) * (x - mean)
        """,
    ),
    Valid(
        "two images blended once",
        """
        def mix(a, b, w):
            out = torch.zeros_like(a)
            out = w * out + (1 - w) * b
            return out
        """,
    ),
    Valid(
        "statistics of a batch norm",
        """
        class Norm(Module):
            def __init__(self, n):
                self.register_buffer('mean', torch.zeros(n))
                self.register_buffer('std', torch.ones(n))
            def update(self, x):
                self.mean.lerp_(x.mean(0), self.rate)
                self.std.lerp_(x.std(0), self.rate)
        """,
    ),
    Valid(
        "an average divided by another",
        """
        class Codebook:
            def __init__(self):
                self.count = torch.zeros(8)
                self.total = torch.zeros(8, 4)
            def update(self, n, x):
                self.count.mul_(self.b).add_(n, alpha=1 - self.b)
                self.total.mul_(self.b).add_(x, alpha=1 - self.b)
                return self.total / self.count.unsqueeze(1)
        """,
    ),
    Valid(
        "a statistic that is reported under a name",
        """
        class Agent:
            def __init__(self):
                self.mean_value = 0
                self.mean_loss = 0
            def step(self, loss, value):
                self.mean_loss += 0.01 * (float(loss) - self.mean_loss)
                self.mean_value += 0.01 * (float(value) - self.mean_value)
                print(f"loss {self.mean_loss}")
            def statistics(self):
                return [("value", self.mean_value)]
        """,
    ),
)

INVALID = (
    Invalid(
        "an attribute",
        """
        class Norm:
            def __init__(self):
                self.avg = 0.0
            def update(self, x):
                self.avg = DECAY * self.avg + (1 - DECAY) * x
                return self.avg
        """,
        (
            (
                5,
                "self.avg starts at zero without bias correction: its first value is 1 - DECAY of the sample",
            ),
        ),
    ),
    Invalid(
        "a field of a dataclass of this file",
        """
        @dataclass
        class Metrics:
            norm_avg: float = 0.0
        def record(metrics, norm):
            metrics.norm_avg = metrics.norm_avg * 0.9 + norm * 0.1
        """,
        (
            (
                5,
                "metrics.norm_avg starts at zero without bias correction: its first value is 0.1 of the sample",
            ),
        ),
    ),
    Invalid(
        "a buffer, in place",
        """
        class Norm(Module):
            def __init__(self, n):
                self.register_buffer('avg', torch.zeros(n, device=d).float())
                self.low = nn.Parameter(torch.zeros(()))
            def forward(self, x):
                self.avg.mul_(self.b).add_((1 - self.b) * x)
                self.low.data.lerp_(x, self.rate)
            def load_state_dict(self, state):
                self.avg = state['avg']
        """,
        (
            (
                6,
                "self.avg starts at zero without bias correction: its first value is 1 - self.b of the sample",
            ),
            (
                7,
                "self.low starts at zero without bias correction: its first value is self.rate of the sample",
            ),
        ),
    ),
    Invalid(
        "a local variable in a loop",
        """
        def train(xs, beta):
            loss = 0
            sq = torch.zeros_like(p)
            for x in xs:
                loss = torch.lerp(loss, f(x), 1.0 - beta)
                sq.mul_(beta).addcmul_(x, x, value=1.0 - beta)
            return loss, sq
        """,
        (
            (
                5,
                "loss starts at zero without bias correction: its first value is 1.0 - beta of the sample",
            ),
            (
                6,
                "sq starts at zero without bias correction: its first value is 1.0 - beta of the sample",
            ),
        ),
    ),
    Invalid(
        "an update by the difference",
        """
        class Agent:
            def __init__(self):
                self.value = 0
            def step(self, loss):
                self.value += (1 - self.decay) * (float(loss) - self.value)
        """,
        (
            (
                5,
                "self.value starts at zero without bias correction: its first value is 1 - self.decay of the sample",
            ),
        ),
    ),
    Invalid(
        "a loop of a script",
        """
        reward = 0.0
        for episode in episodes:
            reward += 0.05 * (episode.reward - reward)
        """,
        (
            (
                3,
                "reward starts at zero without bias correction: its first value is 0.05 of the sample",
            ),
        ),
    ),
    Invalid(
        "an update inside a chain of calls",
        """
        class Norm:
            avg = torch.zeros(())
            def update(self, x):
                return (
                    self.avg.mul_(self.b)
                    .add_(x, alpha=1 - self.b)  # new
                    .sqrt()
                )
        """,
        (
            (
                5,
                "self.avg starts at zero without bias correction: its first value is 1 - self.b of the sample",
            ),
        ),
    ),
    Invalid(
        "a product by a call",
        """
        class Codebook(Module):
            def __init__(self, n):
                self.register_buffer('size', torch.zeros(n))
            def forward(self, x):
                self.size.data.mul_(self.b).add_(torch.mul(x.sum(0), 1 - self.b))
        """,
        (
            (
                5,
                "self.size starts at zero without bias correction: its first value is 1 - self.b of the sample",
            ),
        ),
    ),
)
