"""Measures a bundle as it is shipped, through ONNX Runtime, and draws its sample sheet.

python measure.py --images images.npz --bundle folder [--sheet samples.png]   -> measured.json in the bundle
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image

from diffusion import sample
from training import read_images, to_unit_range

COMPONENTS = 256
SHOWN = (3.0, 50)
"""Guidance and steps of the sample sheet."""
SAMPLED = ((1.0, 50), (2.0, 50), (3.0, 25), SHOWN, (4.0, 50))
PER_CLASS = 50


class Graph:
    """One ONNX graph on two threads, run in batches; arrays in, one array out."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        self.session = onnxruntime.InferenceSession(str(path), options)
        self.names = [i.name for i in self.session.get_inputs()]

    def __call__(self, *arrays, batch=64):
        parts = [self.session.run(None, {name: a[i:i + batch] for name, a in zip(self.names, arrays)})[0]
                 for i in range(0, len(arrays[0]), batch)]
        return np.concatenate(parts)


def unit_range(images):
    """(n, h, w, 3) uint8 -> (n, 3, h, w) float32 in [-1, 1], as an array."""
    return to_unit_range(images).numpy()


def psnr(originals, decoded):
    """10 log10(1 / mse) in dB, mse over all pixels of all images, in [0, 1]."""
    return round(10 * math.log10(1 / np.mean(((originals - decoded) / 2) ** 2, dtype=np.float64)), 2)


def psnr_per_image(originals, decoded):
    """The other convention: the mean of each image's own PSNR in dB, always a little higher."""
    errors = np.mean(((originals - decoded) / 2) ** 2, axis=(1, 2, 3), dtype=np.float64)
    return round(float(np.mean(10 * np.log10(1 / errors))), 2)


def principal_components(train, test):
    """`test` projected on the first components of `train`, clipped like decoded images."""
    flat = train.reshape(len(train), -1)
    mean = flat.mean(0)
    centred = flat - mean
    _, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(flat))
    basis = vectors[:, -COMPONENTS:].astype(np.float32)
    centred = test.reshape(len(test), -1) - mean
    projected = (centred @ basis) @ basis.T + mean
    return projected.clip(-1, 1).reshape(test.shape)


def per_second(graph, *arrays):
    """Rows per second, best of three after a warm-up."""
    graph(*arrays)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        graph(*arrays)
        times.append(time.perf_counter() - began)
    return round(len(arrays[0]) / min(times))


def by_channel(values):
    return [round(float(value), 3) for value in values]


def measure_autoencoder(bundle, data):
    train, test = unit_range(data["train_images"]), unit_range(data["test_images"])
    encoder, decoder = Graph(bundle / "vae_encoder/model.onnx"), Graph(bundle / "vae_decoder/model.onnx")
    config = json.loads((bundle / "vae_encoder/config.json").read_text())
    moments = encoder(test)
    mean, logvar = np.split(moments, 2, axis=1)
    decoded = decoder(mean).clip(-1, 1)
    sampled = decoder(mean + np.exp(logvar / 2) * np.random.default_rng(0).standard_normal(mean.shape, np.float32))
    projected = principal_components(train, test)
    scaled = (mean - config["shift_factor"]) * config["scaling_factor"]
    return {
        "test images": len(test),
        "psnr of the mean": psnr(test, decoded),
        "psnr of a posterior sample": psnr(test, sampled.clip(-1, 1)),
        "psnr of 256 principal components": psnr(test, projected),
        "psnr per image of the mean": psnr_per_image(test, decoded),
        "psnr per image of 256 principal components": psnr_per_image(test, projected),
        "mean of scaled latents by channel": by_channel(scaled.mean((0, 2, 3))),
        "deviation of scaled latents by channel": by_channel(scaled.std((0, 2, 3))),
        "posterior deviation, scaled": round(float(np.exp(logvar / 2).mean() * config["scaling_factor"]), 4),
        "images encoded per second": per_second(encoder, test[:1000]),
        "latents decoded per second": per_second(decoder, mean[:1000]),
    }


