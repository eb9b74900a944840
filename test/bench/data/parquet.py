"""Writes the rows of the bench as Parquet with pyarrow, reads ours back, and compares the two, row by row.

Arguments: our file, and the path of the rows without .json and .bin. Prints {"ms": time of writing, "read": rows that agree}.
"""

import json
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq

ours, rows_path = sys.argv[1:3]
with open(f"{rows_path}.json") as file:
    described = json.load(file)
with open(f"{rows_path}.bin", "rb") as file:
    images = file.read()

rows = described["rows"]
classes = described["classes"]
bodies, at = [], 0
for row in rows:
    bodies.append(images[at : at + row["bytes"]])
    at += row["bytes"]

column = lambda name, kind: pa.array([row[name] for row in rows], kind)
image = pa.StructArray.from_arrays([pa.array(bodies, pa.binary()), column("path", pa.string())], ["bytes", "path"])
table = pa.table(
    {
        "image": image,
        "label": column("label", pa.int64()),
        "weight": column("weight", pa.float32()),
        "soft_label": column("softLabel", pa.list_(pa.float32())),
        "class": pa.array([classes[row["label"]] for row in rows], pa.string()),
        "point": column("point", pa.int32()),
        "cell_count": column("cellCount", pa.int32()),
    }
)

codecs = {name: "SNAPPY" for name in ["label", "weight", "soft_label.list.element", "class", "point", "cell_count"]}
codecs |= {"image.bytes": "NONE", "image.path": "NONE"}
times = []
for _ in range(5):
    sink = pa.BufferOutputStream()
    begin = time.perf_counter()
    pq.write_table(table, sink, row_group_size=1000, compression=codecs)
    times.append(1000 * (time.perf_counter() - begin))

read = pq.read_table(ours)
agree = 0
if read.select(table.column_names).cast(table.schema).equals(table):
    agree = read.num_rows
print(json.dumps({"ms": sorted(times)[len(times) // 2], "read": agree}))
