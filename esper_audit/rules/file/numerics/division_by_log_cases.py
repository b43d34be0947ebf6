"""The cases of the rule `division-by-log`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

EMPTY = "`{}` divides by `{}`, which is 0 where {} is 0: clamp the {} first"
FIRST = "`{}` divides by `{}`, which is 0 at the first position: begin to count at 2"
SINGLE = "`{}` divides by `{}`, which is 0 where {} is 1: treat that case apart"

VALID = (
    Valid(
        "positions that begin at 2, a first item that is cut off, assigned or tested",
        """
        import math
        import numpy as np
        import torch
        def dcg(gain, ranked, k):
            position = torch.arange(gain.shape[-1]) + 1
            later = torch.log2(torch.arange(k) + 1)[1:]
            discount = 1 / np.log2(np.arange(k) + 1)
            discount[0] = 1
            one = (gain / torch.log2(torch.arange(2, k + 2))).sum() + (gain / torch.log2(position + 1)).sum()
            two = sum(g / math.log2(i + 2) for i, g in enumerate(ranked))
            two += sum(g / math.log2(i + 1) for i, g in enumerate(ranked, start=1))
            two += (gain / torch.log2(torch.arange(k) + 1))[1:].sum() + (gain[1:] / later).sum()
            for i, g in enumerate(ranked):
                two += g / math.log2(i + 1) if i > 0 else g
            return one + two + discount.sum()
        """,
    ),
    Valid(
        "a clamp of the count, an epsilon beside the logarithm",
        """
        import torch
        def scale(out, index, n, mean):
            degree = torch.bincount(index, minlength=n).clamp(min=1)
            other = torch.bincount(index, minlength=n)
            return out * mean / torch.log(degree + 1) + out / (torch.log(other + 1) + 1e-6)
        """,
    ),
    Valid(
        "a constant, ranks that begin at 1, a value that is passed",
        """
        import math
        import torch
        def gain(x, values):
            ranks = torch.arange(len(values)) + 1
            return x / math.log(2) + values / torch.log2(ranks + 1.0) + values / torch.log(x)
        """,
    ),
    Valid(
        "the number of the classes, and of the users",
        """
        import numpy as np
        def entropy(p, train):
            users = len(train.keys())
            return -(p * np.log2(p)).sum(1) / np.log2(p.shape[1]) + p / np.log2(users)
        """,
    ),
    Valid(
        "a count that is two at least",
        """
        import torch
        def spread(entropy, mask):
            return entropy / mask.sum(-1).clamp(min=2).float().log()
        def other(entropy, mask):
            n = mask.sum(-1)
            return torch.where(n > 1, entropy / torch.log(n), 0.0)
        """,
    ),
    Valid(
        "a length that is tested",
        """
        import math
        def normalised(entropy, weights):
            n = weights.shape[-1]
            if n == 1:
                return entropy
            return entropy / math.log(n)
        def other(entropy, items):
            return entropy / math.log(len(items)) if len(items) > 1 else 0.0
        """,
    ),
)

INVALID = (
    Invalid(
        "positions that begin at 1",
        """
        import torch
        def dcg(gain, k):
            position = torch.arange(gain.shape[-1], device=gain.device)[None, :].float()
            top = gain[..., :k] / torch.log(torch.arange(1, k + 1))
            return (gain / torch.log2(position + 1)).sum(dim=-1) + top.sum(dim=-1)
        """,
        (
            (
                4,
                FIRST.format(
                    "gain[..., :k] / torch.log(torch.arange(1, k + 1))",
                    "torch.log(torch.arange(1, k + 1))",
                ),
            ),
            (5, FIRST.format("gain / torch.log2(position + 1)", "torch.log2(position + 1)")),
        ),
    ),
    Invalid(
        "discounts of a helper, and numbers of a loop",
        """
        import math
        import numpy as np
        def discounts(n):
            ranks = np.arange(n)
            return np.log1p(ranks)
        def dcg(gain):
            return np.sum(gain / discounts(len(gain)))
        def slow(gain):
            total = 0.0
            for rank, value in enumerate(gain):
                total += value / math.log2(rank + 1)
            return total + sum(value / math.log2(1 + r) for r, value in enumerate(gain))
        """,
        (
            (7, FIRST.format("gain / discounts(len(gain))", "np.log1p(ranks)")),
            (11, FIRST.format("value / math.log2(rank + 1)", "math.log2(rank + 1)")),
            (12, FIRST.format("value / math.log2(1 + r)", "math.log2(1 + r)")),
        ),
    ),
    Invalid(
        "degrees by three operations",
        """
        import torch
        def scalers(x, target, n, average):
            degree = torch.zeros(n).scatter_add_(0, target, torch.ones(target.numel()))
            degree = degree.view(-1, 1)
            a = x * (average / torch.log(degree + 1))
            b = x / torch.bincount(target, minlength=n).log1p().unsqueeze(-1)
            c = average / (1 + (target[:, None] == target).sum(-1)).float().log()
            return a + b + c
        """,
        (
            (
                5,
                EMPTY.format(
                    "average / torch.log(degree + 1)",
                    "torch.log(degree + 1)",
                    "a degree",
                    "count",
                ),
            ),
            (
                6,
                EMPTY.format(
                    "x / torch.bincount(target, minlength=n).log1p().unsqueeze(-1)",
                    "torch.bincount(target, minlength=n).log1p()",
                    "a count",
                    "count",
                ),
            ),
            (
                7,
                EMPTY.format(
                    "average / (1 + (target[:, None] == target).sum(-1)).float().log()",
                    "(1 + (target[:, None] == target).sum(-1)).float().log()",
                    "a count",
                    "count",
                ),
            ),
        ),
    ),
    Invalid(
        "the logarithm in a variable, from a helper",
        """
        import torch
        from torch_geometric.utils import degree
        def attenuate(x, index, n, delta):
            d = _degrees(index, n)
            log_degree = torch.log(d + 1.0)
            return x * delta / log_degree
        def _degrees(index, n):
            return degree(index, n)
        """,
        (
            (
                6,
                EMPTY.format("x * delta / log_degree", "torch.log(d + 1.0)", "a degree", "count"),
            ),
        ),
    ),
    Invalid(
        "a degree that a caller passes",
        """
        def scale(messages, deg, mean):
            return messages * (mean / (deg + 1).log())
        """,
        (
            (
                2,
                EMPTY.format("mean / (deg + 1).log()", "(deg + 1).log()", "a degree", "count"),
            ),
        ),
    ),
    Invalid(
        "a count of 1",
        """
        import torch
        def spread(weights, mask):
            entropy = -(weights * weights.clamp_min(1e-12).log()).sum(-1)
            allowed = mask.sum(-1)
            return entropy / torch.log(allowed.float())
        """,
        (
            (
                5,
                SINGLE.format(
                    "entropy / torch.log(allowed.float())",
                    "torch.log(allowed.float())",
                    "a count",
                ),
            ),
        ),
    ),
    Invalid(
        "a length of 1",
        """
        import math
        import torch
        def normalised_entropy(p):
            entropy = -(p * (p + 1e-9).log()).sum(-1)
            return entropy / math.log(p.shape[-1])
        """,
        (
            (
                5,
                SINGLE.format(
                    "entropy / math.log(p.shape[-1])",
                    "math.log(p.shape[-1])",
                    "`p.shape[-1]`",
                ),
            ),
        ),
    ),
    Invalid(
        "a length of 1 by numpy, with the option `lengths`",
        """
        import numpy as np
        def entropy(p):
            return -(p * np.log2(p)).sum(1) / np.log2(len(p))
        """,
        (
            (
                3,
                SINGLE.format(
                    "-(p * np.log2(p)).sum(1) / np.log2(len(p))", "np.log2(len(p))", "`len(p)`"
                ),
            ),
        ),
        options={"lengths": True},
    ),
)
