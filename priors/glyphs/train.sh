#!/usr/bin/env bash
# Renders the glyphs dataset and trains its prior: bash priors/glyphs/train.sh [--smoke]
# Needs Node with the repository's packages, npm, and a Python (PYTHON) with priors/recipe/requirements.txt.
# WORK: folder for typefaces and checkpoints. --smoke takes a dozen steps of each training, into WORK, in a minute or two.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
smoke=${1:-}
work=${WORK:-$here/../../out/priors/glyphs${smoke:+-smoke}}
bundle=$here dataset=$here/dataset
if [ -n "$smoke" ]; then bundle=$work/bundle dataset=$work/dataset; fi
mkdir -p "$work/typefaces" "$bundle"

cp "$here/recipe/package.json" "$work/typefaces/"
npm install --prefix "$work/typefaces" --no-audit --no-fund --no-package-lock --ignore-scripts
node "$here/recipe/dataset.mjs" "$work/typefaces" "$dataset"
"${PYTHON:-python3}" "$here/recipe/images.py" --data "$dataset" --out "$work/images.npz"
bash "$here/../recipe/train.sh" glyphs "$work/images.npz" "$work" "$bundle" $smoke
