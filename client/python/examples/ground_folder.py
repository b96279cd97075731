"""Grounds a folder of images into a Parquet file, one row an object: ground_folder.py ADDRESS FOLDER OUT.parquet

An image that fails, or has no object, is a row too, with the reason in `note`.
Needs: pip install 'objectdino[parquet]'
"""

import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq

from objectdino import Grounding, GroundingClient

SCHEMA = pa.schema(
    {
        "path": pa.string(),
        "note": pa.string(),
        "height": pa.int32(),
        "width": pa.int32(),
        "score": pa.float32(),
        "box": pa.list_(pa.float32(), 4),  # xyxy, pixels
        "mask": pa.binary(),  # counts of a COCO RLE of height x width
        "embedding": pa.list_(pa.float32()),
    }
)
BATCH = 1000  # rows that are written together


def rows(path, result):
    if not isinstance(result, Grounding):
        yield {"path": str(path), "note": str(result)}
        return
    height, width = result.image_size
    image = {"path": str(path), "height": height, "width": width}
    if not result.objects:
        yield image | {"note": "; ".join(warning.message for warning in result.warnings) or "no object"}
    for found in result.objects:
        yield image | {
            "score": found.score,
            "box": found.box,
            "mask": found.rle["counts"],
            "embedding": found.embedding,
        }


address, folder, out = sys.argv[1:]
paths = sorted(
    path for path in pathlib.Path(folder).rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp"}
)
pending = []
with GroundingClient(address, timeout=60) as client, pq.ParquetWriter(out, SCHEMA) as writer:
    results = client.ground_many(paths, progress=True, outputs={"objects", "pixel_masks"})
    for path, result in zip(paths, results, strict=True):
        pending.extend(rows(path, result))
        if len(pending) >= BATCH:
            writer.write_table(pa.Table.from_pylist(pending, SCHEMA))
            pending = []
    writer.write_table(pa.Table.from_pylist(pending, SCHEMA))
