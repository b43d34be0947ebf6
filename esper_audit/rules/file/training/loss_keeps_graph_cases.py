"""The cases of the rule `loss-keeps-graph`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`{}` keeps the autograd graph of every batch: `{loss}` is still attached to it (backward in line "
    "{}). Use `{loss}.item()` or `{loss}.detach()`"
)

VALID = (
    Valid(
        "a meter of numbers, one that detaches, and one that is asked without gradients",
        """
        import torch

        class Meter:
            def add(self, value, n):
                self.total += value * n

        class Detached:
            def add(self, value):
                if torch.is_tensor(value):
                    value = value.detach()
                self.total += value

        def fit(net, batches, opt):
            one, two, three = Meter(), Detached(), Meter()
            for x in batches:
                loss = net(x).mean()
                loss.backward()
                opt.step()
                one.add(loss.item(), len(x))
                two.add(loss)
                with torch.no_grad():
                    three.add(loss, 1)
        """,
    ),
    Valid(
        "an operation of autograd",
        """
        import torch

        class Tiled(torch.autograd.Function):
            @staticmethod
            def forward(ctx, layer, shards, gradient):
                outputs = []
                for shard in shards:
                    with torch.enable_grad():
                        output = layer(shard)
                        outputs.append(output)
                    torch.autograd.backward(output, gradient)
                return torch.cat(outputs)
        """,
    ),
    Valid(
        "the losses of one step, and numbers where there is a loss",
        """
        def auxiliary(losses):
            total = 0
            for loss in losses:
                total += loss
                loss.backward()
            return total

        class Agents:
            def learn(self, agents):
                kept = []
                for agent in agents:
                    found = self.learn_one(agent)
                    kept.append(found)
                return kept

            def learn_one(self, agent):
                loss = None
                if agent.is_due:
                    loss = agent.loss()
                    loss.backward()
                loss = loss.item() if loss is not None else None
                return loss, agent.step
        """,
    ),
    Valid(
        "a number of samples by which the loss and its value are divided",
        """
        class Estimator:
            def gradients(self, samples):
                bound = 0.0
                for sample in samples:
                    one = self.bound_of(sample)
                    bound += one.item() / self.count
                    (-one / self.count).backward()
                return bound
        """,
    ),
    Valid(
        "a number is added",
        """
        def fit(net, batches, opt):
            total, seen = 0.0, []
            for x in batches:
                opt.zero_grad()
                loss = net(x).mean()
                loss.backward()
                opt.step()
                total += loss.item()
                seen.append(float(loss))
                total = total + loss.detach() * len(x)
        """,
    ),
    Valid(
        "the loss becomes a number first",
        """
        def fit(net, batches, opt):
            total = 0.0
            for x in batches:
                loss = net(x).mean()
                loss.backward()
                opt.step()
                loss = loss.detach().cpu()
                total += loss
        """,
    ),
    Valid(
        "arguments that are handed on",
        """
        class Precision:
            def backward(self, tensor, *args):
                for _ in range(2):
                    tensor.backward(*args)
                    self.count += 1
        """,
    ),
    Valid(
        "the sum is what backward runs on",
        """
        def fit(nets, batches, opt):
            for x in batches:
                opt.zero_grad()
                total = 0
                for net in nets:
                    loss = net(x).mean()
                    total += loss
                total.backward()
                opt.step()
        """,
    ),
    Valid(
        "a sum of one round",
        """
        def fit(nets, batches, opt):
            for x in batches:
                joint = 0
                part = nets[0](x).mean()
                joint += part
                (joint + part).backward()
                opt.step()
        """,
    ),
    Valid(
        "added without gradients",
        """
        import torch

        def fit(net, batches, opt):
            total = 0.0
            for x in batches:
                loss = net(x).mean()
                loss.backward()
                opt.step()
                with torch.no_grad():
                    total += loss
        """,
    ),
    Valid(
        "the last few losses",
        """
        from collections import deque

        def fit(net, batches, opt):
            recent = deque(maxlen=20)
            for x in batches:
                loss = net(x).mean()
                loss.backward()
                opt.step()
                recent.append(loss)
        """,
    ),
    Valid(
        "a helper that returns a number",
        """
        def update(net, x, opt):
            loss = net(x).mean()
            loss.backward()
            opt.step()
            return loss.item()


        def fit(net, batches, opt):
            total = 0.0
            for x in batches:
                total += update(net, x, opt)
        """,
    ),
    Valid(
        "a weighted sum of detached parts",
        """
        def step(self, parts):
            total = 0.0
            for part, weight in parts:
                found = self.losses(part)
                self.manual_backward(found["loss"] * weight)
                total = total + found["loss"].detach() * weight
            return total
        """,
    ),
    Valid(
        "a name that is bound to numbers after the backward pass",
        """
        import numpy as np

        def fit(net, batches, opt):
            history = []
            for x in batches:
                first, second = net(x)
                loss = first + second
                loss.backward()
                opt.step()
                opt.zero_grad()
                mean = np.around(first.item(), 4)
                loss = mean + second.item()
                history.append([mean, loss])
            return history
        """,
    ),
)
INVALID = (
    Invalid(
        "a meter of the file",
        """
        class Meter:
            def __init__(self):
                self.total, self.count = 0.0, 0

            def add(self, value, n=1):
                self.total += value * n
                self.count += n

        def fit(net, batches, opt):
            meter = Meter()
            for x in batches:
                loss = net(x).mean()
                loss.backward()
                opt.step()
                meter.add(loss, n=len(x))
        """,
        ((15, MESSAGE.format("meter.add(loss, n=len(x))", 13, loss="loss")),),
    ),
    Invalid(
        "a running sum",
        """
        def fit(net, batches, opt):
            total = 0.0
            for x in batches:
                opt.zero_grad()
                loss = net(x).mean()
                loss.backward()
                opt.step()
                total += loss
            return total / len(batches)
        """,
        ((8, MESSAGE.format("total += loss", 6, loss="loss")),),
        fixed="""
        def fit(net, batches, opt):
            total = 0.0
            for x in batches:
                opt.zero_grad()
                loss = net(x).mean()
                loss.backward()
                opt.step()
                total += loss.detach()
            return total / len(batches)
        """,
    ),
    Invalid(
        "a weighted sum, with a scaler",
        """
        class Learner:
            def epoch(self, batches):
                running = 0
                for x, y in batches:
                    objective = self.criterion(self.net(x), y)
                    self.amp.scale(objective).backward()
                    self.amp.step(self.opt)
                    running = running + objective * x.size(0)
                    self.opt.zero_grad()
        """,
        (
            (
                8,
                MESSAGE.format("running = running + objective * x.size(0)", 6, loss="objective"),
            ),
        ),
    ),
    Invalid(
        "a list of losses, an entry of a dict",
        """
        def fit(net, batches, opt, log):
            history = []
            for x in batches:
                value = net(x).mean()
                (value / 4).backward()
                opt.step()
                history.append(value)
                log["loss"] += value
        """,
        (
            (7, MESSAGE.format("history.append(value)", 5, loss="value")),
            (8, MESSAGE.format('log["loss"] += value', 5, loss="value")),
        ),
    ),
    Invalid(
        "an attribute that a function of one step adds to",
        """
        class Learner:
            def step(self, batch):
                self.opt.zero_grad()
                loss = self.loss(batch)
                loss.backward()
                self.opt.step()
                self.running += loss
                return self.running / self.seen
        """,
        ((7, MESSAGE.format("self.running += loss", 5, loss="loss")),),
    ),
    Invalid(
        "the loss that a helper returns",
        """
        def update(net, x, opt):
            opt.zero_grad()
            loss = net(x).mean()
            loss.backward()
            opt.step()
            return loss


        def fit(net, batches, opt):
            total = 0.0
            for x in batches:
                current = update(net, x, opt)
                total += current
        """,
        ((13, MESSAGE.format("total += current", 4, loss="current")),),
    ),
)
