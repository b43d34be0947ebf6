"""The cases of the rule `host-device-sync`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`{}` waits for the device once for each of the {} in the loop in line {}. Collect the tensors, "
    "reduce them together, and read the result once"
)

VALID = (
    Valid(
        "one reading after the loop",
        """
        import torch

        def gradient_norm(net):
            norms = [p.grad.norm() for p in net.parameters() if p.grad is not None]
            return torch.stack(norms).norm().item()
        """,
    ),
    Valid(
        "every hundred steps",
        """
        def log(net, step, writer):
            for name, p in net.named_parameters():
                if step % 100 == 0:
                    writer.add_scalar(name, p.grad.norm().item(), step)
        """,
    ),
    Valid(
        "outside of the step",
        """
        def describe(net):
            return {name: p.abs().mean().item() for name, p in net.named_parameters()}
        """,
    ),
    Valid(
        "for debugging",
        """
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if self.debug:
                        print(p.grad.norm().item())
                    p.sub_(p.grad)
        """,
    ),
    Valid(
        "statistics that a flag asks for, and an assertion",
        """
        class Learner:
            def end_batch(self):
                if self.is_logging:
                    self.log()

            def log(self):
                for name, p in self.net.named_parameters():
                    self.writer(name, p.grad.norm().item())

            def assert_trained(self):
                for p in self.net.parameters():
                    self.assertGreater(p.grad.norm().item(), 0)
        """,
    ),
    Valid(
        "once a batch, and a dict",
        """
        def fit(net, batches, opt):
            for x in batches:
                loss = net(x).mean()
                loss.backward()
                opt.step()
                opt.zero_grad()
                print(loss.item())
                for name, value in net.state_dict().items():
                    check(name, value)
        """,
    ),
    Valid(
        "statistics of copies on the host",
        """
        def statistics(model):
            total, largest = 0.0, 0.0
            for p in model.parameters():
                if p.grad is not None:
                    g = p.grad.detach().cpu().float()
                    total += (g * g).sum().item()
                    largest = max(largest, g.abs().max().item())
            return total, largest
        """,
    ),
)
INVALID = (
    Invalid(
        "a norm of gradients",
        """
        def gradient_norm(net):
            total = 0.0
            for p in net.parameters():
                if p.grad is not None:
                    total += p.grad.detach().norm(2).item() ** 2
            return total ** 0.5
        """,
        ((5, MESSAGE.format("p.grad.detach().norm(2).item()", "parameters", 3)),),
    ),
    Invalid(
        "in a generator, over a list of parameters",
        """
        class Learner:
            def __init__(self, net):
                self.trained = [p for p in net.parameters() if p.requires_grad]

            def size(self):
                return sum(w.grad.pow(2).sum().item() for w in self.trained)
        """,
        ((6, MESSAGE.format("w.grad.pow(2).sum().item()", "parameters", 6)),),
    ),
    Invalid(
        "the truth of a tensor",
        """
        import torch

        def has_broken(model):
            for name, weight in model.named_parameters():
                gradient = weight.grad
                if gradient is not None and not torch.isfinite(gradient).all():
                    return name
        """,
        (
            (
                6,
                MESSAGE.format(
                    "gradient is not None and not torch.isfinite(gradient).all()", "parameters", 4
                ),
            ),
        ),
    ),
    Invalid(
        "in the step of an optimizer",
        """
        import torch

        class Trust(torch.optim.Optimizer):
            def step(self, closure=None):
                for group in self.param_groups:
                    for p in group["params"]:
                        size = p.norm().item()
                        p.sub_(p * group["lr"] * size)
        """,
        ((7, MESSAGE.format("p.norm().item()", "parameters", 6)),),
    ),
    Invalid(
        "once a batch, with the option `batches`",
        """
        def fit(net, batches, opt):
            for x in batches:
                loss = net(x).mean()
                loss.backward()
                opt.step()
                opt.zero_grad()
                print(loss.item())
        """,
        ((7, MESSAGE.format("loss.item()", "batches", 2)),),
        options={"batches": True},
    ),
)
