"""Optimisation shared by the three trainings: Muon, the learning rate over time, averaged weights."""

import copy

import torch


def orthogonalize(matrix):
    """The nearest semi-orthogonal matrix, roughly: five Newton-Schulz steps in bfloat16; (m, n) -> (m, n)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = (matrix / (matrix.norm() + 1e-7)).bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum whose step is orthogonalized, for the inner weights; kernels count as (out, in * k * k) matrices.

    normalized: weights whose scale has no effect, since a norm follows, keep that of a matrix of unit rows: then `lr` is
    the share of them that a step changes.
    """

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.0, normalized=False):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay,
                                  "normalized": normalized})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if group["normalized"]:
                    p.mul_(len(p) ** 0.5 / p.norm())
                buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                direction = p.grad.lerp(buffer, group["momentum"]).reshape(len(p), -1)
                update = orthogonalize(direction) * max(1, direction.shape[0] / direction.shape[1]) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update.reshape(p.shape), alpha=-group["lr"])


def make_optimizers(model, outer, settings):
    """Muon for the inner matrices and kernels, AdamW for the rest and for modules whose names are in `outer`."""
    inner, rest = [], []
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        is_inner = p.ndim >= 2 and not any(name.startswith(o) for o in outer)
        (inner if is_inner else rest).append(p)
    decay = settings.get("weight_decay", 0.0)
    optimizers = [
        Muon(inner, lr=settings["muon_lr"], momentum=settings.get("momentum", 0.95), weight_decay=decay,
             normalized=settings.get("normalized", False)),
        torch.optim.AdamW(rest, lr=settings["adam_lr"], betas=(0.9, 0.98), weight_decay=0.0),
    ]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["base_lr"] = group["lr"]
    return optimizers


def learning_rate_factor(step, settings):
    """Linear warm-up, a plateau, and a linear fall to zero over the last `decay_steps`."""
    rise = (step + 1) / settings["warmup_steps"]
    fall = (settings["steps"] - step) / settings["decay_steps"]
    return max(0.0, min(1.0, rise, fall))


class Average:
    """Exponential moving average of a model's weights; its horizon grows with the steps taken up to `decay`."""

    def __init__(self, model, decay=0.999):
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model, step):
        decay = min(self.decay, (1 + step) / (10 + step))
        for mine, theirs in zip(self.model.state_dict().values(), model.state_dict().values()):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)
