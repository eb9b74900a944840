"""The teacher of a prior: a small convolutional classifier that labels synthetic images softly, and its training.

It also sees decoded latents, since those are what it will label.
python teacher.py --images images.npz --settings settings.json --out folder   (the folder holds vae.pt)
"""

import argparse
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F

from training import batch_indices, load_average, read_images, read_settings, to_unit_range, train
from vae import Autoencoder, encode

MEAN, STD = 0.5, 0.5
OUTER = ("layers.0.", "out")


class Teacher(nn.Module):
    """Normalised pixels (n, 3, 32, 32) -> logits (n, classes)."""

    def __init__(self, settings, classes):
        super().__init__()
        layers, previous = [], 3
        for width in settings["widths"]:
            layers += [nn.Conv2d(previous, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
            previous = width
        self.layers = nn.Sequential(*layers)
        self.out = nn.Linear(previous, classes)

    def forward(self, x):
        return self.out(self.layers(x).mean(dim=(2, 3)))


def loss_function(images, decoded, labels, settings):
    """Cross-entropy on images shifted by up to two pixels, half of them decoded from their latents."""
    def loss_of_step(model, step):
        chosen = batch_indices(len(images), settings["batch"], step, settings["seed"])
        originals = to_unit_range(images[chosen])
        x = torch.where(torch.rand(len(chosen), 1, 1, 1) < 0.5, originals, decoded[chosen])
        dy, dx = torch.randint(5, (2,)).tolist()
        x = F.pad(x, (2, 2, 2, 2), mode="replicate")[:, :, dy:dy + 32, dx:dx + 32]
        return F.cross_entropy(model(x).float(), labels[chosen], label_smoothing=settings["label_smoothing"])
    return loss_of_step


@torch.no_grad()
def predict(model, x, batch=500):
    """Logits of normalised pixels (n, 3, 32, 32)."""
    return torch.cat([model(part) for part in x.split(batch)])


@torch.no_grad()
def decode_all(autoencoder, latents, batch=250):
    return torch.cat([autoencoder.decoder(part).clamp(-1, 1) for part in latents.split(batch)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args()
    settings = read_settings(args.settings, "teacher", args.smoke)
    data = read_images(args.images, args.smoke)
    autoencoder = load_average(args.out / "vae.pt", Autoencoder(read_settings(args.settings, "vae", args.smoke)))
    images, labels = data["train_images"], torch.from_numpy(data["train_labels"])
    decoded = decode_all(autoencoder, encode(autoencoder, images))
    test, test_labels = to_unit_range(data["test_images"]), torch.from_numpy(data["test_labels"])
    torch.manual_seed(settings["seed"])
    model = Teacher(settings, len(data["classes"]))
    accuracy = lambda m: (predict(m, test).argmax(1) == test_labels).float().mean().item()
    report = lambda m: f"held-out accuracy {accuracy(m):.4f}"
    train(model, OUTER, loss_function(images, decoded, labels, settings), settings, args.out / "teacher.pt", report)


if __name__ == "__main__":
    main()
