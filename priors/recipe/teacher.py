"""The teachers of a prior: classifiers that label synthetic images softly, and their training.

They may also see decoded latents, since those are what they will label.
python teacher.py --images images.npz --settings settings.json --out folder [--name teacher]   (the folder holds vae.pt)
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F

from networks import NETWORKS
from training import batch_indices, load_average, read_images, read_settings, to_unit_range, train
from vae import Autoencoder, encode

MEAN, STD = 0.5, 0.5
SHIFT = 2
"""Pixels that an image moves at most."""


def make_teacher(settings, classes, images=None):
    return NETWORKS[settings["network"]](settings, classes, images)


def loss_function(images, decoded, labels, settings):
    """Cross-entropy on shifted images, a part of them decoded from their latents."""
    def loss_of_step(model, step):
        chosen = batch_indices(len(images), settings["batch"], step, settings["seed"])
        x = to_unit_range(images[chosen])
        if decoded is not None:
            x = torch.where(torch.rand(len(chosen), 1, 1, 1) < settings["decoded_share"], decoded[chosen], x)
        x = shifted(x) if settings["mirror"] else shifted_together(x)
        if settings["mirror"]:
            # Every other pass over the data is the mirror image of the one before.
            flip = (torch.from_numpy(chosen) + step * settings["batch"] // len(images)) % 2 == 1
            x = torch.where(flip.view(-1, 1, 1, 1), x.flip(3), x)
        x = x.contiguous(memory_format=torch.channels_last)
        return F.cross_entropy(model(x).float(), labels[chosen], label_smoothing=settings["label_smoothing"])
    return loss_of_step


def shifted_together(x):
    """The whole batch by one random shift; edges repeat."""
    dy, dx = torch.randint(2 * SHIFT + 1, (2,)).tolist()
    return F.pad(x, (SHIFT,) * 4, mode="replicate")[:, :, dy:dy + 32, dx:dx + 32]


def shifted(x):
    """Each image by a random shift of its own; what comes in at the edges is mirrored."""
    padded = F.pad(x, (SHIFT,) * 4, mode="reflect")
    by = torch.randint(2 * SHIFT + 1, (len(x), 2))
    out = torch.empty_like(x)
    for dy in range(2 * SHIFT + 1):
        for dx in range(2 * SHIFT + 1):
            here = (by[:, 0] == dy) & (by[:, 1] == dx)
            out[here] = padded[here][:, :, dy:dy + 32, dx:dx + 32]
    return out


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
    parser.add_argument("--name", default="teacher", help="which section of the settings")
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args()
    settings = read_settings(args.settings, args.name, args.smoke)
    data = read_images(args.images, args.smoke)
    images, labels = data["train_images"], torch.from_numpy(data["train_labels"])
    decoded = None
    if settings["decoded_share"] > 0:
        autoencoder = load_average(args.out / "vae.pt", Autoencoder(read_settings(args.settings, "vae", args.smoke)))
        decoded = decode_all(autoencoder, encode(autoencoder, images))
    test, test_labels = to_unit_range(data["test_images"]), torch.from_numpy(data["test_labels"])
    torch.manual_seed(settings["seed"])
    model = make_teacher(settings, len(data["classes"]), to_unit_range(images[:5000]))
    accuracy = lambda m: (predict(m, test).argmax(1) == test_labels).float().mean().item()
    report = lambda m: f"held-out accuracy {accuracy(m):.4f}"
    loss = loss_function(images, decoded, labels, settings)
    train(model, model.outer, loss, settings, args.out / f"{args.name}.pt", report)


if __name__ == "__main__":
    main()
