"""The cases of the rule `argument-fallback`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid(
        "a required parameter",
        """
        def blend(host, *, seed_input):
            return host * seed_input.tanh()
        """,
    ),
    Valid(
        "a fresh tensor as the default",
        """
        def forward(self, x: Tensor, bias: Tensor | None = None):
            if bias is None:
                bias = torch.zeros(x.shape[-1])
            return x + bias
        """,
    ),
    Valid(
        "something computed from the other parameter",
        """
        def forward(self, x, mask=None):
            mask = x.new_ones(x.shape[:2]) if mask is None else mask
            return x * mask
        """,
    ),
    Valid(
        "an attribute of the object as the default",
        """
        def forward(self, x, gain=None):
            gain = self.gain if gain is None else gain
            return x * gain
        """,
    ),
    Valid(
        "sizes of a constructor",
        """
        class Mlp(nn.Module):
            def __init__(self, in_features, hidden_features=None, act=GELU, gate_act=None):
                hidden_features = hidden_features or in_features
                gate_act = act if gate_act is None else gate_act
                self.fc = nn.Linear(in_features, hidden_features)
        """,
    ),
    Valid(
        "a size of a function",
        """
        def make_divisible(v, divisor=8, min_value: int | None = None):
            min_value = min_value or divisor
            return max(min_value, v)
        """,
    ),
    Valid(
        "a format next to the image that is a tensor",
        """
        def pad(image: np.ndarray, input_format: str, data_format: str | None = None):
            data_format = data_format if data_format is not None else input_format
            return to_format(image, data_format)
        """,
    ),
    Valid(
        "an optional addend",
        """
        def forward(self, hidden: Tensor, position: Tensor | None = None):
            query = hidden + position if position is not None else hidden
            return self.project(query)
        """,
    ),
    Valid(
        "an attention that attends to itself without a context",
        """
        def forward(self, x: Tensor, context: Tensor | None = None):
            context = x if context is None else context
            return self.attend(self.q(x), self.kv(context))
        """,
    ),
    Valid(
        "either-or inputs",
        """
        def forward(self, input_ids: Tensor | None = None, embeds: Tensor | None = None):
            given = input_ids if input_ids is not None else embeds
            return given.shape
        """,
    ),
    Valid(
        "a second input of an attention, whatever its name",
        """
        class MultiQueryAttention(nn.Module):
            def forward(self, x, m: Optional[torch.Tensor] = None):
                m = m if m is not None else x
                return self.query(x) @ self.key(m)
        """,
    ),
    Valid(
        "the other side of a relation",
        """
        def forward(self, source_boxes: Tensor, target_boxes: Tensor = None):
            if target_boxes is None:
                target_boxes = source_boxes
            return relative(source_boxes, target_boxes)


        def undistort(points, K: Tensor, new_K: Tensor | None = None):
            return points @ (K if new_K is None else new_K)
        """,
    ),
    Valid(
        "a stride next to layers",
        """
        from torch import nn


        def create_pool(kernel_size, stride=None):
            stride = stride or kernel_size
            return nn.AvgPool2d(kernel_size, stride)
        """,
    ),
    Valid(
        "a fallback of a nested function's own parameter",
        """
        def outer(x: Tensor, u: Tensor | None = None):
            def inner(u: Tensor):
                return u
            return inner(x), u
        """,
    ),
)

INVALID = (
    Invalid(
        "an if statement",
        """
        def blend_multiply(
            host_features: torch.Tensor,
            alpha: torch.Tensor,
            seed_input: torch.Tensor | None = None,  # Defaults to host_features
        ) -> torch.Tensor:
            if seed_input is None:
                seed_input = host_features
            return host_features * (alpha * seed_input.tanh())
        """,
        ((4, "`seed_input` silently becomes `host_features` if a caller omits it"),),
        fixed="""
        def blend_multiply(
            host_features: torch.Tensor,
            alpha: torch.Tensor,
            *, seed_input: torch.Tensor,  # Defaults to host_features
        ) -> torch.Tensor:
            if seed_input is None:
                seed_input = host_features
            return host_features * (alpha * seed_input.tanh())
        """,
    ),
    Invalid(
        "a conditional expression in a method",
        """
        class Valve(nn.Module):
            def forward(
                self, h, *, u: Optional[Tensor] = None,
                scale=1.0,
            ):
                u = h if u is None else self.norm(u)
                return h * u * scale
        """,
        ((3, "`u` silently becomes `h` if a caller omits it"),),
        fixed="""
        class Valve(nn.Module):
            def forward(
                self, h, *, u: Tensor,
                scale=1.0,
            ):
                u = h if u is None else self.norm(u)
                return h * u * scale
        """,
    ),
    Invalid(
        "a shortcut that becomes the input, before other parameters",
        """
        def forward(self, x, shortcut: Optional[torch.Tensor] = None, children=None):
            if shortcut is None:
                shortcut = x
            return self.conv(x) + shortcut
        """,
        ((1, "`shortcut` silently becomes `x` if a caller omits it"),),
    ),
    Invalid(
        "a detached copy, under another name",
        """
        import torch


        def gate(host, seed=None):
            source = seed if seed is not None else host.detach()
            return torch.sigmoid(source) * host
        """,
        ((4, "`seed` silently becomes `host` if a caller omits it"),),
    ),
    Invalid(
        "an `or` and a helper named `default`",
        """
        def forward(self, x, u=None, w=None):
            u = u or x
            return self.mix(u, default(w, x))
        """,
        (
            (1, "`u` silently becomes `x` if a caller omits it"),
            (1, "`w` silently becomes `x` if a caller omits it"),
        ),
    ),
    Invalid(
        "a context without a convention",
        """
        def forward(self, x, context=None):
            if not exists(context):
                context = x
            return self.mix(x, context)
        """,
        ((1, "`context` silently becomes `x` if a caller omits it"),),
        options={"by_convention": []},
    ),
)
