"""The cases of the rule `frozen-optimizer`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`{}` holds only frozen parameters: line {} freezes all of `{}`, and nothing unfreezes any. "
    "Give it parameters that train"
)
EMPTY = "`{}` is given no parameters. Give it those that train"

VALID = (
    Valid(
        "a new head after freezing",
        """
        import torch
        from torch import nn

        def main(net):
            for p in net.parameters():
                p.requires_grad = False
            net.head = nn.Linear(8, 2)
            return torch.optim.SGD(net.parameters(), lr=0.1)
        """,
    ),
    Valid(
        "another module is frozen where it is bound, and one trains again",
        """
        import torch

        class Stage:
            def __init__(self, encoder, decoder):
                self.encoder = encoder.requires_grad_(False)
                self.decoder = decoder.requires_grad_(True)
                self.opt = torch.optim.SGD(self.decoder.parameters(), lr=0.1)

        def thawed(net):
            net = net.requires_grad_(False)
            net.head.requires_grad_(True)
            return torch.optim.SGD(net.parameters(), lr=0.1)
        """,
    ),
    Valid(
        "a part is frozen",
        """
        import torch

        def main(net):
            net.encoder.requires_grad_(False)
            for name, p in net.named_parameters():
                if "norm" in name:
                    p.requires_grad = False
            return torch.optim.SGD(filter(lambda p: p.requires_grad, net.parameters()), lr=0.1)
        """,
    ),
    Valid(
        "frozen if asked for",
        """
        import torch

        def main(net, head, is_frozen):
            if is_frozen:
                net.requires_grad_(False)
            return torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.1)
        """,
    ),
    Valid(
        "adapters are added in between",
        """
        import torch

        def main(net):
            net.requires_grad_(False)
            add_adapters(net, rank=4)
            return torch.optim.SGD(net.parameters(), lr=0.1)
        """,
    ),
    Valid(
        "frozen after the training",
        """
        import torch

        def main(net, data):
            opt = torch.optim.SGD(net.parameters(), lr=0.1)
            for x in data:
                net(x).mean().backward()
                opt.step()
                opt.zero_grad()
            net.requires_grad_(False)
            return net
        """,
    ),
    Valid(
        "a part that its class freezes for a while, or that gets a new layer",
        """
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self, body, other):
                super().__init__()
                self.body = body.requires_grad_(False)
                self.other = other.requires_grad_(False)
                self.other.last = nn.Linear(8, 2)

            def thaw(self):
                for p in self.body.parameters():
                    p.requires_grad = True

        def main(body, other):
            net = Net(body, other)
            return torch.optim.SGD(net.body.parameters()), torch.optim.SGD(net.other.parameters())

        class Late(nn.Module):
            def __init__(self, body):
                super().__init__()
                self.body = body
                for p in self.body.parameters():
                    p.requires_grad = False

        def late(body):
            net = Late(body)
            opt = torch.optim.SGD(net.body.parameters())
            net.body.requires_grad_(True)
            return opt
        """,
    ),
    Valid(
        "adapters that a method puts into a frozen part, a flag that switches on",
        """
        import torch
        from torch import nn

        class Adapted(nn.Module):
            def __init__(self, base):
                super().__init__()
                self.base = base
                for p in self.base.parameters():
                    p.requires_grad = False
                self.adapt()

            def adapt(self):
                for part in self.base.modules():
                    part.low_rank = nn.Linear(8, 2)

        def main(base):
            net = Adapted(base)
            return torch.optim.Adam(net.base.parameters())

        def switch(net, flag):
            for p in net.parameters():
                p.requires_grad = flag

        def other(net):
            switch(net, True)
            return torch.optim.Adam(net.parameters())
        """,
    ),
    Valid(
        "a method freezes all, another one lets one layer after the other train",
        """
        import torch

        class Explainer(torch.nn.Module):
            def _freeze(self):
                for p in self.parameters():
                    p.requires_grad = False

            def _thaw(self, number):
                for p in self.layers[number].parameters():
                    p.requires_grad = True

            def fit(self):
                self._freeze()
                opt = torch.optim.Adam(self.parameters())
                for number in range(3):
                    self._thaw(number)
                    self.learn(opt)
        """,
    ),
    Valid(
        "a part of a frozen model that trains again, is new, or lies beside what is frozen",
        """
        import torch
        from torch import nn

        def probe(net):
            net.requires_grad_(False)
            net.head.requires_grad_(True)
            return torch.optim.SGD(net.head.parameters(), lr=0.1)

        def renewed(net):
            for p in net.parameters():
                p.requires_grad = False
            net.head = nn.Linear(8, 2)
            return torch.optim.SGD(net.head.parameters(), lr=0.1)

        def beside(net):
            net.body.requires_grad_(False)
            return torch.optim.SGD(net.head.parameters(), lr=0.1)

        def opened(net):
            net.requires_grad_(False)
            last = net.head
            for p in last.parameters():
                p.requires_grad = True
            return torch.optim.SGD(net.head.parameters(), lr=0.1)

        def parts(net, other):
            net.requires_grad_(False)
            return torch.optim.SGD([*net.head.parameters(), *other.parameters()], lr=0.1)

        def handed(net):
            net.requires_grad_(False)
            last = net.head
            train_again(last)
            return torch.optim.SGD(net.head.parameters(), lr=0.1)
        """,
    ),
)
INVALID = (
    Invalid(
        "a part of a model that is frozen as a whole, by a helper",
        """
        import torch

        def still(module):
            for weight in module.parameters():
                weight.requires_grad_(False)
            return module.eval()

        def probe(net, batches):
            still(net)
            adam = torch.optim.Adam(net.head.parameters(), lr=0.1)
            for x in batches:
                net(x).mean().backward()
                adam.step()
                adam.zero_grad()
        """,
        ((10, MESSAGE.format("torch.optim.Adam(net.head.parameters(), lr=0.1)", 9, "net")),),
    ),
    Invalid(
        "the last layer of a frozen model on the object",
        """
        from torch import optim

        class Probe:
            def __init__(self, model, rate):
                self.model = model
                for p in self.model.parameters():
                    p.requires_grad = False
                last = self.model.layers[-1].parameters()
                self.opt = optim.SGD(last, lr=rate)

        def both(net):
            net.requires_grad_(False)
            return optim.SGD([*net.one.parameters(), *net.two.parameters()])
        """,
        (
            (9, MESSAGE.format("optim.SGD(last, lr=rate)", 6, "self.model")),
            (
                13,
                MESSAGE.format(
                    "optim.SGD([*net.one.parameters(), *net.two.parameters()])", 12, "net"
                ),
            ),
        ),
    ),
    Invalid(
        "frozen before",
        """
        import torch

        def main(net):
            for p in net.parameters():
                p.requires_grad = False
            opt = torch.optim.Adam(net.parameters(), lr=0.1)
            return opt
        """,
        (
            (
                6,
                MESSAGE.format("torch.optim.Adam(net.parameters(), lr=0.1)", 4, "net"),
            ),
        ),
    ),
    Invalid(
        "frozen as a whole, filtered",
        """
        from torch import optim

        class Learner:
            def __init__(self, net):
                self.net = net
                self.net.requires_grad_(False)
                trained = [p for p in self.net.parameters() if p.requires_grad]
                self.opt = optim.SGD(trained, lr=0.1)
        """,
        ((8, MESSAGE.format("optim.SGD(trained, lr=0.1)", 6, "self.net")),),
    ),
    Invalid(
        "frozen in front of the training, by a helper",
        """
        import torch

        def freeze(module):
            for weight in module.parameters():
                weight.requires_grad_(False)


        def main(net, data):
            opt = torch.optim.SGD(net.parameters(), lr=0.1)
            freeze(net)
            for x in data:
                net(x).mean().backward()
                opt.step()
                opt.zero_grad()
        """,
        ((9, MESSAGE.format("torch.optim.SGD(net.parameters(), lr=0.1)", 10, "net")),),
    ),
    Invalid(
        "frozen where it is bound",
        """
        import torch

        class Stage:
            def __init__(self, encoder, decoder):
                self.encoder = encoder.requires_grad_(False).eval()
                self.decoder = decoder
                self.opt = torch.optim.SGD(self.encoder.parameters(), lr=0.1)
        """,
        (
            (
                7,
                MESSAGE.format(
                    "torch.optim.SGD(self.encoder.parameters(), lr=0.1)", 5, "self.encoder"
                ),
            ),
        ),
    ),
    Invalid(
        "no parameters",
        """
        import torch

        opt = torch.optim.SGD([], lr=0.1)
        """,
        ((3, EMPTY.format("torch.optim.SGD([], lr=0.1)")),),
    ),
)
