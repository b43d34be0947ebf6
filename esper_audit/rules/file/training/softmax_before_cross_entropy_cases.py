"""The cases of the rule `softmax-before-cross-entropy`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = "`{}` gets {} (`{}`) where it expects logits: it applies the activation once more. Pass the logits"

VALID = (
    Valid(
        "logits",
        """
        import torch
        from torch.nn import functional as F

        def loss(net, x, y):
            logits = net(x)
            print(torch.softmax(logits, -1))
            return F.cross_entropy(logits, y)
        """,
    ),
    Valid(
        "a probability as the target",
        """
        from torch.nn import functional as F

        def distil(student, teacher, x):
            return F.cross_entropy(student(x), teacher(x).softmax(-1))
        """,
    ),
    Valid(
        "a log_softmax",
        """
        from torch.nn import functional as F

        def loss(net, x, y):
            return F.cross_entropy(F.log_softmax(net(x), 1), y)
        """,
    ),
    Valid(
        "probabilities for inference only",
        """
        import torch
        from torch import nn

        class Net(nn.Module):
            def forward(self, x):
                x = self.head(x)
                if self.training:
                    return x
                return torch.softmax(x, 1)

        def fit(x, y):
            net, criterion = Net(), nn.CrossEntropyLoss()
            return criterion(net(x), y)
        """,
    ),
    Valid(
        "binary cross entropy of a sigmoid",
        """
        import torch
        from torch.nn import functional as F

        def loss(net, x, y):
            return F.binary_cross_entropy(torch.sigmoid(net(x)), y)
        """,
    ),
    Valid(
        "a trainer that is given logits, one of two models, a loss that is given both",
        """
        import torch
        from torch import nn
        import torch.nn.functional as F

        class Logits(nn.Module):
            def forward(self, x):
                return self.fc(x)

        class Shares(nn.Module):
            def forward(self, x):
                return torch.softmax(self.fc(x), -1)

        class Learner:
            def __init__(self, net):
                self.net, self.criterion = net, nn.CrossEntropyLoss()

            def step(self, x, y):
                return self.criterion(self.net(x), y)

        def step(net, x, y):
            return F.cross_entropy(net(x), y)

        def distance(scores, y):
            return F.cross_entropy(scores, y)

        def main(x, y):
            logits, shares = Logits(), Shares()
            distance(logits(x), y)
            distance(shares(x), y)
            return Learner(logits).step(x, y)
        """,
    ),
)
INVALID = (
    Invalid(
        "through a variable",
        """
        import torch
        import torch.nn.functional as F

        def loss(net, x, y):
            p = torch.softmax(net(x), dim=1)
            return F.cross_entropy(p, y)
        """,
        ((6, MESSAGE.format("F.cross_entropy(p, y)", "a softmax", "p")),),
    ),
    Invalid(
        "a module that ends in one, and a criterion",
        """
        from torch import nn

        net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=1))
        criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
        for x, y in batches:
            out = net(x)
            objective = criterion(out, y)
        """,
        ((7, MESSAGE.format("criterion(out, y)", "a softmax", "out")),),
    ),
    Invalid(
        "a class whose forward returns one",
        """
        import torch
        from torch import nn

        class Tagger(nn.Module):
            def __init__(self):
                super().__init__()
                self.head = nn.Linear(9, 1)
                self.squash = nn.Sigmoid()

            def forward(self, x):
                x = self.head(x)
                return self.squash(x)


        class Learner:
            def __init__(self):
                self.net = Tagger().cuda()
                self.loss = nn.BCEWithLogitsLoss()

            def step(self, x, y):
                return self.loss(self.net(x).squeeze(-1), y)
        """,
        (
            (
                21,
                MESSAGE.format(
                    "self.loss(self.net(x).squeeze(-1), y)",
                    "a sigmoid",
                    "self.net(x).squeeze(-1)",
                ),
            ),
        ),
    ),
    Invalid(
        "in a function that gets the criterion",
        """
        from torch import nn

        def step(net, criterion, x, y):
            scores = net(x).sigmoid()
            return criterion(input=scores, target=y)


        def main(net, batches):
            loss_function = nn.BCEWithLogitsLoss()
            for x, y in batches:
                step(net, loss_function, x, y).backward()
        """,
        ((5, MESSAGE.format("criterion(input=scores, target=y)", "a sigmoid", "scores")),),
    ),
)
