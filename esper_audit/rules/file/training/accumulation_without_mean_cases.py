"""The cases of the rule `accumulation-without-mean`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`{}` adds the mean losses of `{n}` micro-batches before the step in line {}: the gradient is `{n}` "
    "times too large. Divide the loss by `{n}`"
)

VALID = (
    Valid(
        "a loss that is divided",
        """
        import torch.nn.functional as F

        def step(net, stream, opt, parts):
            for _ in range(parts):
                x, y = next(stream)
                loss = F.cross_entropy(net(x), y) / parts
                loss.backward()
            opt.step()
            opt.zero_grad()
        """,
    ),
    Valid(
        "divided in place, by a modulus",
        """
        import torch.nn.functional as F

        def fit(net, batches, opt, every):
            for i, (x, y) in enumerate(batches):
                loss = F.mse_loss(net(x), y)
                loss /= every
                loss.backward()
                if (i + 1) % every == 0:
                    opt.step()
                    opt.zero_grad()
        """,
    ),
    Valid(
        "sums, not means",
        """
        import torch.nn.functional as F

        def step(net, parts, opt):
            for i in range(len(parts)):
                F.mse_loss(net(parts[i]), parts[i], reduction="sum").backward()
            opt.step()
            opt.zero_grad()
        """,
    ),
    Valid(
        "gradients that are divided",
        """
        import torch.nn.functional as F

        def step(net, stream, opt, parts):
            for _ in range(parts):
                x, y = next(stream)
                F.cross_entropy(net(x), y).backward()
            for p in net.parameters():
                p.grad.div_(parts)
            opt.step()
            opt.zero_grad()
        """,
    ),
    Valid(
        "a step each round, and logging by a modulus",
        """
        import torch.nn.functional as F

        def fit(net, batches, opt):
            for i, (x, y) in enumerate(batches):
                opt.zero_grad()
                F.cross_entropy(net(x), y).backward()
                opt.step()
                if i % 100 == 0:
                    print(i)
        """,
    ),
    Valid(
        "several losses of one batch",
        """
        def step(net, heads, x, opt):
            hidden = net(x)
            for k in range(heads):
                net.head(hidden, k).mean().backward(retain_graph=True)
            opt.step()
            opt.zero_grad()
        """,
    ),
    Valid(
        "helpers that divide, and that sum",
        """
        import torch.nn.functional as F

        def share(net, x, y, parts):
            return F.cross_entropy(net(x), y) / parts

        def total(net, x, y):
            return F.cross_entropy(net(x), y, reduction="sum"), len(y)

        def step(net, parts, opt):
            for x, y in parts:
                loss = share(net, x, y, len(parts))
                loss.backward()
            opt.step()
            opt.zero_grad()
            for x, y in parts:
                loss, _ = total(net, x, y)
                loss.backward()
            opt.step()
            opt.zero_grad()
        """,
    ),
)
INVALID = (
    Invalid(
        "an inner loop",
        """
        from torch import nn

        class Learner:
            def __init__(self, net, opt):
                self.criterion = nn.CrossEntropyLoss()

            def update(self, stream):
                for _ in range(self.micro_steps):
                    images, labels = next(stream)
                    objective = self.criterion(self.net(images), labels)
                    objective.backward()
                nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
                self.opt.step()
                self.opt.zero_grad()
        """,
        ((11, MESSAGE.format("objective.backward()", 13, n="self.micro_steps")),),
    ),
    Invalid(
        "by a modulus, with a scaler",
        """
        import torch
        from torch.nn import functional as F

        def fit(net, batches, opt, amp, every):
            for i, (x, y) in enumerate(batches):
                with torch.autocast("cuda"):
                    loss = F.cross_entropy(net(x), y)
                amp.scale(loss).backward()
                if (i + 1) % every == 0 or i + 1 == len(batches):
                    amp.step(opt)
                    amp.update()
                    opt.zero_grad(set_to_none=True)
        """,
        ((8, MESSAGE.format("amp.scale(loss).backward()", 10, n="every")),),
    ),
    Invalid(
        "chunks of a batch",
        """
        def update(model, chunks, targets, sgd):
            sgd.zero_grad()
            for k in range(8):
                (model(chunks[k]) - targets[k]).pow(2).mean().backward()
            sgd.step()
        """,
        (
            (
                4,
                MESSAGE.format(
                    "(model(chunks[k]) - targets[k]).pow(2).mean().backward()", 5, n="8"
                ),
            ),
        ),
    ),
)
