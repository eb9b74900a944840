"""CIFAR-10 as two tars of class folders -> one .npz of pixel arrays (the recipe's input, never committed)."""

import argparse
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image


def read_tar(path):
    """Images of a tar of class folders, in the order of their names.

    Returns images (n, 32, 32, 3) uint8, labels (n,) int64 and the class names, sorted.
    """
    with tarfile.open(path) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}
    names = sorted(name for name in files if name.lower().endswith((".jpg", ".jpeg", ".png")))
    classes = sorted({Path(name).parent.name for name in names})
    images = np.stack([np.asarray(Image.open(io.BytesIO(files[name])).convert("RGB")) for name in names])
    labels = np.array([classes.index(Path(name).parent.name) for name in names], dtype=np.int64)
    return images, labels, classes


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.tar.gz and test.tar.gz")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    train_images, train_labels, classes = read_tar(args.data / "train.tar.gz")
    test_images, test_labels, test_classes = read_tar(args.data / "test.tar.gz")
    if classes != test_classes:
        raise SystemExit(f"expected the same classes in both tars, got {classes} and {test_classes}")
    np.savez(args.out, train_images=train_images, train_labels=train_labels, test_images=test_images,
             test_labels=test_labels, classes=np.array(classes))
    print(f"{len(train_images)} training and {len(test_images)} test images of {len(classes)} classes")


if __name__ == "__main__":
    main()
