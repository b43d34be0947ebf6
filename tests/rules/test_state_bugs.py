"""Bugs of public kinds on arguments, checkpoints, modules, masks, counts and caches, in other words."""

from __future__ import annotations

import pytest
from support.marked_bugs import MarkedBug, reported

RULES = frozenset(
    {"argument-modified-in-place", "state-outside-state-dict", "restored-state-overwritten"}
    | {"target-without-buffers", "module-attribute-shadows-method", "mutable-default-stored"}
    | {"inherited-copy", "mask-only-if-given", "uncut-causal-mask", "unused-causal-flag"}
    | {"causal-padding", "wrong-parameter-count", "cached-failure", "memo-key-omits-argument"}
    | {"constant-return", "unregistered-layers"}
)

BUGS = (
    MarkedBug(
        "towers by task, each under a local name first",
        """
        from torch import nn

        class Towers(nn.Module):
            def __init__(self, tasks, width):
                super().__init__()
                self.towers = {}  # bug: unregistered-layers
                for task in tasks:
                    tower = nn.Sequential(nn.Linear(width, width), nn.ReLU())
                    self.towers[task] = tower

            def forward(self, x, task):
                return self.towers[task](x)
        """,
        """
        from torch import nn

        class Towers(nn.Module):
            def __init__(self, tasks, width):
                super().__init__()
                self.towers = {}
                for task in tasks:
                    tower = nn.Sequential(nn.Linear(width, width), nn.ReLU())
                    self.add_module(task, tower)
                    self.towers[task] = tower

            def forward(self, x, task):
                return self.towers[task](x)
        """,
    ),
    MarkedBug(
        "convolutions of a pyramid, used one call away, and a scaled table",
        """
        import torch
        import torch.nn as nn

        class Pyramid(nn.Module):
            def __init__(self, widths):
                super().__init__()
                self.laterals = list()  # bug: unregistered-layers
                for width in widths:
                    self.laterals.append(nn.Conv2d(width, 64, 1))
                self.table = nn.Parameter(torch.randn(1, 64)) * 0.02  # bug: unregistered-layers

            def _merge(self, maps):
                return sum(self.laterals[i](m) for i, m in enumerate(maps))

            def forward(self, maps):
                return self._merge(maps) + self.table
        """,
        """
        import torch
        import torch.nn as nn

        class Pyramid(nn.Module):
            def __init__(self, widths):
                super().__init__()
                laterals = list()
                for width in widths:
                    laterals.append(nn.Conv2d(width, 64, 1))
                self.laterals = nn.ModuleList(laterals)
                self.table = nn.Parameter(torch.randn(1, 64) * 0.02)

            def _merge(self, maps):
                return sum(self.laterals[i](m) for i, m in enumerate(maps))

            def forward(self, maps):
                return self._merge(maps) + self.table
        """,
    ),
    MarkedBug(
        "each row of the features is normalised where it is",
        """
        import torch
        import torch.nn as nn

        class PerUtteranceNorm(nn.Module):
            def forward(self, feats, sizes):
                out = []
                for feat, size in zip(feats.unbind(0), sizes):
                    feat[:size] -= feat[:size].mean(dim=0)  # bug: argument-modified-in-place
                    out.append(feat)
                return torch.stack(out)
        """,
        """
        import torch
        import torch.nn as nn

        class PerUtteranceNorm(nn.Module):
            def forward(self, feats, sizes):
                out = []
                for feat, size in zip(feats.clone().unbind(0), sizes):
                    feat[:size] -= feat[:size].mean(dim=0)
                    out.append(feat)
                return torch.stack(out)
        """,
    ),
    MarkedBug(
        "the initial condition of a solver is a view",
        """
        import torch

        class Heat(torch.nn.Module):
            def forward(self, u0: torch.Tensor, steps: int):
                u = u0[:, 0]
                trajectory = []
                for _ in range(steps):
                    u[:, 1:-1] = u[:, 1:-1] + self.k * (u[:, 2:] - u[:, :-2])  # bug: argument-modified-in-place
                    trajectory.append(u.clone())
                return torch.stack(trajectory, 1)
        """,
        """
        import torch

        class Heat(torch.nn.Module):
            def forward(self, u0: torch.Tensor, steps: int):
                u = u0[:, 0].clone()
                trajectory = []
                for _ in range(steps):
                    u[:, 1:-1] = u[:, 1:-1] + self.k * (u[:, 2:] - u[:, :-2])
                    trajectory.append(u.clone())
                return torch.stack(trajectory, 1)
        """,
    ),
    MarkedBug(
        "messages are scaled in the dict of the caller",
        """
        import torch
        from torch import nn

        class RelationalConv(nn.Module):
            def forward(self, feature_dict, edge_index_dict):
                for node_type in feature_dict:
                    feature_dict[node_type] = self.proj(feature_dict[node_type])  # bug: argument-modified-in-place
                return self.propagate(feature_dict, edge_index_dict)
        """,
        """
        import torch
        from torch import nn

        class RelationalConv(nn.Module):
            def forward(self, feature_dict, edge_index_dict):
                feature_dict = dict(feature_dict)
                for node_type in feature_dict:
                    feature_dict[node_type] = self.proj(feature_dict[node_type])
                return self.propagate(feature_dict, edge_index_dict)
        """,
    ),
    MarkedBug(
        "a mask is added to the bias that every layer shares",
        """
        import torch
        from torch import Tensor, nn

        class Attention(nn.Module):
            def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
                if bias is None:
                    bias = self.relative(q)
                else:
                    bias += self.relative(q)  # bug: argument-modified-in-place
                return torch.softmax(q @ k.mT + bias, -1) @ v
        """,
        """
        import torch
        from torch import Tensor, nn

        class Attention(nn.Module):
            def forward(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
                if bias is None:
                    bias = self.relative(q)
                else:
                    bias = bias + self.relative(q)
                return torch.softmax(q @ k.mT + bias, -1) @ v
        """,
    ),
    MarkedBug(
        "ignored labels are overwritten by a loss function",
        """
        import torch

        def token_accuracy(logits, labels, ignore=-100):
            flat = labels.view(-1)
            keep = flat.ne(ignore)
            flat.masked_fill_(~keep, 0)  # bug: argument-modified-in-place
            hits = logits.argmax(-1).view(-1).eq(flat)
            return (hits * keep).sum() / keep.sum()
        """,
        """
        import torch

        def token_accuracy(logits, labels, ignore=-100):
            flat = labels.view(-1)
            keep = flat.ne(ignore)
            flat = flat.masked_fill(~keep, 0)
            hits = logits.argmax(-1).view(-1).eq(flat)
            return (hits * keep).sum() / keep.sum()
        """,
    ),
    MarkedBug(
        "a static method one call away",
        """
        import torch
        from torch import nn

        class Warp(nn.Module):
            @staticmethod
            def _to_unit(grid):
                grid[..., 0] /= 640.0
                grid[..., 1] /= 480.0
                return grid

            def forward(self, image, grid):
                return nn.functional.grid_sample(image, self._to_unit(grid))  # bug: argument-modified-in-place
        """,
        """
        import torch
        from torch import nn

        class Warp(nn.Module):
            @staticmethod
            def _to_unit(grid):
                grid[..., 0] /= 640.0
                grid[..., 1] /= 480.0
                return grid

            def forward(self, image, grid):
                return nn.functional.grid_sample(image, self._to_unit(grid.clone()))
        """,
    ),
    MarkedBug(
        "sparse connections are drawn when the layer is built",
        """
        import torch
        from torch import nn

        class SparseLinear(nn.Module):
            def __init__(self, inputs: int, outputs: int, fan_in: int) -> None:
                super().__init__()
                index = torch.stack([torch.randperm(inputs)[:fan_in] for _ in range(outputs)])
                self.index = index  # bug: state-outside-state-dict
                self.weight = nn.Parameter(torch.empty(outputs, fan_in))

            def forward(self, x):
                return (x[:, self.index] * self.weight).sum(-1)
        """,
        """
        import torch
        from torch import nn

        class SparseLinear(nn.Module):
            def __init__(self, inputs: int, outputs: int, fan_in: int) -> None:
                super().__init__()
                index = torch.stack([torch.randperm(inputs)[:fan_in] for _ in range(outputs)])
                self.register_buffer("index", index)
                self.weight = nn.Parameter(torch.empty(outputs, fan_in))

            def forward(self, x):
                return (x[:, self.index] * self.weight).sum(-1)
        """,
    ),
    MarkedBug(
        "a permutation of numpy, read by a helper of the forward",
        """
        import numpy as np
        import torch
        import torch.nn as nn

        class Flow(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.setup(width)

            def setup(self, width):
                self.perm = torch.as_tensor(np.random.permutation(width))  # bug: state-outside-state-dict
                self.net = nn.Linear(width, width)

            def _shuffle(self, x):
                return x.index_select(1, self.perm)

            def forward(self, x):
                return self.net(self._shuffle(x))
        """,
        """
        import numpy as np
        import torch
        import torch.nn as nn

        class Flow(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.setup(width)

            def setup(self, width):
                self.register_buffer("perm", torch.as_tensor(np.random.permutation(width)))
                self.net = nn.Linear(width, width)

            def _shuffle(self, x):
                return x.index_select(1, self.perm)

            def forward(self, x):
                return self.net(self._shuffle(x))
        """,
    ),
    MarkedBug(
        "centres of a codebook that training moves",
        """
        import torch
        from torch import nn

        class Codebook(nn.Module):
            def __init__(self, size, width):
                super().__init__()
                self.usage = torch.ones(size)  # bug: state-outside-state-dict
                self.codes = nn.Embedding(size, width)

            def forward(self, x):
                nearest = torch.cdist(x, self.codes.weight / self.usage[:, None]).argmin(-1)
                if self.training:
                    self.usage.mul_(0.99).add_(torch.bincount(nearest, minlength=8), alpha=0.01)
                return self.codes(nearest)
        """,
        """
        import torch
        from torch import nn

        class Codebook(nn.Module):
            def __init__(self, size, width):
                super().__init__()
                self.register_buffer("usage", torch.ones(size))
                self.codes = nn.Embedding(size, width)

            def forward(self, x):
                nearest = torch.cdist(x, self.codes.weight / self.usage[:, None]).argmin(-1)
                if self.training:
                    self.usage.mul_(0.99).add_(torch.bincount(nearest, minlength=8), alpha=0.01)
                return self.codes(nearest)
        """,
    ),
    MarkedBug(
        "the optimizer is loaded and then made",
        """
        import torch

        class Runner:
            def build(self):
                self.model = Net()
                self.optim = torch.optim.AdamW(self.model.parameters())

            def resume(self, path):
                data = torch.load(path)
                self.optim.load_state_dict(data["optim"])
                self.step = data["step"]
                self.build()  # bug: restored-state-overwritten
                self.fit()
        """,
        """
        import torch

        class Runner:
            def build(self):
                self.model = Net()
                self.optim = torch.optim.AdamW(self.model.parameters())

            def resume(self, path):
                data = torch.load(path)
                self.build()
                self.optim.load_state_dict(data["optim"])
                self.step = data["step"]
                self.fit()
        """,
    ),
    MarkedBug(
        "the schedule is made anew after it was loaded",
        """
        from torch.optim.lr_scheduler import CosineAnnealingLR

        def restore(run, checkpoint):
            scheduler = CosineAnnealingLR(run.optimizer, run.steps)
            try:
                scheduler.load_state_dict(checkpoint["scheduler"])
            except KeyError:
                print("no schedule")
            scheduler = CosineAnnealingLR(run.optimizer, run.steps)  # bug: restored-state-overwritten
            return scheduler
        """,
        """
        from torch.optim.lr_scheduler import CosineAnnealingLR

        def restore(run, checkpoint):
            scheduler = CosineAnnealingLR(run.optimizer, run.steps)
            try:
                scheduler.load_state_dict(checkpoint["scheduler"])
            except KeyError:
                print("no schedule")
            return scheduler
        """,
    ),
    MarkedBug(
        "a target critic whose batch norm never learns",
        """
        import copy
        from torch import nn

        class Critic(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.body = nn.Sequential(nn.Linear(width, 64), nn.BatchNorm1d(64), nn.Linear(64, 1))

        def soft_update(local, target, tau=0.005):
            for old, new in zip(target.parameters(), local.parameters()):  # bug: target-without-buffers
                old.data.copy_(tau * new.data + (1.0 - tau) * old.data)

        def build(width):
            critic = Critic(width)
            target = copy.deepcopy(critic)
            target.eval()
            return critic, target

        def learn(batches):
            critic, target = build(8)
            for batch in batches:
                update(critic, target, batch)
                soft_update(critic, target)
        """,
        """
        import copy
        from torch import nn

        class Critic(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.body = nn.Sequential(nn.Linear(width, 64), nn.BatchNorm1d(64), nn.Linear(64, 1))

        def soft_update(local, target, tau=0.005):
            for old, new in zip(target.parameters(), local.parameters()):
                old.data.copy_(tau * new.data + (1.0 - tau) * old.data)
            for target_buffer, local_buffer in zip(target.buffers(), local.buffers()):
                target_buffer.copy_(local_buffer)

        def build(width):
            critic = Critic(width)
            target = copy.deepcopy(critic)
            target.eval()
            return critic, target
        """,
    ),
    MarkedBug(
        "a flag with the name of a method",
        """
        import torch

        class Decoder(torch.nn.Module):
            def __init__(self, width, train=True, **options):
                super().__init__()
                self.width, self.train = width, bool(train)  # bug: module-attribute-shadows-method
        """,
        """
        import torch

        class Decoder(torch.nn.Module):
            def __init__(self, width, train=True, **options):
                super().__init__()
                self.width, self.is_trained = width, bool(train)
        """,
    ),
    MarkedBug(
        "a frozen backbone whose train() forgets the base",
        """
        from torch import nn

        class Backbone(nn.Module):
            def train(self, mode: bool = True) -> "Backbone":  # bug: module-attribute-shadows-method
                for layer in self.frozen:
                    layer.requires_grad_(False)
                return self
        """,
        """
        from torch import nn

        class Backbone(nn.Module):
            def train(self, mode: bool = True) -> "Backbone":
                super().train(mode)
                for layer in self.frozen:
                    layer.requires_grad_(False)
                return self
        """,
    ),
    MarkedBug(
        "callbacks that all trainers share",
        """
        class Trainer:
            def __init__(self, model, callbacks=[]):  # bug: mutable-default-stored
                self.model = model
                self.callbacks = callbacks

            def add_callback(self, callback):
                self.callbacks.append(callback)
        """,
        """
        class Trainer:
            def __init__(self, model, callbacks=None):
                self.model = model
                self.callbacks = callbacks if callbacks is not None else []

            def add_callback(self, callback):
                self.callbacks.append(callback)
        """,
    ),
    MarkedBug(
        "keyword arguments that one call leaves to the next",
        """
        def make_loader(dataset, options=dict()):  # bug: mutable-default-stored
            if dataset.is_iterable:
                options["shuffle"] = False
            return Loader(dataset, **options)
        """,
        """
        def make_loader(dataset, options=dict()):
            options = dict(options)
            if dataset.is_iterable:
                options["shuffle"] = False
            return Loader(dataset, **options)
        """,
    ),
    MarkedBug(
        "a bias that becomes its base when it is cloned",
        """
        class AttentionBias:
            def __init__(self, rows, columns, device=None):
                self.rows, self.columns, self.device = rows, columns, device

            def clone(self):
                return AttentionBias(self.rows, self.columns, device=self.device)  # bug: inherited-copy

        class LowerTriangular(AttentionBias):
            def materialize(self):
                return full(self.rows, self.columns).triu(1)
        """,
        """
        class AttentionBias:
            def __init__(self, rows, columns, device=None):
                self.rows, self.columns, self.device = rows, columns, device

            def clone(self):
                return self.__class__(self.rows, self.columns, device=self.device)

        class LowerTriangular(AttentionBias):
            def materialize(self):
                return full(self.rows, self.columns).triu(1)
        """,
    ),
    MarkedBug(
        "a field that changes, in a dataclass",
        """
        from dataclasses import dataclass

        @dataclass(frozen=True)
        class Layout:
            shape: tuple
            device: str

            def on(self, device):
                moved = Layout(self.shape, device)
                return moved

            def cpu(self):
                moved = Layout(shape=self.shape, device="cpu")  # bug: inherited-copy
                return moved

        @dataclass(frozen=True)
        class Padded(Layout):
            pad: int = 0
        """,
        """
        from dataclasses import dataclass, replace

        @dataclass(frozen=True)
        class Layout:
            shape: tuple
            device: str

            def cpu(self):
                return replace(self, device="cpu")

        @dataclass(frozen=True)
        class Padded(Layout):
            pad: int = 0
        """,
    ),
    MarkedBug(
        "no padding, no causal mask",
        """
        import torch
        from torch import nn

        class SelfAttention(nn.Module):
            def __init__(self, context, is_causal):
                super().__init__()
                future = torch.triu(torch.ones(context, context, dtype=torch.bool), diagonal=1)
                self.register_buffer("future", future if is_causal else None, persistent=False)

            def forward(self, x, key_padding_mask=None):
                scores = x @ x.transpose(1, 2)
                if key_padding_mask is not None:  # bug: mask-only-if-given
                    blocked = key_padding_mask[:, None, :]
                    if self.future is not None:
                        blocked = blocked | self.future[: x.shape[1], : x.shape[1]]
                    scores = scores.masked_fill(blocked, float("-inf"))
                return scores.softmax(dim=-1) @ x
        """,
        """
        import torch
        from torch import nn

        class SelfAttention(nn.Module):
            def __init__(self, context, is_causal):
                super().__init__()
                future = torch.triu(torch.ones(context, context, dtype=torch.bool), diagonal=1)
                self.register_buffer("future", future if is_causal else None, persistent=False)

            def forward(self, x, key_padding_mask=None):
                scores = x @ x.transpose(1, 2)
                if self.future is not None:
                    scores = scores.masked_fill(self.future[: x.shape[1], : x.shape[1]], float("-inf"))
                if key_padding_mask is not None:
                    scores = scores.masked_fill(key_padding_mask[:, None, :], float("-inf"))
                return scores.softmax(dim=-1) @ x
        """,
    ),
    MarkedBug(
        "a helper makes the mask, and only a bias brings it in",
        """
        import torch
        from torch import nn

        class Block(nn.Module):
            def _causal(self, n, device):
                return torch.full((n, n), float("-inf"), device=device).triu(1)

            def forward(self, q, k, v, alibi=None):
                weights = q @ k.mT
                if alibi is not None:  # bug: mask-only-if-given
                    weights = weights + alibi + self._causal(q.shape[-2], q.device)
                return weights.softmax(-1) @ v
        """,
        """
        import torch
        from torch import nn

        class Block(nn.Module):
            def _causal(self, n, device):
                return torch.full((n, n), float("-inf"), device=device).triu(1)

            def forward(self, q, k, v, alibi=None):
                weights = q @ k.mT + self._causal(q.shape[-2], q.device)
                if alibi is not None:
                    weights = weights + alibi
                return weights.softmax(-1) @ v
        """,
    ),
    MarkedBug(
        "the whole mask beside a cut one",
        """
        import torch
        from torch import nn

        class Text(nn.Module):
            def __init__(self, context_length):
                super().__init__()
                self.register_buffer("attn_mask", self.build(context_length), persistent=False)

            def build(self, n):
                mask = torch.empty(n, n)
                mask.fill_(float("-inf"))
                mask.triu_(1)
                return mask

            def encode(self, tokens, pad):
                n = tokens.shape[1]
                if pad is None:
                    return self.blocks(tokens, self.attn_mask[:n, :n])
                mask = self.attn_mask[None] + pad  # bug: uncut-causal-mask
                return self.blocks(tokens, mask)
        """,
        """
        import torch
        from torch import nn

        class Text(nn.Module):
            def __init__(self, context_length):
                super().__init__()
                self.register_buffer("attn_mask", self.build(context_length), persistent=False)

            def build(self, n):
                mask = torch.empty(n, n)
                mask.fill_(float("-inf"))
                mask.triu_(1)
                return mask

            def encode(self, tokens, pad):
                n = tokens.shape[1]
                if pad is None:
                    return self.blocks(tokens, self.attn_mask[:n, :n])
                mask = self.attn_mask[None, :n, :n] + pad
                return self.blocks(tokens, mask)
        """,
    ),
    MarkedBug(
        "an option that is stored and forgotten",
        """
        import torch
        from torch import nn

        class LinearAttention(nn.Module):
            def __init__(
                self,
                width,
                heads,
                causal=False,  # bug: unused-causal-flag
            ):
                super().__init__()
                self.heads = heads
                self.causal = causal
                self.qkv = nn.Linear(width, 3 * width)

            def forward(self, x):
                q, k, v = self.qkv(x).chunk(3, dim=-1)
                return q.softmax(-1) @ (k.softmax(-2).mT @ v)
        """,
        """
        import torch
        from torch import nn

        class LinearAttention(nn.Module):
            def __init__(
                self,
                width,
                heads,
                causal=False,
            ):
                super().__init__()
                self.heads = heads
                self.causal = causal
                self.qkv = nn.Linear(width, 3 * width)

            def forward(self, x):
                q, k, v = self.qkv(x).chunk(3, dim=-1)
                if self.causal:
                    return prefix_attention(q, k, v)
                return q.softmax(-1) @ (k.softmax(-2).mT @ v)
        """,
    ),
    MarkedBug(
        "a causal convolution that sees half a kernel ahead",
        """
        import torch
        from torch import nn

        class CausalConvolution(nn.Module):
            def __init__(self, channels, kernel_size, dilation):
                super().__init__()
                self.padding = (kernel_size - 1) * dilation
                self.conv = nn.Conv1d(
                    channels, channels, kernel_size, dilation=dilation, padding=self.padding  # bug: causal-padding
                )

            def forward(self, x):
                return torch.tanh(self.conv(x))
        """,
        """
        import torch
        from torch import nn

        class CausalConvolution(nn.Module):
            def __init__(self, channels, kernel_size, dilation):
                super().__init__()
                self.padding = (kernel_size - 1) * dilation
                self.conv = nn.Conv1d(
                    channels, channels, kernel_size, dilation=dilation, padding=self.padding
                )

            def forward(self, x):
                return torch.tanh(self.conv(x)[..., : -self.padding])
        """,
    ),
    MarkedBug(
        "a shared embedding counted zero times",
        """
        def report(net):
            counted = 0
            for p in net.parameters():
                counted += p.numel()
            if net.config.tie_weights:
                counted -= net.embed.weight.numel()  # bug: wrong-parameter-count
            return f"{counted} parameters"
        """,
        """
        def report(net):
            counted = 0
            for p in net.parameters():
                counted += p.numel()
            return f"{counted} parameters"
        """,
    ),
    MarkedBug(
        "a formula that an optional projection makes short",
        """
        from dataclasses import dataclass
        from torch import nn

        @dataclass
        class Settings:
            dim: int
            ffn: int
            depth: int = 2
            swiglu: bool = False

            @property
            def num_parameters(self):
                return self.depth * 2 * self.dim * self.ffn  # bug: wrong-parameter-count

        class FeedForward(nn.Module):
            def __init__(self, s: Settings):
                super().__init__()
                self.up = nn.Linear(s.dim, s.ffn, bias=False)
                self.down = nn.Linear(s.ffn, s.dim, bias=False)
                if s.swiglu:
                    self.gate = nn.Linear(s.dim, s.ffn, bias=False)
        """,
        """
        from dataclasses import dataclass
        from torch import nn

        @dataclass
        class Settings:
            dim: int
            ffn: int
            depth: int = 2
            swiglu: bool = False

            @property
            def num_parameters(self):
                return self.depth * (3 if self.swiglu else 2) * self.dim * self.ffn

        class FeedForward(nn.Module):
            def __init__(self, s: Settings):
                super().__init__()
                self.up = nn.Linear(s.dim, s.ffn, bias=False)
                self.down = nn.Linear(s.ffn, s.dim, bias=False)
                if s.swiglu:
                    self.gate = nn.Linear(s.dim, s.ffn, bias=False)
        """,
    ),
    MarkedBug(
        "a lost connection that lasts",
        """
        import functools
        import urllib.request

        @functools.cache
        def vocabulary(url):
            words = []
            try:
                with urllib.request.urlopen(url) as reply:
                    words = reply.read().split()
            except OSError:  # bug: cached-failure
                words = []
            return words
        """,
        """
        import functools
        import urllib.request

        @functools.cache
        def vocabulary(url):
            with urllib.request.urlopen(url) as reply:
                return reply.read().split()
        """,
    ),
    MarkedBug(
        "frequencies of the first device and dtype",
        """
        import torch

        class Rotary:
            def __init__(self, width):
                self.width, self.table = width, {}

            def __call__(self, x):
                length = x.shape[-2]
                if length in self.table:
                    return self.table[length]
                steps = torch.arange(length, device=x.device, dtype=x.dtype)
                angles = torch.outer(steps, self.frequencies)
                self.table[length] = angles.cos(), angles.sin()  # bug: memo-key-omits-argument
                return self.table[length]
        """,
        """
        import torch

        class Rotary:
            def __init__(self, width):
                self.width, self.table = width, {}

            def __call__(self, x):
                key = (x.shape[-2], x.device, x.dtype)
                if key in self.table:
                    return self.table[key]
                steps = torch.arange(x.shape[-2], device=x.device, dtype=x.dtype)
                angles = torch.outer(steps, self.frequencies)
                self.table[key] = angles.cos(), angles.sin()
                return self.table[key]
        """,
    ),
    MarkedBug(
        "a gate without another answer",
        """
        class Gate:
            def may_advance(self, level, report) -> bool:  # bug: constant-return
                if level == "off":
                    return True
                elif level == "warn":
                    print(report)
                    return True
                else:
                    return True
        """,
        """
        class Gate:
            def may_advance(self, level, report) -> bool:
                if level == "off":
                    return True
                elif level == "warn":
                    print(report)
                    return True
                else:
                    return False
        """,
    ),
    MarkedBug(
        "a channel is scaled in the picture of the caller",
        """
        import torch

        class ToGray:
            def __call__(self, img):
                r, g, b = img.unbind(dim=-3)
                g *= 0.587  # bug: argument-modified-in-place
                return r + g + b
        """,
        """
        import torch

        class ToGray:
            def __call__(self, img):
                r, g, b = img.unbind(dim=-3)
                g = g * 0.587
                return r + g + b
        """,
    ),
    MarkedBug(
        "an order that python shuffles once",
        """
        import random
        from torch import nn

        class Shuffle(nn.Module):
            def __init__(self, width):
                super().__init__()
                order = list(range(width))
                random.shuffle(order)
                self.order = order  # bug: state-outside-state-dict

            def forward(self, x):
                return x[:, self.order]
        """,
        """
        from torch import nn

        class Shuffle(nn.Module):
            def __init__(self, width):
                super().__init__()
                order = list(range(width))
                self.order = order[::-1]

            def forward(self, x):
                return x[:, self.order]
        """,
    ),
    MarkedBug(
        "without padding the function leaves before its mask",
        """
        from torch import nn

        class Encoder(nn.Module):
            def _mask(self, n):
                if self.mask is None:
                    self.mask = nn.Transformer.generate_square_subsequent_mask(n)
                return self.mask

            def forward(self, src, padding=None):
                if padding is None:  # bug: mask-only-if-given
                    return self.encoder(src)
                return self.encoder(src, mask=self._mask(len(src)), src_key_padding_mask=padding)
        """,
        """
        from torch import nn

        class Encoder(nn.Module):
            def _mask(self, n):
                if self.mask is None:
                    self.mask = nn.Transformer.generate_square_subsequent_mask(n)
                return self.mask

            def forward(self, src, padding=None):
                if padding is None:
                    return self.encoder(src, mask=self._mask(len(src)))
                return self.encoder(src, mask=self._mask(len(src)), src_key_padding_mask=padding)
        """,
    ),
    MarkedBug(
        "layers that are initialised after the load",
        """
        import torch
        from torch import nn

        def fine_tune(path):
            net = Net()
            net.load_state_dict(torch.load(path))
            for layer in net.modules():  # bug: restored-state-overwritten
                if isinstance(layer, nn.Linear):
                    nn.init.xavier_uniform_(layer.weight)
            return net
        """,
        """
        import torch
        from torch import nn

        def fine_tune(path):
            net = Net()
            for layer in net.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.xavier_uniform_(layer.weight)
            net.load_state_dict(torch.load(path))
            return net
        """,
    ),
    MarkedBug(
        "a table of the first scale",
        """
        import torch

        class Positions:
            def table(self, x, scale):
                key = (x.size(1), x.device)
                try:
                    return self.tables[key]
                except KeyError:
                    pass
                steps = torch.arange(x.size(1), device=x.device) * scale
                self.tables[key] = steps  # bug: memo-key-omits-argument
                return steps
        """,
        """
        import torch

        class Positions:
            def table(self, x, scale):
                key = (x.size(1), x.device, scale)
                try:
                    return self.tables[key]
                except KeyError:
                    pass
                steps = torch.arange(x.size(1), device=x.device) * scale
                self.tables[key] = steps
                return steps
        """,
    ),
    MarkedBug(
        "a validation that agrees with what it caught",
        """
        def validate(config) -> bool:  # bug: constant-return
            try:
                config.check()
                return True
            except ValueError:
                return True
        """,
        """
        def validate(config) -> bool:
            try:
                config.check()
                return True
            except ValueError:
                return False
        """,
    ),
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_reported_at_its_line(bug: MarkedBug) -> None:
    assert bug.expected
    assert reported(bug.code, RULES) == bug.expected


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_repaired_file_is_quiet(bug: MarkedBug) -> None:
    assert reported(bug.repaired, RULES) == []


def test_each_rule_has_a_bug() -> None:
    assert {rule for bug in BUGS for _, rule in bug.expected} == RULES
