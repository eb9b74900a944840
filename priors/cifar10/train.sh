#!/usr/bin/env bash
# Trains the cifar10 prior: DATA=<folder with train.tar.gz and test.tar.gz> bash priors/cifar10/train.sh [--smoke]
# The tars hold class folders of 32x32 images. Needs a Python (PYTHON) with priors/recipe/requirements.txt.
# WORK: folder for checkpoints. --smoke takes a dozen steps, into WORK, in a minute or two.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
smoke=${1:-}
work=${WORK:-$here/../../out/priors/cifar10${smoke:+-smoke}}
bundle=$here
if [ -n "$smoke" ]; then bundle=$work/bundle; fi
mkdir -p "$work" "$bundle"

data=${DATA:?DATA names the folder with train.tar.gz and test.tar.gz}
"${PYTHON:-python3}" "$here/recipe/images.py" --data "$data" --out "$work/images.npz"
bash "$here/../recipe/train.sh" cifar10 "$work/images.npz" "$work" "$bundle" $smoke
