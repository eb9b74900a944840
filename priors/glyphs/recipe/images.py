"""The glyphs dataset's Parquet files -> one .npz of pixel arrays (the recipe's input)."""

import argparse
import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image


def read_parquet(path):
    """Returns images (n, 32, 32, 3) uint8, labels (n,), styles (n,), faces (n,) and the class names."""
    table = pq.read_table(path)
    rows = table.column("image").to_pylist()
    images = np.stack([np.asarray(Image.open(io.BytesIO(row["bytes"])).convert("RGB")) for row in rows])
    labels = table.column("label").to_numpy()
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    styles, faces = (np.array(table.column(name).to_pylist()) for name in ("style", "face"))
    return images, labels, styles, faces, features["label"]["names"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.parquet and test.parquet")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    arrays = {}
    for split in ("train", "test"):
        images, labels, styles, faces, classes = read_parquet(args.data / f"{split}.parquet")
        arrays |= {f"{split}_images": images, f"{split}_labels": labels, f"{split}_styles": styles,
                   f"{split}_faces": faces, "classes": np.array(classes)}
    arrays["test_unseen_face"] = ~np.isin(arrays["test_faces"], arrays["train_faces"])
    np.savez(args.out, **arrays)
    print({name: value.shape for name, value in arrays.items()})


if __name__ == "__main__":
    main()
