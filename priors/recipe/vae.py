"""The variational autoencoder of a prior: 3x32x32 pixels in [-1, 1] <-> 4x8x8 latents, and its training.

Judged by held-out PSNR, so the loss is the mean squared error plus a light KL term that keeps the latents near unit
variance. python vae.py --images images.npz --settings settings.json --out folder
"""

import argparse
import math
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F

from layers import AttentionBlock, ResidualBlock
from training import batch_indices, read_images, read_settings, to_unit_range, train

LATENT_CHANNELS = 4
OUTER = ("encoder.stem", "encoder.head", "decoder.stem", "decoder.head")


class Encoder(nn.Module):
    """(n, 3, 32, 32) -> (n, 8, 8, 8): mean, then log variance, of each latent."""

    def __init__(self, widths, blocks):
        super().__init__()
        wide, deep = widths
        self.stem = nn.Conv2d(3, wide, 4, stride=2, padding=1)
        self.high = nn.Sequential(*[ResidualBlock(wide) for _ in range(blocks[0])])
        self.down = nn.Conv2d(wide, deep, 4, stride=2, padding=1)
        self.low = stack(deep, blocks[1])
        self.head = nn.Conv2d(deep, 2 * LATENT_CHANNELS, 3, padding=1)

    def forward(self, x):
        return self.head(F.silu(self.low(self.down(F.silu(self.high(self.stem(x)))))))


class Decoder(nn.Module):
    """(n, 4, 8, 8) -> (n, 3, 32, 32)."""

    def __init__(self, widths, blocks):
        super().__init__()
        wide, deep = widths
        self.stem = nn.Conv2d(LATENT_CHANNELS, deep, 3, padding=1)
        self.low = stack(deep, blocks[1])
        self.up = nn.Conv2d(deep, 4 * wide, 3, padding=1)
        self.high = nn.Sequential(*[ResidualBlock(wide) for _ in range(blocks[0])])
        self.head = nn.Conv2d(wide, 3 * 4, 3, padding=1)

    def forward(self, z):
        x = F.pixel_shuffle(self.up(F.silu(self.low(self.stem(z)))), 2)
        return F.pixel_shuffle(self.head(F.silu(self.high(x))), 2)


class Autoencoder(nn.Module):
    def __init__(self, settings):
        super().__init__()
        self.encoder = Encoder(settings["encoder_widths"], settings["encoder_blocks"])
        self.decoder = Decoder(settings["decoder_widths"], settings["decoder_blocks"])

    def forward(self, x):
        mean, logvar = self.encoder(x).float().chunk(2, dim=1)
        logvar = logvar.clamp(-20, 5)
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        return self.decoder(z).float(), mean, logvar


def stack(width, blocks):
    """Residual blocks with attention after the first."""
    layers = [ResidualBlock(width) for _ in range(blocks)]
    layers.insert(1, AttentionBlock(width))
    return nn.Sequential(*layers)


def loss_function(images, settings):
    """Mean squared error + kl_weight * KL to a standard normal (both means over their dimensions)."""
    def loss_of_step(model, step):
        chosen = images[batch_indices(len(images), settings["batch"], step, settings["seed"])]
        x = to_unit_range(chosen).to(memory_format=torch.channels_last)
        if settings["mirror"]:
            x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)
        decoded, mean, logvar = model(x)
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        return F.mse_loss(decoded, x) + settings["kl_weight"] * kl
    return loss_of_step


@torch.no_grad()
def encode(model, images, batch=250):
    """Posterior means (n, 4, 8, 8) of images (n, 32, 32, 3) uint8."""
    parts = (to_unit_range(images[i:i + batch]) for i in range(0, len(images), batch))
    return torch.cat([model.encoder(part)[:, :LATENT_CHANNELS] for part in parts])


@torch.no_grad()
def psnr(model, images, batch=250):
    """10 log10(1 / mse) in dB, mse over all pixels of all images at once, in [0, 1], decoded values clipped."""
    total = 0.0
    for i in range(0, len(images), batch):
        x = to_unit_range(images[i:i + batch])
        decoded = model.decoder(model.encoder(x)[:, :LATENT_CHANNELS]).clamp(-1, 1)
        total += ((decoded - x) / 2).square().sum().item()
    return 10 * math.log10(images.size / total)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args()
    settings = read_settings(args.settings, "vae", args.smoke)
    data = read_images(args.images, args.smoke)
    train_images, test_images = data["train_images"], data["test_images"]
    torch.manual_seed(settings["seed"])
    model = Autoencoder(settings).to(memory_format=torch.channels_last)
    probe = test_images[:: max(1, len(test_images) // 1000)]
    report = lambda m: f"held-out PSNR {psnr(m, probe):.2f} dB on {len(probe)} images"
    train(model, OUTER, loss_function(train_images, settings), settings, args.out / "vae.pt", report)


if __name__ == "__main__":
    main()
