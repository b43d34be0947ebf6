"""The cases of `unclamped-exponential`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

MESSAGE = (
    "`{}` is infinite where the two log-probabilities are 89 apart (12 in float16): "
    "clamp the difference first"
)

VALID = (
    Valid(
        "masked differences of energies, bounded ones, and weights that their caller bounds",
        """
        import torch

        def weights(current, other, alive):
            return torch.exp(((current - other) * alive).sum(dim=1))

        def bounded(current, other, alive):
            return torch.exp(((current - other) * alive).sum(dim=1).clamp(-10, 10))

        def loss(policy, energy, batch):
            first = weights(energy(batch["x"]), energy(batch["y"]), batch["alive"])
            new = policy.log_prob(batch["x"])
            second = bounded(new, batch["old_log_prob"], batch["alive"])
            return -(first * new).sum() / first.sum() - (second * new).sum() / second.sum()
        """,
    ),
    Valid(
        "weights that are bounded from above, and a ratio that is neither normalised nor multiplied on",
        """
        import torch

        def corrected(new_logp, old_logp, values):
            ratio = torch.exp(new_logp - old_logp).clamp(max=1.0)
            acc = torch.zeros(())
            for t in range(len(values)):
                acc = values[t] + ratio[t] * acc
            return acc

        def surrogate(new_logp, old_logp, values):
            ratio = torch.exp(new_logp - old_logp)
            return (ratio * values).mean()
        """,
    ),
    Valid(
        "a clamp of the difference",
        """
        import torch
        def loss(new_logps, old_logps):
            gap = torch.clamp(new_logps - old_logps, -20, 20)
            kl = gap.exp() - gap - 1
            return kl + torch.exp((old_logps - new_logps).clamp(max=20))
        """,
    ),
    Valid(
        "a ratio that is clipped afterwards",
        """
        import torch
        def loss(log_prob, old_log_prob, advantages):
            ratio = torch.exp(log_prob - old_log_prob)
            clipped = torch.clamp(ratio, 0.8, 1.2)
            return -torch.min(ratio * advantages, clipped * advantages).mean()
        """,
    ),
    Valid(
        "other exponents, and numbers without gradients",
        """
        import torch
        def kl(logvar_p, logvar_q, logits, log_probs, old_log_probs):
            a = torch.exp(logvar_p - logvar_q) + (logits - logits.max(-1, keepdim=True).values).exp()
            b = (log_probs - torch.logsumexp(log_probs, -1)).exp()
            with torch.no_grad():
                c = (log_probs - old_log_probs).exp().mean()
            return a + b + torch.exp((log_probs - old_log_probs).detach()) + c
        """,
    ),
    Valid(
        "a surrogate under a trust region, and a test of acceptance",
        """
        import torch
        def gain(policy, old_log_prob, actions, advantages):
            ratio = torch.exp(policy.log_prob(actions) - old_log_prob)
            return (ratio * advantages).mean()
        def accepted(target, z, drawn):
            return z[torch.exp(target.log_prob(z) - target.max_log_prob) > drawn]
        """,
    ),
)
INVALID = (
    Invalid(
        "weights of a helper, masked and summed, of what its callers pass",
        """
        import torch

        def weights(current, other, alive):
            return torch.exp(((current - other) * alive).sum(dim=1))

        def loss(policy, batch):
            new = policy.log_prob(batch["x"])
            first = weights(new.detach(), batch["old_log_prob"], batch["alive"])
            return -(first * new).sum() / first.sum()
        """,
        ((4, MESSAGE.format("torch.exp(((current - other) * alive).sum(dim=1))")),),
    ),
    Invalid(
        "a difference in a method, of distributions that the loss gives it",
        """
        import torch
        import torch.nn.functional as F

        class Objective:
            def weight(self, a, b, keep):
                delta = keep * (a - b)
                total = delta.sum(-1)
                return total.exp()

            def loss(self, logits, behaviour, actions, keep):
                a = F.log_softmax(logits, -1).gather(-1, actions)
                b = F.log_softmax(behaviour, -1).gather(-1, actions)
                w = self.weight(a, b, keep)
                return -(w / w.sum() * a).sum()
        """,
        ((8, MESSAGE.format("total.exp()")),),
    ),
    Invalid(
        "weights over their own sum, of a product of steps, and in a recursion",
        """
        import torch

        def estimate(policy, acts, old_logp, values):
            share = (policy.log_prob(acts) - old_logp).exp()
            return (share * values).sum() / share.sum().clamp(min=1e-8)

        def per_decision(new_logp, old_logp, values):
            rho = torch.exp(new_logp - old_logp)
            return (rho.cumprod(0) * values).sum()

        def trace(new_logp, old_logp, values):
            c = torch.exp(new_logp - old_logp)
            acc = torch.zeros(())
            for t in range(len(values)):
                acc = values[t] + 0.9 * c[t] * acc
            return acc
        """,
        (
            (4, MESSAGE.format("(policy.log_prob(acts) - old_logp).exp()")),
            (8, MESSAGE.format("torch.exp(new_logp - old_logp)")),
            (12, MESSAGE.format("torch.exp(new_logp - old_logp)")),
        ),
    ),
    Invalid(
        "the estimator of a divergence",
        """
        import torch
        def penalty(reference_logps, policy_logps):
            gap = reference_logps - policy_logps
            return (gap.exp() - gap - 1).mean()
        """,
        ((4, MESSAGE.format("gap.exp()")),),
    ),
    Invalid(
        "also where the result is clamped",
        """
        import torch
        def penalty(a_logprob, b_logprob):
            value = torch.exp(a_logprob - b_logprob) - (a_logprob - b_logprob) - 1
            return torch.clamp(value, -10, 10)
        """,
        ((3, MESSAGE.format("torch.exp(a_logprob - b_logprob)")),),
    ),
    Invalid(
        "an importance weight by data flow",
        """
        import torch
        def update(policy, behaviour, actions, returns):
            new = policy.log_prob(actions)
            old = torch.log_softmax(behaviour, dim=-1).gather(1, actions)
            drift = -(old - new)
            weight = drift.sum(-1).exp()
            return -(weight * returns).mean() + torch.exp(new - old).mean()
        """,
        (
            (6, MESSAGE.format("drift.sum(-1).exp()")),
            (7, MESSAGE.format("torch.exp(new - old)")),
        ),
    ),
    Invalid(
        "a helper that receives the log-ratio",
        """
        import torch
        def k3(log_ratio):
            return torch.expm1(-log_ratio) + log_ratio
        """,
        ((3, MESSAGE.format("torch.expm1(-log_ratio)")),),
    ),
)