def measure_teacher(bundle, folder, data):
    teacher = Graph(folder / "model.onnx")
    test = unit_range(data["test_images"])
    right = teacher(test).argmax(1) == data["test_labels"]
    encoder, decoder = Graph(bundle / "vae_encoder/model.onnx"), Graph(bundle / "vae_decoder/model.onnx")
    decoded = decoder(np.split(encoder(test), 2, axis=1)[0]).clip(-1, 1)
    accuracy = {"test accuracy": round(float(right.mean()), 4),
                "of the same images, decoded": round(float((teacher(decoded).argmax(1) == data["test_labels"]).mean()), 4)}
    if "test_unseen_face" in data:
        unseen = data["test_unseen_face"]
        accuracy["test accuracy, seen typefaces"] = round(float(right[~unseen].mean()), 4)
        accuracy["test accuracy, unseen typefaces"] = round(float(right[unseen].mean()), 4)
    return accuracy


def draw_samples(bundle, classes, guidance, steps, per_class):
    """Decoded samples (per_class * classes, 3, 32, 32), classes in turn."""
    graph, decoder = Graph(bundle / "transformer/model.onnx"), Graph(bundle / "vae_decoder/model.onnx")
    config = json.loads((bundle / "vae_decoder/config.json").read_text())
    labels = torch.arange(classes).repeat(per_class)
    denoiser = lambda x, t, y: torch.from_numpy(graph(x.numpy(), t.numpy(), y.numpy()))
    latents = sample(denoiser, labels, classes, guidance, steps, torch.Generator().manual_seed(0)).numpy()
    return decoder(latents / config["scaling_factor"] + config["shift_factor"]).clip(-1, 1), labels.numpy()


def measure_denoiser(bundle, classes, sheet, smoke):
    """How often the teacher sees the class that a sample was asked for."""
    teacher = Graph(bundle / "teacher/model.onnx")
    agreement = {}
    for guidance, steps in [SHOWN] if smoke else SAMPLED:
        images, labels = draw_samples(bundle, classes, guidance, steps, 10 if smoke else PER_CLASS)
        agreement[f"guidance {guidance:g}, {steps} steps"] = float((teacher(images).argmax(1) == labels).mean())
        if sheet and (guidance, steps) == SHOWN:
            draw_sheet(images, classes, sheet)
    x = np.zeros((64, 4, 8, 8), np.float32)
    t = np.zeros(64, np.int64)
    speed = per_second(Graph(bundle / "transformer/model.onnx"), x, t, t)
    return {"teacher agrees with the class asked for": agreement, "denoiser evaluations per second": speed}


def draw_sheet(images, classes, path, rows=10, gap=2, zoom=2):
    """A column for each class; nothing is picked: these are the first samples of the seed."""
    pixels = ((images[:rows * classes] + 1) * 127.5).round().astype(np.uint8).transpose(0, 2, 3, 1)
    padded = np.pad(pixels, ((0, 0), (0, gap), (0, gap), (0, 0)), constant_values=255)
    grid = padded.reshape(rows, classes, *padded.shape[1:]).swapaxes(1, 2).reshape(rows * (32 + gap), -1, 3)
    sheet = Image.fromarray(np.pad(grid, ((gap, 0), (gap, 0), (0, 0)), constant_values=255))
    sheet.resize((sheet.width * zoom, sheet.height * zoom), Image.NEAREST).save(path, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--smoke", action="store_true", help="fewer images and samples")
    args = parser.parse_args()
    data = read_images(args.images, args.smoke)
    figures = {"autoencoder": measure_autoencoder(args.bundle, data)}
    for folder in sorted(args.bundle.glob("teacher*")):
        figures[folder.name] = measure_teacher(args.bundle, folder, data)
    if (args.bundle / "transformer").exists():
        figures["denoiser"] = measure_denoiser(args.bundle, len(data["classes"]), args.sheet, args.smoke)
    text = json.dumps(figures, indent=2)
    (args.bundle / "measured.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
