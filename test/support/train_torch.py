"""Trains a student in PyTorch from given weights on given batches: `curve` prints the loss of each step, `time` seconds a step;
`export` writes it as FOLDER/model.onnx instead.

train_torch.py curve|time|export FOLDER: FOLDER/job.json names the student, the optimizer, the loss and the tensors, FOLDER/data.bin has
them end to end as float32.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from torch import nn


def conv_net(channels, classes, size, width, norm):
    def block(inputs):
        normalize = nn.GroupNorm(width, width) if norm == "instance" else nn.BatchNorm2d(width)
        return [nn.Conv2d(inputs, width, 3, padding=1), normalize, nn.ReLU(inplace=True), nn.AvgPool2d(2)]

    net = nn.Sequential()
    net.features = nn.Sequential(*block(channels), *block(width), *block(width))
    net.flatten = nn.Flatten()
    net.classifier = nn.Linear(width * (size // 8) ** 2, classes)
    return net


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class ResNet(nn.Module):
    def __init__(self, channels, classes, widths):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        inputs = widths[0]
        for i, width in enumerate(widths):
            blocks = nn.Sequential(Block(inputs, width, 1 if i == 0 else 2), Block(width, width, 1))
            setattr(self, f"layer{i + 1}", blocks)
            inputs = width
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def main():
    mode, folder = sys.argv[1], Path(sys.argv[2])
    job = json.loads((folder / "job.json").read_text())
    torch.set_num_threads(job["threads"])
    data = numpy.fromfile(folder / "data.bin", dtype=numpy.float32)
    tensors = {}
    at = 0
    for name, shape in job["tensors"]:
        count = int(numpy.prod(shape))
        tensors[name] = torch.from_numpy(data[at : at + count].reshape(shape).copy())
        at += count

    student = job["student"]
    if student["kind"] == "convnet":
        net = conv_net(student["channels"], student["classes"], student["size"], student["width"], student["norm"])
    else:
        net = ResNet(student["channels"], student["classes"], student["widths"])
    missing = net.load_state_dict({name: t for name, t in tensors.items() if not name.startswith("batch")}, strict=False)
    assert not missing.unexpected_keys and all("num_batches_tracked" in name for name in missing.missing_keys), missing
    net.train()

    weights_only = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() <= 1]
    groups = [{"params": weights_only}, {"params": others, "weight_decay": 0}]
    if job["optimizer"] == "sgd":
        optimizer = torch.optim.SGD(groups, lr=job["rate"], momentum=0.9, weight_decay=job["weightDecay"])
    else:
        optimizer = torch.optim.AdamW(groups, lr=job["rate"], weight_decay=job["weightDecay"])

    def step(images, targets, weights):
        logits = net(images)
        if job["temperature"] is None:
            losses = -(targets * F.log_softmax(logits, 1)).sum(1)
        else:
            p = F.log_softmax(targets / job["temperature"], 1)
            q = F.log_softmax(logits / job["temperature"], 1)
            losses = F.kl_div(q, p, reduction="none", log_target=True).sum(1)
        loss = (weights * losses).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss

    def batch(i):
        return [tensors[f"batch{i}.{part}"] for part in ("images", "targets", "weights")]

    if mode == "export":
        torch.onnx.export(
            net,
            batch(0)[0],
            str(folder / "model.onnx"),
            opset_version=17,
            training=torch.onnx.TrainingMode.TRAINING,
            do_constant_folding=False,
            input_names=["images"],
            dynamic_axes={"images": {0: "n"}},
        )
        told = {}
    elif mode == "curve":
        told = {"losses": [step(*batch(i)).item() for i in range(job["batches"])]}
        told["running"] = {name: t.tolist() for name, t in net.state_dict().items() if "running" in name}
    else:
        told = {"torch": torch.__version__, "seconds": {}}
        for layout in (torch.contiguous_format, torch.channels_last):
            net = net.to(memory_format=layout)
            images, targets, weights = batch(0)
            images = images.to(memory_format=layout)
            times = []
            for turn in range(job["turns"] + 1):
                begin = time.perf_counter()
                step(images, targets, weights)
                times.append(time.perf_counter() - begin)
            told["seconds"]["eager" if layout is torch.contiguous_format else "channels_last"] = statistics.median(times[1:])
    print(json.dumps(told))


main()
