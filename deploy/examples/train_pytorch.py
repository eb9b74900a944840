"""Trains on a synthetic dataset with its weights and soft labels, then tests on real images of the same classes if given some:
python train_pytorch.py train.parquet [epochs] [test.parquet]"""

import sys

import torch
from datasets import Image, load_dataset
from torch.nn.functional import cross_entropy, one_hot


def load(path):  # real images may be grey or have a palette; synthetic ones are RGB
    table = load_dataset("parquet", data_files=path, split="train").cast_column("image", Image(mode="RGB")).with_format("torch")
    rows = table[:]
    return torch.stack(list(rows["image"])).float() / 127.5 - 1, rows, table.features["label"].names


torch.manual_seed(0)
images, rows, names = load(sys.argv[1])
labels, weights, soft = rows["label"], rows["weight"], rows["soft_label"]
targets = one_hot(labels).float() if soft[0] is None else torch.stack(list(soft)).float()
layers = [torch.nn.Conv2d(3, 64, 3, padding=1), torch.nn.GroupNorm(8, 64), torch.nn.ReLU(), torch.nn.AvgPool2d(2)]
layers += [torch.nn.Conv2d(64, 128, 3, padding=1), torch.nn.GroupNorm(8, 128), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(4)]
model = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(2048, targets.shape[1]))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
for epoch in range(int(sys.argv[2]) if len(sys.argv) > 2 else 30):
    for batch in torch.randperm(len(images)).split(64):
        loss = (weights[batch] * cross_entropy(model(images[batch]), targets[batch], reduction="none")).mean()
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    print(f"epoch {epoch + 1}: loss {loss.item():.4f}")
torch.save(model.state_dict(), "model.pt")
if len(sys.argv) > 3:
    images, rows, theirs = load(sys.argv[3])
    labels = torch.tensor([names.index(name) for name in theirs])[rows["label"]]  # a dataset may number its classes otherwise
    with torch.no_grad():
        found = torch.cat([model(batch).argmax(1) for batch in images.split(256)])
    print(f"accuracy {(found == labels).float().mean():.4f} of {len(images)} images")
