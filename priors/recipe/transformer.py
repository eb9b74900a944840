"""The class-conditional denoiser of a prior: a small diffusion transformer over 4x8x8 latents, and its training.

It predicts v and knows a null class (id = number of classes) for classifier-free guidance.
python transformer.py --images images.npz --settings settings.json --out folder   (the folder holds vae.pt)
"""

import argparse
import math
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F

from diffusion import TRAIN_TIMESTEPS, add_noise, alphas_cumprod
from layers import attend
from training import batch_indices, load_average, read_images, read_settings, train
from vae import Autoencoder, encode

CHANNELS, SIZE = 4, 8
OUTER = ("patches", "position", "classes", "out", "time")


class Block(nn.Module):
    """Attention and a two-layer network, each scaled, shifted and gated by the condition (adaLN-zero)."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.expand = nn.Linear(width, 4 * width)
        self.reduce = nn.Linear(4 * width, width)
        self.table = nn.Parameter(torch.zeros(6, width))

    def forward(self, x, condition):
        """x (n, tokens, width), condition (n, 6, width): the part that all blocks share."""
        shift1, scale1, gate1, shift2, scale2, gate2 = (condition + self.table).unsqueeze(2).unbind(1)
        q, k, v = self.qkv(normalize(x) * (1 + scale1) + shift1).chunk(3, dim=2)
        x = x + gate1 * self.mix(attend(q, k, v, self.heads))
        inner = self.expand(normalize(x) * (1 + scale2) + shift2)
        return x + gate2 * self.reduce(F.gelu(inner, approximate="tanh"))


class Transformer(nn.Module):
    def __init__(self, settings, classes):
        super().__init__()
        width, self.patch = settings["width"], settings["patch"]
        self.width, self.tokens = width, (SIZE // self.patch) ** 2
        self.patches = nn.Conv2d(CHANNELS, width, self.patch, stride=self.patch)
        self.position = nn.Parameter(0.02 * torch.randn(1, self.tokens, width))
        self.classes = nn.Embedding(classes + 1, width)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.modulation = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(Block(width, settings["heads"]) for _ in range(settings["depth"]))
        self.out_modulation = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, CHANNELS * self.patch**2)
        for layer in (self.modulation, self.out_modulation, self.out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, hidden_states, timestep, class_labels):
        """(n, 4, 8, 8), (n,) int64, (n,) int64 -> v (n, 4, 8, 8)."""
        x = self.patches(hidden_states).flatten(2).transpose(1, 2) + self.position
        condition = F.silu(self.time(waves(timestep, self.width)) + self.classes(class_labels))
        shared = self.modulation(condition).reshape(-1, 6, self.width)
        for block in self.blocks:
            x = block(x, shared)
        shift, scale = self.out_modulation(condition).unsqueeze(1).chunk(2, dim=2)
        x = self.out(normalize(x) * (1 + scale) + shift)
        side = SIZE // self.patch
        return F.pixel_shuffle(x.transpose(1, 2).reshape(-1, CHANNELS * self.patch**2, side, side), self.patch)


def normalize(x):
    return F.layer_norm(x, (int(x.shape[-1]),))


def waves(timestep, width):
    """Sines and cosines of the timestep at falling frequencies, (n,) -> (n, width)."""
    half = width // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32) / half)
    angles = timestep.float().unsqueeze(1) * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def scaling(latents):
    """(scaling_factor, shift_factor) that give the latents zero mean and unit variance overall."""
    return 1 / latents.std().item(), latents.mean().item()


def loss_function(latents, labels, null_class, settings):
    """Mean squared error of v at uniform timesteps; a tenth of the labels is replaced by the null class."""
    levels = alphas_cumprod()

    def loss_of_step(model, step):
        chosen = batch_indices(len(latents), settings["batch"], step, settings["seed"])
        z, label = latents[chosen], labels[chosen]
        label = torch.where(torch.rand(len(z)) < settings["label_dropout"], null_class, label)
        t = torch.randint(TRAIN_TIMESTEPS, (len(z),))
        x, target = add_noise(z, torch.randn_like(z), t, levels)
        return F.mse_loss(model(x, t, label).float(), target)
    return loss_of_step


@torch.no_grad()
def held_out_loss(model, latents, labels):
    """The same loss at fixed noise and evenly spread timesteps."""
    t = torch.arange(len(latents)) * 997 % TRAIN_TIMESTEPS
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    x, target = add_noise(latents, noise, t, alphas_cumprod())
    return F.mse_loss(model(x, t, labels), target).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args()
    settings = read_settings(args.settings, "transformer", args.smoke)
    data = read_images(args.images, args.smoke)
    autoencoder = load_average(args.out / "vae.pt", Autoencoder(read_settings(args.settings, "vae", args.smoke)))
    raw, held_out = encode(autoencoder, data["train_images"]), encode(autoencoder, data["test_images"])
    factor, shift = scaling(raw)
    labels, held_out_labels = torch.from_numpy(data["train_labels"]), torch.from_numpy(data["test_labels"])
    classes = len(data["classes"])
    torch.manual_seed(settings["seed"])
    model = Transformer(settings, classes)
    report = lambda m: f"held-out loss {held_out_loss(m, (held_out - shift) * factor, held_out_labels):.4f}"
    loss = loss_function((raw - shift) * factor, labels, classes, settings)
    train(model, OUTER, loss, settings, args.out / "transformer.pt", report)


if __name__ == "__main__":
    main()
