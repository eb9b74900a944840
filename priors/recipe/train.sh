#!/usr/bin/env bash
# Trains one prior and writes its bundle: bash train.sh <name> <images.npz> <work folder> <bundle folder> [--smoke]
# PYTHON names a Python with requirements.txt installed. A training that was stopped goes on from its last checkpoint.
set -euo pipefail

name=$1 images=$2 work=$3 bundle=$4 smoke=${5:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
settings=$here/../$name/settings.json
python=${PYTHON:-python3}

mkdir -p "$work"
"$python" "$here/vae.py" --images "$images" --settings "$settings" --out "$work" $smoke
for teacher in $("$python" -c 'import json, sys; print(*json.load(open(sys.argv[1]))["bundle"]["teachers"])' "$settings"); do
  "$python" "$here/teacher.py" --images "$images" --settings "$settings" --out "$work" --name "$teacher" $smoke
done
sheet=()
if grep -q '"denoiser": true' "$settings"; then
  "$python" "$here/transformer.py" --images "$images" --settings "$settings" --out "$work" $smoke
  sheet=(--sheet "$bundle/samples.png")
fi
"$python" "$here/export.py" --images "$images" --settings "$settings" --weights "$work" --bundle "$bundle" $smoke
"$python" "$here/measure.py" --images "$images" --bundle "$bundle" "${sheet[@]}" $smoke
