"""The cases of the rule `wrong-parameter-count`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "a gate that a term of its own counts, sizes of a configuration, and two classes of them",
        """
        from torch import nn
        import torch

        class Gated(nn.Module):
            def __init__(self, cfg):
                super().__init__()
                self.gate = nn.Linear(cfg.dim, cfg.hidden)
                self.up = nn.Linear(cfg.dim, cfg.hidden)
                self.down = nn.Linear(cfg.hidden, cfg.dim)

            def num_parameters(self):
                dim, hidden = self.cfg.dim, self.cfg.hidden
                return 2 * dim * hidden + dim * hidden + dim

        class Key(nn.Module):
            def __init__(self, cfg):
                super().__init__()
                self.a, self.b = nn.Linear(cfg.dim, cfg.rank), nn.Linear(cfg.dim, cfg.rank)
                self.c = nn.Linear(cfg.rank, cfg.dim)

        class Low(nn.Module):
            def __init__(self, cfg):
                super().__init__()
                self.a, self.b = nn.Linear(cfg.dim, cfg.rank), nn.Linear(cfg.rank, cfg.dim)
                self.many = nn.ModuleList(nn.Linear(cfg.dim, cfg.rank) for _ in range(cfg.depth))

        class Other(nn.Module):
            def __init__(self, cfg):
                super().__init__()
                self.a, self.b = nn.Linear(cfg.dim, cfg.rank), nn.Linear(cfg.rank, cfg.dim)

        def count_params(cfg):
            return 2 * cfg.dim * cfg.rank
        """,
    ),
    Valid(
        "as many matrices as the class has, other sizes, and a class with branches",
        """
        from torch import nn

        class Pair(nn.Module):
            def __init__(self, width, hidden):
                super().__init__()
                self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

        class Chosen(nn.Module):
            def __init__(self, width, inner):
                super().__init__()
                self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
                self.gate = nn.Linear(width, inner) if inner > width else None

        def build(plan):
            return Pair(plan.width, plan.hidden), Chosen(plan.width, plan.inner)

        def count_parameters(plan):
            return 2 * plan.width * plan.hidden + 2 * plan.width * plan.inner + 4 * plan.width * plan.words
        """,
    ),
    Valid(
        "a sum that counts a shared parameter once",
        """
        from torch import nn

        def size(model, tied):
            total = sum(p.numel() for p in model.parameters())
            embedding = model.embedding.weight.numel()
            return total, embedding if tied else 0
        """,
    ),
    Valid(
        "the embedding is left out on purpose",
        """
        def size(model, non_embedding=True):
            total = sum(p.numel() for p in model.parameters())
            if non_embedding:
                total -= model.position.weight.numel()
            return total
        """,
    ),
    Valid(
        "a count without embeddings, a head that is its own, and one that is tied on request",
        """
        from torch import nn

        class Tower(nn.Module):
            def __init__(self, words, width, tie):
                super().__init__()
                self.table = nn.Embedding(words, width)
                self.out = nn.Linear(width, words, bias=False)
                self.extra = nn.Linear(width, words, bias=False)
                self.asked = nn.Linear(width, words, bias=False)
                self.out.weight = self.table.weight
                if tie:
                    self.asked.weight = self.table.weight

            def inner(self):
                return sum(p.numel() for p in self.parameters()) - self.table.weight.numel()

            def without_heads(self):
                count = sum(p.numel() for p in self.parameters())
                count -= self.extra.weight.numel()
                count -= self.asked.weight.numel()
                return count
        """,
    ),
    Valid(
        "a sum with duplicates",
        """
        def size(model, tied):
            total = sum(p.numel() for p in model.state_dict().values())
            every = sum(p.numel() for n, p in model.named_parameters(remove_duplicate=False))
            if tied:
                total -= model.head.weight.numel()
                every -= model.head.weight.numel()
            return total, every
        """,
    ),
    Valid(
        "a formula that knows the switch",
        """
        from torch import nn

        class Config:
            def __init__(self, width, hidden, gated=False):
                self.width, self.hidden, self.gated = width, hidden, gated

            @property
            def n_params(self):
                return (3 if self.gated else 2) * self.width * self.hidden

        def mlp(config):
            gate = [nn.Linear(config.width, config.hidden)] if config.gated else []
            return nn.ModuleList([nn.Linear(config.width, config.hidden), *gate])
        """,
    ),
    Valid(
        "a switch that chooses between layers, one without a matrix, and other sizes",
        """
        from torch import nn

        class Config:
            def __init__(self, width, hidden, norm, deep, wide):
                self.n_params = width * hidden

        def mlp(config):
            norm = nn.LayerNorm(config.width) if config.norm else nn.Identity()
            inner = nn.Linear(config.width, config.hidden) if config.deep else nn.Conv1d(config.width, 1)
            other = nn.Linear(config.vocabulary, config.width) if config.wide else None
            return norm, inner, other
        """,
    ),
    Valid(
        "a table that is left out where it is not tied",
        """
        def active(model):
            total = sum(p.numel() for p in model.parameters())
            if not model.config.tie_word_embeddings:
                total -= model.table.weight.numel()
            if model.config.lookup and not model.config.tied:
                total -= model.rows.weight.numel()
            return total
        """,
    ),
)

INVALID = (
    Invalid(
        "two of the three matrices of a gated layer",
        """
        from torch import nn

        class Gated(nn.Module):
            def __init__(self, dim, inner):
                super().__init__()
                self.gate, self.up = nn.Linear(dim, inner), nn.Linear(dim, inner)
                self.down = nn.Linear(inner, dim)

        def tower(width, inner, depth):
            return nn.Sequential(*(Gated(width, inner) for _ in range(depth)))

        def n_params(width, inner, depth):
            return depth * (2 * width * inner + width)
        """,
        (
            (
                13,
                (
                    "`2 * width * inner` counts 2 matrices of these sizes, and `Gated` has 3 (line 3). Count them all."
                ),
            ),
        ),
    ),
    Invalid(
        "a head that the constructor ties",
        """
        from torch import nn

        class Tower(nn.Module):
            def __init__(self, words, width):
                super().__init__()
                self.table = nn.Embedding(words, width)
                self.out = nn.Linear(width, words, bias=False)
                self.share()

            def share(self):
                self.table.weight = self.out.weight

            @property
            def size(self):
                return sum(p.numel() for p in self.parameters()) - self.out.weight.nelement()

            def trainable(self):
                count = 0
                for p in self.parameters():
                    if p.requires_grad:
                        count += p.numel()
                count = count - self.out.weight.numel()
                return count
        """,
        (
            (
                15,
                (
                    "`return sum(p.numel() for p in self...rs()) - self.out.weight.nelement()` counts the "
                    "tied weights zero times: the sum `sum(...)` over `parameters()` has them once. Leave the "
                    "subtraction out."
                ),
            ),
            (
                22,
                (
                    "`count = count - self.out.weight.numel()` counts the tied weights zero times: the sum "
                    "`count` over `parameters()` has them once. Leave the subtraction out."
                ),
            ),
        ),
    ),
    Invalid(
        "the tied embedding is subtracted",
        """
        from torch import nn

        def size(model: nn.Module, tied: bool) -> int:
            total = sum(p.numel() for p in model.parameters())
            embedding = sum(p.numel() for m in model.modules() for p in m.parameters())
            if tied:
                total = total - embedding
            return total
        """,
        (
            (
                7,
                (
                    "`total = total - embedding` counts the tied weights zero times: the sum `total` over "
                    "`parameters()` has them once. Leave the subtraction out."
                ),
            ),
        ),
    ),
    Invalid(
        "by identity, by a configuration, and in one expression",
        """
        def count(model):
            n = 0
            for _, p in model.named_parameters():
                n += p.numel()
            if model.head.weight is model.embedding.weight:
                n -= model.head.weight.numel()
            return n

        class Model:
            def num_parameters(self):
                total = sum([p.numel() for p in self.parameters()])
                return total - self.emb.weight.numel() if self.config.tie_word_embeddings else total

        def brief(model, shared_head):
            return sum(p.numel() for p in model.parameters()) - (model.head.numel() if shared_head else 0)
        """,
        (
            (
                6,
                (
                    "`n -= model.head.weight.numel()` counts the tied weights zero times: the sum `n` "
                    "over `parameters()` has them once. Leave the subtraction out."
                ),
            ),
            (
                12,
                (
                    "`return total - self.emb.weight.num...fig.tie_word_embeddings else total` counts the "
                    "tied weights zero times: the sum `total` over `parameters()` has them once. Leave "
                    "the subtraction out."
                ),
            ),
            (
                15,
                (
                    "`return sum(p.numel() for p in mode...ead.numel() if shared_head else 0)` counts the "
                    "tied weights zero times: the sum `sum(...)` over `parameters()` has them once. Leave "
                    "the subtraction out."
                ),
            ),
        ),
    ),
    Invalid(
        "a gate that the formula does not know",
        """
        from torch import nn

        class Config:
            def __init__(self, width, hidden=None, layers=1, gated=False, attention=True):
                self.width, self.hidden = width, hidden or 4 * width
                self.layers, self.gated, self.attention = layers, gated, attention
                self.n_params = 0
                if attention:
                    self.n_params += layers * 4 * width * width
                self.n_params += layers * 2 * width * self.hidden

        def mlp(config):
            extra = [nn.Linear(config.width, config.hidden)] if config.gated else []
            return nn.ModuleList([nn.Linear(config.width, config.hidden), *extra])
        """,
        (
            (
                10,
                (
                    "the count does not read `gated`, with which line 13 adds `nn.Linear(config.width, "
                    "config.hidden)`. Count that layer where the switch is on."
                ),
            ),
        ),
    ),
    Invalid(
        "a method that counts, and a branch in the module",
        """
        import torch.nn as nn

        class Block(nn.Module):
            def __init__(self, dim, inner, use_gate=False):
                super().__init__()
                self.dim, self.inner = dim, inner
                self.up = nn.Linear(dim, inner)
                self.down = nn.Linear(inner, dim)
                if use_gate:
                    self.gate = nn.Linear(dim, inner)

            def num_params(self):
                up = self.dim * self.inner
                return 2 * up

        def estimate_params(dim, inner):
            return 2 * dim * inner
        """,
        (
            (
                13,
                (
                    "the count does not read `use_gate`, with which line 10 adds `nn.Linear(dim, inner)`. "
                    "Count that layer where the switch is on."
                ),
            ),
            (
                17,
                (
                    "the count does not read `use_gate`, with which line 10 adds `nn.Linear(dim, inner)`. "
                    "Count that layer where the switch is on."
                ),
            ),
        ),
    ),
    Invalid(
        "a gate of a class that counts itself, by its configuration",
        """
        from torch import nn

        class Gated(nn.Module):
            def __init__(self, cfg):
                super().__init__()
                self.cfg = cfg
                self.gate = nn.Linear(cfg.dim, cfg.hidden)
                self.up = nn.Linear(cfg.dim, cfg.hidden)
                self.down = nn.Linear(cfg.hidden, cfg.dim)

            def num_parameters(self):
                dim, hidden = self.cfg.dim, self.cfg.hidden
                return 2 * dim * hidden + dim
        """,
        (
            (
                13,
                (
                    "`2 * dim * hidden` counts 2 matrices of these sizes, and `Gated` has 3 (line 3). "
                    "Count them all."
                ),
            ),
        ),
    ),
    Invalid(
        "learned matrices, and a formula in terms",
        """
        import torch
        from torch import nn

        class Bilinear(nn.Module):
            def __init__(self, plan):
                super().__init__()
                n, m = plan.rows, plan.columns
                self.u = nn.Parameter(torch.empty(n, m))
                self.v = nn.Parameter(torch.empty(m, n))
                self.w = nn.Linear(in_features=n, out_features=m, bias=False)

        def count_parameters(plan):
            return plan.rows * plan.columns + plan.columns * plan.rows
        """,
        (
            (
                13,
                (
                    "`plan.rows * plan.columns` counts 2 matrices of these sizes, and `Bilinear` has 3 "
                    "(line 4). Count them all."
                ),
            ),
        ),
    ),
)
