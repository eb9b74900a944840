"""The classifiers that a prior's teachers are made of: normalised pixels (n, 3, 32, 32) -> logits (n, classes)."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class SmallConvNet(nn.Module):
    """Three convolutions for letters: each halves the picture, the mean over what is left is classified."""

    outer = ("layers.0.", "out")

    def __init__(self, settings, classes, images=None):
        super().__init__()
        layers, previous = [], 3
        for width in settings["widths"]:
            layers += [nn.Conv2d(previous, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
            previous = width
        self.layers = nn.Sequential(*layers)
        self.out = nn.Linear(previous, classes)

    def forward(self, x):
        return self.out(self.layers(x).mean(dim=(2, 3)))


class ConvNet(nn.Module):
    """The ConvNet-3 of the dataset distillation literature, with batch norm: what a student of that column is, its teacher is."""

    outer = ("layers.0.", "out")

    def __init__(self, settings, classes, images=None):
        super().__init__()
        layers, previous = [], 3
        for width in settings["widths"]:
            layers += [nn.Conv2d(previous, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.AvgPool2d(2)]
            previous = width
        self.layers = nn.Sequential(*layers)
        self.out = nn.Linear(previous * (32 >> len(settings["widths"])) ** 2, classes)

    def forward(self, x):
        return self.out(self.layers(x).flatten(1))


class WhitenedNet(nn.Module):
    """A network that a few passes over CIFAR-10 suffice for.

    Patches of 2x2 pixels are whitened by a layer that is not trained; three groups of two convolutions with batch norm follow.
    After K. Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, sections 3.1 and 3.2.
    """

    outer = ("whiten", "out")

    def __init__(self, settings, classes, images=None):
        """images (n, 3, 32, 32) float32: what the whitening is learned from; None where weights are loaded."""
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad_(False)
        if images is not None:
            with torch.no_grad():
                self.whiten.weight.copy_(whitening(images))
        layers, previous = [], 24
        for width in settings["widths"]:
            layers.append(Group(previous, width))
            previous = width
        self.layers = nn.Sequential(*layers)
        self.out = nn.Linear(previous, classes, bias=False)

    def forward(self, x):
        x = self.layers(F.gelu(self.whiten(x)))
        return self.out(F.max_pool2d(x, 3).flatten(1)) / 9


class Group(nn.Module):
    """(n, c, h, w) -> (n, width, h // 2, w // 2)."""

    def __init__(self, previous, width):
        super().__init__()
        self.first = nn.Conv2d(previous, width, 3, padding=1, bias=False)
        self.first_norm = ShiftOnlyNorm(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = ShiftOnlyNorm(width)
        for layer in (self.first, self.second):
            # The first filters copy their inputs: information flows from the start.
            nn.init.dirac_(layer.weight[:layer.in_channels].data)

    def forward(self, x):
        x = F.gelu(self.first_norm(F.max_pool2d(self.first(x), 2)))
        return F.gelu(self.second_norm(self.second(x)))


class ShiftOnlyNorm(nn.BatchNorm2d):
    """Batch norm whose scale is not trained: the next layer has one."""

    def __init__(self, width):
        super().__init__(width, momentum=0.4, eps=1e-12)
        self.weight.requires_grad_(False)


def whitening(images, eps=5e-4):
    """The filters (24, 3, 2, 2) that whiten patches of 2x2 pixels, each in both signs."""
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
    values, vectors = torch.linalg.eigh((patches.T @ patches) / len(patches))
    filters = (vectors / (values + eps).sqrt()).T.flip(0).reshape(12, 3, 2, 2)
    return torch.cat([filters, -filters])


NETWORKS = {"small": SmallConvNet, "convnet": ConvNet, "whitened": WhitenedNet}
