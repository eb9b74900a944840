"""Building blocks that the networks of a prior share."""

import math

import torch.nn as nn
import torch.nn.functional as F


class ResidualBlock(nn.Module):
    """x + conv(act(conv(act(x)))), (n, c, h, w) -> (n, c, h, w).

    No normalisation: an autoencoder that is judged by its squared error has to carry each image's own level and
    contrast through to the end. The second convolution starts at zero, so that a deep stack starts as the identity.
    """

    def __init__(self, width):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x):
        return x + self.second(F.silu(self.first(F.silu(x))))


class AttentionBlock(nn.Module):
    """Self-attention over all positions with a residual, (n, c, h, w) -> (n, c, h, w)."""

    def __init__(self, width, heads=4):
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.heads = heads
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x):
        c, h, w = (int(size) for size in x.shape[1:])
        tokens = self.qkv(self.norm(x)).reshape(-1, 3 * c, h * w).transpose(1, 2)
        mixed = attend(*tokens.chunk(3, dim=2), self.heads)
        return x + self.out(mixed.transpose(1, 2).reshape(-1, c, h, w))


def attend(q, k, v, heads):
    """softmax(q k^T / sqrt(d)) v in each head; q, k, v and result (n, tokens, width)."""
    tokens, width = int(q.shape[1]), int(q.shape[2])
    d = width // heads
    q, k, v = (x.reshape(-1, tokens, heads, d).transpose(1, 2) for x in (q, k, v))
    scores = (q / math.sqrt(d)) @ k.transpose(2, 3)
    return (scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(-1, tokens, width)
