"""Compiles the pipeline that template.json starts: python retrain.py, then upload retrain.yaml and put its id into the template."""

from kfp import compiler, dsl


@dsl.component(base_image="python:3.12", packages_to_install=["torch", "datasets", "pillow"])
def train(url: str, sha256: str, model: dsl.Output[dsl.Model]):
    import hashlib
    import urllib.request

    import torch
    from datasets import Image, load_dataset
    from torch.nn.functional import cross_entropy

    urllib.request.urlretrieve(url, "train.parquet")
    with open("train.parquet", "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == sha256
    table = load_dataset("parquet", data_files="train.parquet", split="train").cast_column("image", Image(mode="RGB")).with_format("torch")
    rows = table[:]
    images, labels, weights = torch.stack(list(rows["image"])).float() / 127.5 - 1, rows["label"], rows["weight"]
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(images[0].numel(), len(table.features["label"].names)))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(30):
        loss = (weights * cross_entropy(network(images), labels, reduction="none")).mean()
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    torch.save(network.state_dict(), model.path)


@dsl.pipeline(name="retrain")
def retrain(url: str, sha256: str):
    train(url=url, sha256=sha256)


if __name__ == "__main__":
    compiler.Compiler().compile(retrain, "retrain.yaml")
