"""The cases of `average-keeps-graph`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = "`{}` keeps the graph of `{}` from step to step: detach what is averaged"

VALID = (
    Valid(
        "a method that gets detached values, or is called without gradients",
        """
        import torch
        from torch import nn
        class Centred(nn.Module):
            def forward(self, x, y):
                self.follow(x.detach())
                with torch.no_grad():
                    self.observe(y)
                self.count(x, 1)
                x = x.detach()
                self.trace(x)
                return (y - self.centre).softmax(-1)
            def follow(self, values):
                self.centre = self.centre * 0.9 + values.mean(dim=0) * 0.1
            def observe(self, values):
                self.mean = self.mean * 0.9 + values.mean(dim=0) * 0.1
            def trace(self, values):
                self.path = self.path * 0.9 + values.mean(dim=0) * 0.1
            def count(self, x, n):
                self.n = self.n * 0.9 + abs(n) * 0.1
            @torch.no_grad()
            def copied(self, x):
                self.last = self.last * 0.9 + x.mean(0) * 0.1
        """,
    ),
    Valid(
        "an operation of autograd, which runs without a graph",
        """
        import torch
        class Leak(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, decay):
                ctx.save_for_backward(x)
                potential = torch.zeros_like(x[0])
                for t in range(x.size(0)):
                    potential = decay * potential + (1 - decay) * x[t]
                return potential
        """,
    ),
    Valid(
        "a detached sample, a number, a graph that is off",
        """
        import torch
        class Trainer:
            def step(self, x):
                loss = self.net(x)
                loss.backward()
                self.one = 0.9 * self.one + 0.1 * loss.detach()
                self.two = 0.9 * self.two + 0.1 * loss.item()
                with torch.no_grad():
                    self.three = torch.lerp(self.three, loss, 0.1)
            @torch.no_grad()
            def update(self, loss):
                self.four = 0.9 * self.four + 0.1 * loss
        """,
    ),
    Valid(
        "an average that is detached after the update, and a local one",
        """
        import torch
        class Trainer:
            def step(self, x, mean):
                loss = self.net(x)
                loss.backward()
                mean = 0.9 * mean + 0.1 * loss
                self.mean = 0.9 * self.mean + 0.1 * loss
                self.mean = self.mean.detach()
        """,
    ),
    Valid(
        "a sample without a graph, from a forward and from elsewhere",
        """
        import torch
        from torch import nn
        class Scale(nn.Module):
            def forward(self, x):
                with torch.no_grad():
                    level = x.abs().mean()
                self.level = 0.9 * self.level + 0.1 * level
                size = x.detach().norm()
                self.size = 0.9 * self.size + 0.1 * size
                return x / self.level
        class Meter:
            def update(self, value):
                self.value = 0.9 * self.value + 0.1 * value
        """,
    ),
    Valid(
        "layers of one forward that are mixed into a local value",
        """
        import torch
        from torch import nn
        class Stack(nn.Module):
            def forward(self, x):
                total = torch.zeros_like(x)
                for layer in self.layers:
                    h = layer(x)
                    total = 0.9 * total + 0.1 * h
                return total
        """,
    ),
    Valid(
        "averages of weights that are floats, of a result that is not differentiated, of a detached part",
        """
        class Balance:
            def weigh(self, parts, decay):
                total = 0.0
                for name, part in parts.items():
                    value = part.detach()
                    before = self.means[name]
                    after = decay * before + (1 - decay) * value
                    self.means[name] = after
                    total = total + part / after
                return total

            def learn(self, net, x):
                self.weigh(net(x), 0.9).backward()

        class Meter:
            def add(self, value):
                mean = 0.9 * self.mean + 0.1 * value
                self.mean = mean
                return value - mean

            def show(self, x):
                print(self.add(x))
        """,
    ),
    Valid(
        "an entry that a lookup gives, with a detached sample, or that is detached behind",
        """
        class Balance:
            def __call__(self, losses):
                total = 0.0
                for name in losses:
                    loss = losses[name]
                    before = self.means.get(name, loss.detach())
                    self.means[name] = 0.9 * before + 0.1 * loss.detach()
                    total = total + loss / self.means[name]
                    after = self.others.setdefault(name, loss)
                    self.others[name] = 0.9 * after + 0.1 * loss
                    self.others[name] = self.others[name].detach()
                return total

        def fit(batches, net):
            balance = Balance()
            for x in batches:
                balance(net(x)).backward()
        """,
    ),
    Valid(
        "a meter that is given a number, a detached loss, a loss that it converts",
        """
        import torch
        class Meter:
            def add(self, value):
                self.mean = 0.9 * self.mean + 0.1 * value
            def convert(self, value):
                value = value.item() if torch.is_tensor(value) else value
                self.last = 0.9 * self.last + 0.1 * value
        def fit(net, batches):
            meter = Meter()
            for x in batches:
                loss = net(x).mean()
                loss.backward()
                meter.add(loss.item())
                meter.add(value=loss.detach())
                meter.convert(loss)
                with torch.no_grad():
                    meter.add(loss)
        """,
    ),
)
INVALID = (
    Invalid(
        "a meter that is given the loss",
        """
        class Meter:
            def add(self, count, value):
                self.n += count
                self.mean = 0.9 * self.mean + 0.1 * value
        def fit(net, batches):
            meter = Meter()
            for x in batches:
                loss = net(x).mean()
                loss.backward()
                meter.add(len(x), loss)
        class Learner:
            def step(self, batch):
                error = self.net(batch).mean()
                self.follow(value=error)
                self.fabric.backward(error)
            def follow(self, value):
                self.level += 0.1 * (value - self.level)
        """,
        ((4, MESSAGE.format("self.mean", "value")), (17, MESSAGE.format("self.level", "value"))),
    ),
    Invalid(
        "an entry that a lookup gives, and whose detached value divides",
        """
        class Balance:
            def __call__(self, losses):
                total = 0.0
                for name, loss in losses.items():
                    before = self.means.get(name, loss)
                    self.means[name] = 0.9 * before + 0.1 * loss
                    total = total + loss / self.means[name].detach()
                return total

        def fit(batches, net):
            balance = Balance()
            for x in batches:
                balance(net(x)).backward()
        """,
        ((6, MESSAGE.format("self.means[name]", "loss")),),
    ),
    Invalid(
        "a table on the trainer, by setdefault, and an average that is detached where it is returned",
        """
        class Trainer:
            def learn(self, batch, part):
                error = self.criterion(self.net(batch))
                error.backward()
                held = self.levels.setdefault(part, error)
                self.levels[part] = self.rate * held + (1 - self.rate) * error
                self.level = self.rate * self.level + (1 - self.rate) * error
                return self.level.detach()
        """,
        (
            (6, MESSAGE.format("self.levels[part]", "error")),
            (7, MESSAGE.format("self.level", "error")),
        ),
    ),
    Invalid(
        "in a method to which the forward hands its argument",
        """
        import torch
        from torch import nn
        class Centred(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.register_buffer("centre", torch.zeros(width))
            def forward(self, x, y):
                self.follow(0.9, values=x)
                return (y - self.centre).softmax(-1)
            def follow(self, rate, values):
                mean = values.mean(dim=0)
                self.centre = self.centre * rate + mean * (1 - rate)
        """,
        (
            (
                12,
                "`self.centre` keeps the graph of `mean` from step to step: detach what is averaged",
            ),
        ),
    ),
    Invalid(
        "a loss",
        """
        class Trainer:
            def step(self, batch):
                error = self.criterion(self.model(batch))
                self.scaler.scale(error).backward()
                self.smooth = 0.98 * self.smooth + 0.02 * error
                return self.smooth
        """,
        ((5, MESSAGE.format("self.smooth", "error")),),
    ),
    Invalid(
        "a local average of a loop, an entry of a table, a buffer in place",
        """
        import torch
        class Trainer(torch.nn.Module):
            def fit(self, loader):
                smooth = 0.0
                for batch in loader:
                    loss = self.net(batch)
                    loss.backward()
                    smooth = 0.9 * smooth + 0.1 * loss
                    self.stats["loss"] = 0.9 * self.stats["loss"] + 0.1 * loss
            def forward(self, x):
                self.level.mul_(0.99).add_(x.abs().mean(), alpha=0.01)
                return x / self.level
        """,
        (
            (8, MESSAGE.format("smooth", "loss")),
            (9, MESSAGE.format("self.stats['loss']", "loss")),
            (11, MESSAGE.format("self.level", "x.abs().mean()")),
        ),
    ),
    Invalid(
        "statistics of a normalisation layer",
        """
        import torch
        from torch import nn
        class Norm(nn.Module):
            def forward(self, x):
                if self.training:
                    mean = x.mean((0, 2, 3))
                    self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mean
                    self.scale = torch.lerp(self.scale, x.abs().mean(), self.momentum)
                return x - self.running_mean
        """,
        (
            (7, MESSAGE.format("self.running_mean", "mean")),
            (8, MESSAGE.format("self.scale", "x.abs().mean()")),
        ),
    ),
    Invalid(
        "a step towards the sample, under another spelling of backward",
        """
        class Agent:
            def learn(self, batch):
                advantage = self.evaluate(batch)
                self.manual_backward(advantage)
                self.baseline += 0.05 * (advantage - self.baseline)
        """,
        ((5, MESSAGE.format("self.baseline", "advantage")),),
    ),
)
