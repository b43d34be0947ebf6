"""The cases of `softmax-over-wrong-axis`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

LETTERS = "the weights are normalised over axis {}, but line {} sums them over axis {}"
NUMBERS = "the weights are normalised over dim {}, but line {} sums them over dim {}"
GROUPS = "the weights are normalised over the edges of `{}`, but line {} sums them at `{}`"
SINGLE = "`{}` normalises an axis of length 1 (`{}`): each weight is 1"

VALID = (
    Valid(
        "the last axis, counted from the front",
        """
        def mix(x, w):
            b, n, c = x.shape
            q, k, v = x.reshape(b, n, 3, 4, c // 12).permute(2, 0, 3, 1, 4).unbind(0)
            return (q @ k.transpose(-2, -1)).softmax(dim=3) @ v
        def pick(x, y):
            stacked = x.view(2, 3, 4, 5)
            scores = stacked[0] @ y.transpose(-2, -1)
            return scores.softmax(2) @ y
        """,
    ),
    Valid(
        "an axis of length 1 that another tensor stretches",
        """
        import torch
        import torch.nn.functional as F
        from torch import nn
        class Graph(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.source = nn.Linear(width, 1)
                self.target = nn.Linear(width, 1)
            def forward(self, h, mask):
                e = F.leaky_relu(self.source(h) + self.target(h).transpose(-2, -1), 0.2)
                gates = (self.source(h) * h).softmax(-1)
                return F.softmax(e, dim=-1) @ h + gates
        """,
    ),
    Valid(
        "scores of the next softmax, under the name of its weights",
        """
        import torch
        from torch import nn
        class Graph(nn.Module):
            def __init__(self):
                super().__init__()
                self.soft = nn.Softmax(-2)
            def forward(self, nodes, left, right, adjacency):
                y = 0
                for i in range(3):
                    a = left[i](nodes).permute(0, 2, 1)
                    a = self.soft(torch.matmul(a, right[i](nodes)) / a.size(-1))
                    a = a + adjacency[i]
                    y = y + torch.matmul(nodes, a)
                return y
        """,
    ),
    Valid(
        "sums that are the scores of the next softmax",
        """
        def marginals(scores, siblings, steps):
            q = scores
            for _ in range(steps):
                q = q.softmax(0)
                q = scores + (q.unsqueeze(1) * siblings).sum(2)
            return q.permute(2, 1, 0)
        """,
    ),
    Valid(
        "one query, whose scores have one axis",
        """
        import torch
        def attend_one(queries, keys, values, h):
            scores = keys[:, h] @ queries[h]
            weights = torch.softmax(scores, dim=0)
            return weights @ values[:, h]
        """,
    ),
    Valid(
        "the axis that is summed, in four notations",
        """
        import torch
        import torch.nn.functional as F
        def by_letters(q, k, v):
            weights = torch.einsum("bid,bjd->bij", q, k).softmax(dim=2)
            return torch.einsum("bij,bjd->bid", weights, v)
        def by_matrices(q, k, v):
            scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
            return F.softmax(scores, dim=-1) @ v
        def by_batches(q, k, v):
            weights = torch.softmax(torch.bmm(k, q.transpose(1, 2)), dim=1)
            return torch.bmm(weights.transpose(1, 2), v)
        def by_sum(q, k, v):
            weights = torch.einsum("nd,bnd->bn", q, k).softmax(1)
            return (weights.unsqueeze(-1) * v).sum(1)
        """,
    ),
    Valid(
        "slot attention, which divides by the sum afterwards",
        """
        import torch
        def slots(q, k, v):
            scores = torch.einsum("bid,bjd->bij", q, k)
            weights = scores.softmax(dim=1)
            total = weights.sum(dim=-1, keepdim=True)
            return torch.einsum("bij,bjd->bid", weights, v) / total
        """,
    ),
    Valid(
        "assignments to clusters that a layer scores, kernels of linear attention",
        """
        import torch
        def pool(self, x):
            assignment = self.assign(x).softmax(dim=-1)
            return torch.matmul(assignment.transpose(1, 2), x)
        def linear_attention(q, k, v):
            q, k = q.softmax(dim=-1), k.softmax(dim=-2)
            context = torch.einsum("bhnd,bhne->bhde", k, v)
            return torch.einsum("bhde,bhnd->bhne", context, q)
        """,
    ),
    Valid(
        "heads that a learned matrix mixes after the softmax",
        """
        import torch
        def forward(self, q, k, v):
            weights = torch.einsum("bhid,bhjd->bhij", q, k).softmax(dim=-1)
            weights = torch.einsum("bhij,hg->bgij", weights, self.mix_heads)
            return torch.einsum("bhij,bhjd->bhid", weights, v)
        """,
    ),
    Valid(
        "the routing of capsules, which shares out each input",
        """
        import torch
        def route(votes, rounds):
            logits = torch.zeros(votes.shape[:3])
            for _ in range(rounds):
                shares = logits.softmax(dim=2)
                outputs = torch.einsum("bij,bijd->bjd", shares, votes)
                logits = logits + torch.einsum("bjd,bijd->bij", outputs, votes)
            return outputs
        """,
    ),
    Valid(
        "losses over any axis, and an axis that depends on the rank",
        """
        import torch
        def dice(logits, target):
            p = torch.softmax(logits, dim=1)
            return 1 - (p * target).sum(dim=2)
        def entropy(x):
            return -(x.softmax(1) * x.log_softmax(1)).sum(0)
        def unknown(q, k, v):
            return torch.matmul(q, k).softmax(1) @ v
        """,
    ),
    Valid(
        "edges by the node at which they are summed",
        """
        from torch_geometric.utils import softmax
        def forward(self, x, edges):
            source, target = edges
            weights = softmax(self.score(x[source], x[target]), target)
            return x.new_zeros(x.shape).index_add_(0, target, weights[:, None] * x[source])
        """,
    ),
    Valid(
        "scores of one layer over the sequence",
        """
        import torch
        from torch import nn
        class Pool(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.score = nn.Linear(width, 1)
                self.attend = nn.Sequential(nn.Linear(width, 1), nn.Softmax(dim=1))
            def forward(self, x):
                weights = torch.softmax(self.score(x), dim=1)
                narrow = torch.softmax(self.score(x).squeeze(-1), dim=-1)
                return (weights * x).sum(dim=1), narrow
        """,
    ),
    Valid(
        "a product inside the softmax, of what the round before left",
        """
        import torch

        def gather(x, keys, queries, values, count):
            total = 0
            for i in range(count):
                a = keys[i](x).transpose(1, 2)
                b = queries[i](x)
                a = torch.softmax(torch.matmul(a, b) / 8, dim=-2)
                a = a + 1e-6
                total = total + torch.matmul(values(x), a)
                a = a.relu()
            return total
        """,
    ),
    Valid(
        "members that are shared among groups, masked and counted",
        """
        import torch

        def groups(leaders, members, mask):
            shares = torch.softmax(leaders @ members.T, dim=0)
            shares *= mask
            sizes = torch.sum(shares, dim=-1)
            return torch.einsum("gm,mc->gc", shares, members) / (sizes[:, None] + 1)
        """,
    ),
)
INVALID = (
    Invalid(
        "scores whose padding is masked before",
        """
        import torch.nn.functional as F
        from torch import nn
        class Pooling(nn.Module):
            def forward(self, states, valid):
                energy = self.score(states).squeeze(-1)
                energy = energy.masked_fill(~valid, -1e4)
                alpha = F.softmax(energy, 0)
                return (alpha.unsqueeze(-1) * states).sum(dim=1), alpha
        """,
        ((7, "the weights are normalised over dim 0, but line 8 sums them over dim 1"),),
    ),
    Invalid(
        "the axis of the heads, of parts of one tensor",
        """
        import torch
        from torch import nn
        class Heads(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.qkv = nn.Conv1d(width, 3 * width, 1)
                self.softmax = nn.Softmax(dim=1)
            def forward(self, x):
                b, c, n = x.shape
                q, k, v = self.qkv(x).view(b, 3, 4, c // 4, n).unbind(1)
                weights = self.softmax(torch.matmul(q.transpose(2, 3), k))
                return torch.matmul(weights, v.transpose(2, 3))
            def mix(self, x):
                b, n, c = x.shape
                qkv = x.reshape(b, n, 3, 4, c // 12).permute(2, 0, 3, 1, 4)
                q, k, v = qkv[0], qkv[1], qkv[2]
                weights = (q @ k.transpose(-2, -1)).softmax(dim=2)
                return weights @ v
        """,
        ((11, NUMBERS.format(1, 12, -1)), (17, NUMBERS.format(2, 18, -1))),
    ),
    Invalid(
        "the queries by the letters of an einsum, through dropout",
        """
        import torch
        class Mixer(torch.nn.Module):
            def forward(self, x):
                first, second, third = self.project(x).chunk(3, -1)
                similarity = torch.einsum("bhqc,bhkc->bhqk", first, second) / 8
                mixing = torch.softmax(similarity, dim=-2)
                mixing = self.dropout(mixing)
                return torch.einsum("bhqk,bhkc->bhqc", mixing, third)
        """,
        ((6, LETTERS.format("q", 8, "k")),),
    ),
    Invalid(
        "einops, with words for axes",
        """
        from einops import einsum
        def attend(q, k, v):
            sim = einsum(q, k, "b i d, b j d -> b i j")
            attn = sim.softmax(dim=1)
            return einsum(attn, v, "b i j, b j d -> b i d")
        """,
        ((4, LETTERS.format("i", 5, "j")),),
    ),
    Invalid(
        "matrices with a transpose between, and masked scores",
        """
        import torch
        import torch.nn.functional as F
        def attend(q, k, v, mask):
            energy = torch.matmul(q, k.transpose(-1, -2)).masked_fill(mask, float("-inf"))
            weights = F.softmax(energy, dim=-1)
            return torch.matmul(weights.transpose(-1, -2), v)
        """,
        ((5, NUMBERS.format(-1, 6, -2)),),
    ),
    Invalid(
        "batches of matrices, with the axis in front and with none",
        """
        import torch
        import torch.nn as nn
        class Head(nn.Module):
            def __init__(self):
                super().__init__()
                self.normalise = nn.Softmax(dim=1)
            def forward(self, q, k, v):
                weights = self.normalise(torch.bmm(q, k.transpose(1, 2)))
                return torch.bmm(weights, v)
            def legacy(self, q, k, v):
                return nn.functional.softmax(q.bmm(k)).bmm(v)
        """,
        ((8, NUMBERS.format(1, 9, -1)), (11, NUMBERS.format(0, 11, -1))),
    ),
    Invalid(
        "a batch of matrices whose scores have an unknown rank",
        """
        import torch
        def attend(self, q, k, v):
            weights = self.drop(torch.softmax(torch.matmul(q, k), dim=1))
            return weights.bmm(v)
        """,
        ((3, NUMBERS.format(1, 4, -1)),),
    ),
    Invalid(
        "a product and a sum over the batch's neighbour",
        """
        import torch
        class Pool(torch.nn.Module):
            def forward(self, states):
                weights = torch.softmax(self.score(states), dim=0)
                return torch.sum(weights * states, dim=1)
        """,
        ((4, NUMBERS.format(0, 5, 1)),),
    ),
    Invalid(
        "the batch, for scores of a layer, and for matrices of unknown rank",
        """
        import torch
        def pool(self, states):
            weights = self.score(states).squeeze(-1).softmax(0)
            return torch.einsum("bt,btd->bd", weights, states)
        def attend(q, k, v):
            weights = (q @ k.transpose(-2, -1)).softmax(dim=0)
            return weights @ v
        """,
        ((3, LETTERS.format("b", 4, "t")), (6, NUMBERS.format(0, 7, -1))),
    ),
    Invalid(
        "a helper one call away",
        """
        import torch
        def weigh(a, b):
            return torch.einsum("xnd,xmd->xnm", a, b).softmax(1)
        def mix(a, b, c):
            return torch.einsum("xnm,xmd->xnd", weigh(a, b), c)
        """,
        ((3, LETTERS.format("n", 5, "m")),),
    ),
    Invalid(
        "edges by their source, with a function of torch_geometric and one by hand",
        """
        import torch
        from torch_geometric.utils import softmax
        def gather(x, edge_index):
            weights = softmax(x[edge_index[0]].sum(-1), edge_index[0])
            return torch.zeros_like(x).index_add(0, edge_index[1], weights.unsqueeze(-1) * x)
        def normalise(values, node, count):
            e = values.exp()
            return e / torch.zeros(count).index_add(0, node, e)[node]
        def spread(x, edges):
            start, end = edges
            share = normalise(x[start].sum(-1), start, len(x))
            messages = share[:, None] * x[start]
            return torch.zeros_like(x).scatter_add(0, end[:, None].expand_as(messages), messages)
        """,
        (
            (4, GROUPS.format("edge_index[0]", 5, "edge_index[1]")),
            (11, GROUPS.format("start", 13, "end[:, None].expand_as(messages)")),
        ),
    ),
    Invalid(
        "edges by hand, and in the messages of a layer",
        """
        import torch
        from torch_geometric.nn import MessagePassing
        from torch_geometric.utils import softmax
        def gather(x, scores, src, dst):
            e = (scores - scores.max()).exp()
            total = torch.zeros(len(x)).scatter_add(0, src, e)
            weights = e / total[src]
            return torch.zeros_like(x).index_add(0, dst, weights.unsqueeze(-1) * x[src])
        class Layer(MessagePassing):
            def forward(self, x, edge_index):
                row, col = edge_index
                alpha = softmax(self.score(x[row], x[col]), row, num_nodes=x.size(0))
                return self.propagate(edge_index, x=x, alpha=alpha)
        """,
        (
            (7, GROUPS.format("src", 8, "dst")),
            (12, GROUPS.format("row", 13, "edge_index[1]")),
        ),
    ),
    Invalid(
        "an axis of length 1",
        """
        import torch
        from torch import nn
        class Pool(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.score = nn.Linear(width, 1)
                self.gate = nn.Sequential(nn.Tanh(), nn.Linear(width, 1), nn.Softmax(dim=-1))
            def forward(self, x):
                scores = self.score(x)
                weights = torch.softmax(scores, dim=-1)
                return (weights * x).sum(dim=1)
        """,
        (
            (
                7,
                SINGLE.format(
                    "nn.Sequential(nn.Tanh(), nn.Linear(width, 1), nn.Softmax(dim=-1))",
                    "nn.Linear(width, 1)",
                ),
            ),
            (10, SINGLE.format("torch.softmax(scores, dim=-1)", "nn.Linear(width, 1)")),
        ),
    ),
)
