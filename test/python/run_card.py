"""Runs every line of Python of a dataset card as it stands, and prints how many samples each loads as JSON."""

import json
import os
import re
import sys

import datasets
import torchvision
import webdataset

os.chdir(sys.argv[1])
packages = {"datasets": datasets, "torchvision": torchvision, "webdataset": webdataset}
with open("README.md", encoding="utf-8") as card:
    blocks = re.findall(r"```python\n(.*?)```", card.read(), re.DOTALL)
lines = [line for block in blocks for line in block.splitlines()]
print(json.dumps({line: sum(1 for _ in eval(line, packages)) for line in lines}))
