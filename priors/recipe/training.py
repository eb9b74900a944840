"""The training loop that the three networks share: counted batches, checkpoints, averaged weights."""

import json
import os
import time
from pathlib import Path

import numpy as np
import torch

from optim import Average, learning_rate_factor, make_optimizers

SMOKE = {"steps": 12, "decay_steps": 6, "warmup_steps": 4, "checkpoint_every": 6}


def read_settings(path, network, smoke):
    """The settings of one network; a smoke run takes a dozen steps of the same network."""
    settings = json.loads(Path(path).read_text())[network]
    return {**settings, **SMOKE} if smoke else settings


def read_images(path, smoke):
    """The arrays of an .npz of images; a smoke run takes every 17th image, which keeps all classes."""
    data = dict(np.load(path))
    thin = lambda name: smoke and name.startswith(("train_", "test_"))
    return {name: value[::17] if thin(name) else value for name, value in data.items()}


def batch_indices(n, batch, step, seed):
    """Indices of batch number `step` (batch,): each epoch is a permutation that follows from seed and epoch alone."""
    per_epoch = n // batch
    epoch, position = divmod(step, per_epoch)
    order = np.random.default_rng([seed, epoch]).permutation(n)
    return order[position * batch:(position + 1) * batch]


def train(model, outer, loss_of_step, settings, checkpoint, evaluate):
    """Trains `model` and returns its averaged copy.

    loss_of_step(model, step) -> a scalar; randomness follows from the step, so that a resumed run takes the same path.
    evaluate(model) -> a line for the log.
    """
    torch.set_num_threads(int(os.environ.get("TORCH_THREADS", "2")))
    optimizers = make_optimizers(model, outer, settings)
    average = Average(model, settings.get("average_decay", 0.999))
    start = restore(checkpoint, model, average, optimizers)
    running, began = None, time.time()
    for step in range(start, settings["steps"]):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] * learning_rate_factor(step, settings)
        torch.manual_seed(settings["seed"] * 1_000_003 + step)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_of_step(model, step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.get("clip", 1.0))
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        average.update(model, step)
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        done = step + 1
        if done % 50 == 0:
            print(f"step {done} loss {running:.5f} {(done - start) / (time.time() - began):.2f} steps/s", flush=True)
        if done % settings["checkpoint_every"] == 0 or done == settings["steps"]:
            save(checkpoint, model, average, optimizers, done)
            print(f"step {done}: {evaluate(average.model)}", flush=True)
    return average.model


def save(path, model, average, optimizers, step):
    partial = Path(str(path) + ".partial")
    torch.save({"model": model.state_dict(), "average": average.model.state_dict(),
                "optimizers": [o.state_dict() for o in optimizers], "step": step}, partial)
    partial.replace(path)


def restore(path, model, average, optimizers):
    """Continues from a checkpoint where there is one; returns the number of steps already taken."""
    if not Path(path).exists():
        return 0
    saved = torch.load(path, weights_only=True)
    model.load_state_dict(saved["model"])
    average.model.load_state_dict(saved["average"])
    for optimizer, state in zip(optimizers, saved["optimizers"]):
        optimizer.load_state_dict(state)
    return saved["step"]


def load_average(path, model):
    """The averaged weights of a checkpoint, ready for inference."""
    model.load_state_dict(torch.load(path, weights_only=True)["average"])
    return model.eval().requires_grad_(False)


def to_unit_range(images):
    """Pixels (n, h, w, 3) uint8 -> (n, 3, h, w) float32 in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous()
