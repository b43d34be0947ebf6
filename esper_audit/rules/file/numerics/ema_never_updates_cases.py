"""The cases of `ema-never-updates`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

REBOUND = "`{}` gives a name to the new average and leaves the tensor of the loop as it was"
DISCARDED = "`{}` computes the average and throws it away: the operation is not in place"
FILTERED = (
    "`{0}.requires_grad` is False for every parameter of `{1}`, so that the update is never reached"
)
COPIED = (
    "`{}` goes into the table that `state_dict` returned, and no `load_state_dict` brings it back"
)
UNMATCHED = (
    "no parameter of a nested module is called {}: the name has the path of the module in front"
)
MISSED = "`{}` finds nothing: the keys of `{}` are made as `{}`, and the one here as `{}`"
STOPPED = "`{}` is 0 for ever, nothing counts it, so that the update is never reached"

VALID = (
    Valid(
        "keys of a wrapped module, a prefix that is taken off, and the same keys on both sides",
        """
        class Average:
            def __init__(self, net):
                self.kept = {n: p.clone() for n, p in net.named_parameters()}
                self.own = {"avg." + n: p.clone() for n, p in net.named_parameters()}

            def update(self, net, decay):
                for n, p in net.module.named_parameters():
                    if "module." + n in self.kept:
                        self.kept["module." + n].lerp_(p, 1 - decay)
                for n, p in net.named_parameters():
                    if n.replace("module.", "") in self.kept:
                        self.kept[n].lerp_(p, 1 - decay)
                    if f"avg.{n}" in self.own:
                        self.own[f"avg.{n}"].lerp_(p, 1 - decay)
        """,
    ),
    Valid(
        "a test that leaves from an `else` and from a handler",
        """
        def update(self, value, limit):
            if value is None:
                return
            else:
                if self.steps < limit:
                    return
                self.mean.mul_(0.9).add_(value, alpha=0.1)
            try:
                self.steps += 1
            except TypeError:
                if self.steps < 1:
                    return
                self.steps = 1
        """,
    ),
    Valid(
        "an average that is written to `out`",
        """
        import torch

        def update(state, grad, beta):
            torch.lerp(state[0], grad, weight=1.0 - beta, out=state[0])
        """,
    ),
    Valid(
        "averages in place and on the data",
        """
        def update(ema, model, decay):
            for e, p in zip(ema.parameters(), model.parameters()):
                e.data = decay * e.data + (1 - decay) * p.data
            for e, p in zip(ema.parameters(), model.parameters()):
                e.mul_(decay).add_(p, alpha=1 - decay)
                e.copy_(decay * e + (1 - decay) * p)
        """,
    ),
    Valid(
        "a variable that is stored afterwards, and results that are used",
        """
        def update(averages, model, decay):
            for name, average in averages.items():
                average = decay * average + (1 - decay) * model[name]
                averages[name] = average
            seen = set()
            seen.add(decay)
            return averages["x"].mul(decay).add(model["x"], alpha=1 - decay)
        """,
    ),
    Valid(
        "a table of state that is loaded or returned",
        """
        def blend(teacher, student, decay):
            old, new = teacher.state_dict(), student.state_dict()
            for key, value in old.items():
                old[key] = decay * old[key] + (1 - decay) * new[key]
            teacher.load_state_dict(old)
        def blended(teacher, student, decay):
            state = teacher.state_dict()
            for key in state:
                state[key] = decay * state[key] + (1 - decay) * student[key]
            return state
        """,
    ),
    Valid(
        "a filter of the trained parameters, a counter that another method raises",
        """
        class Average:
            def __init__(self, model, ema):
                self.model, self.ema, self.count = model, ema, 0
                self.step = 0
                self.ema.requires_grad_(False)
            def tick(self):
                self.step += 1
            def update(self, decay):
                for e, p in zip(self.ema.parameters(), self.model.parameters()):
                    if p.requires_grad:
                        e.mul_(decay).add_(p, alpha=1 - decay)
                if self.step > 100:
                    self.mean = decay * self.mean + (1 - decay) * self.step
        """,
    ),
    Valid(
        "a counter that is raised in front, by another method, or not needed at first; known prefixes",
        """
        import copy
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.stem = nn.Linear(8, 8)

        class Average:
            def __init__(self, net: Net):
                self.net, self.slow = net, copy.deepcopy(net)
                self.count = self.rounds = self.done = 0
                self.table = {name: p.detach().clone() for name, p in net.named_parameters()}

            def update(self, start=0):
                self.count += 1
                if self.count < 100:
                    return
                if self.rounds < 10:
                    return
                if self.done < start:
                    return
                self.done += 1
                for name, p in self.slow.named_parameters():
                    if name.startswith("stem.") or name in self.table:
                        p.data.lerp_(dict(self.net.named_parameters())[name], 0.1)

            def end_of_epoch(self):
                self.rounds += 1

        class Delayed:
            def __init__(self, net, delay=0):
                self.delay, self.calls = delay, 0
                self.values = [p.detach().clone() for p in net.parameters()]

            def update(self, net):
                if self.calls < self.delay:
                    return
                self.calls += 1
                for value, p in zip(self.values, net.parameters()):
                    value.lerp_(p.detach(), 0.1)
        """,
    ),
)
INVALID = (
    Invalid(
        "a prefix that the keys of the table lack, or have",
        """
        class Average:
            def __init__(self, net):
                self.kept = {}
                for name, p in net.named_parameters():
                    self.kept[name] = p.detach().clone()
                self.state = {f"avg_{k}": v.clone() for k, v in net.state_dict().items()}

            def update(self, net, decay):
                for name, p in net.named_parameters():
                    if f"module.{name}" not in self.kept:
                        continue
                    self.kept[f"module.{name}"].mul_(decay).add_(p.data, alpha=1 - decay)
                for k, v in net.state_dict().items():
                    old = self.state.get(k)
                    if old is not None:
                        old.lerp_(v, 1 - decay)
        """,
        (
            (
                10,
                MISSED.format('f"module.{name}" not in self.kept', "self.kept", "{}", "module.{}"),
            ),
            (14, MISSED.format("self.state.get(k)", "self.state", "avg_{}", "{}")),
        ),
    ),
    Invalid(
        "the variable of the loop",
        """
        import torch
        @torch.no_grad()
        def follow(target, source, tau):
            for t, s in zip(target.parameters(), source.parameters()):
                t = tau * s + (1 - tau) * t
            for (name, t), s in zip(target.named_parameters(), source.parameters()):
                if "bias" not in name:
                    t = t + tau * (s - t)
        """,
        (
            (5, REBOUND.format("t = tau * s + (1 - tau) * t")),
            (8, REBOUND.format("t = t + tau * (s - t)")),
        ),
    ),
    Invalid(
        "operations that are not in place",
        """
        def update(shadow, model, decay):
            for name, p in model.named_parameters():
                shadow[name].mul(decay).add(p, alpha=1 - decay)
                shadow[name].lerp(p, 1 - decay)
                shadow[name].mul_(decay).add(p, alpha=1.0 - decay)
        """,
        (
            (3, DISCARDED.format("shadow[name].mul(decay).add(p, alpha=1 - decay)")),
            (4, DISCARDED.format("shadow[name].lerp(p, 1 - decay)")),
            (5, DISCARDED.format("shadow[name].mul_(decay).add(p, alpha=1.0 - decay)")),
        ),
    ),
    Invalid(
        "a filter that the frozen copy never passes",
        """
        import copy
        class Teacher:
            def __init__(self, net):
                self.net = net
                self.teacher = copy.deepcopy(net)
                for p in self.teacher.parameters():
                    p.requires_grad = False
            def update(self, m):
                for k, q in zip(self.teacher.parameters(), self.net.parameters()):
                    if k.requires_grad:
                        k.data = k.data * m + q.data * (1.0 - m)
            def refresh(self, m):
                for k, q in zip(self.teacher.parameters(), self.net.parameters()):
                    if not k.requires_grad:
                        continue
                    k.lerp_(q, 1 - m)
        """,
        (
            (10, FILTERED.format("k", "self.teacher")),
            (14, FILTERED.format("k", "self.teacher")),
        ),
    ),
    Invalid(
        "a table of state that is not loaded, a name without its path",
        """
        def blend(teacher, student, decay):
            old, new = teacher.state_dict(), student.state_dict()
            for key in old:
                old[key] = decay * old[key] + (1 - decay) * new[key]
        def follow(teacher, student, decay):
            for (name, t), s in zip(teacher.named_parameters(), student.parameters()):
                if name in ("weight", "bias"):
                    t.data.mul_(decay).add_(s.data, alpha=1 - decay)
        """,
        (
            (4, COPIED.format("old[key] = decay * old[key] + (1 - decay) * new[key]")),
            (7, UNMATCHED.format("'weight' or 'bias'")),
        ),
    ),
    Invalid(
        "a counter that stands still",
        """
        class Meter:
            def __init__(self, warmup):
                self.updates = 0
                self.warmup = warmup
                self.mean = 0.0
            def add(self, x):
                if self.updates > self.warmup:
                    self.mean = 0.9 * self.mean + 0.1 * x
        """,
        ((7, STOPPED.format("self.updates")),),
    ),
)
