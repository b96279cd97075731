# SPDX-License-Identifier: Apache-2.0
"""Grounds a folder of images, however many, with Ray Data, and writes one row an image to Parquet.

    python examples/bulk/ground_to_parquet.py IMAGES OUT --server dns:///objectdino-headless:50051 --workers 8

Started again it goes on where it was stopped, at any moment: the list of images is written once, to OUT/plan.json, and cut
into shards; a shard is one task and one file, OUT/part-NNNNN.parquet, which appears whole or not at all. So there is a row for
every image and none twice. An image that cannot be read or grounded has a row too, with `error`.

Needs `pip install objectdino "ray[data]"`; RAY_ADDRESS or --ray names a cluster, whose machines see both folders.
"""
import argparse
import json
import os
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import ray

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
SCHEMA = pa.schema([
    ("path", pa.string()), ("error", pa.string()), ("height", pa.int32()), ("width", pa.int32()), ("warnings", pa.list_(pa.string())),
    ("objects", pa.list_(pa.struct([("score", pa.float32()), ("x1", pa.float32()), ("y1", pa.float32()), ("x2", pa.float32()),
                                    ("y2", pa.float32())]))),
])


def plan(images, out, shard):
    """The shards, [[path]], the same at every start."""
    file = out / "plan.json"
    if not file.exists():
        paths = sorted(str(path.relative_to(images)) for path in images.rglob("*") if path.suffix.lower() in SUFFIXES)
        out.mkdir(parents=True, exist_ok=True)
        write(file, json.dumps({"images": str(images), "shards": [paths[i:i + shard] for i in range(0, len(paths), shard)]}).encode())
    made = json.loads(file.read_text())
    if made["images"] != str(images):
        sys.exit(f"{out} holds the answers to {made['images']}")
    return made["shards"]


def write(file, data):
    """Whole or not at all, and on the disk."""
    partial = file.with_suffix(f".partial-{os.getpid()}")
    with partial.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)


def part(out, number):
    return out / f"part-{number:05d}.parquet"


def row(path, answer):
    if isinstance(answer, Exception):
        return {"path": path, "error": f"{type(answer).__name__}: {answer}", "height": None, "width": None, "warnings": [], "objects": []}
    height, width = answer.image_size
    objects = [dict(zip(("score", "x1", "y1", "x2", "y2"), (float(found.score), *map(float, found.box)))) for found in answer.objects]
    return {"path": path, "error": None, "height": height, "width": width, "warnings": [str(w) for w in answer.warnings], "objects": objects}


class GroundShard:
    """An actor of Ray Data: a connection of its own, a few calls at once."""

    def __init__(self, target, images, out, concurrency, timeout):
        from objectdino import GroundingClient

        # A batch job can wait: an overloaded or restarting server is asked again until the timeout.
        self.client = GroundingClient(target, timeout=timeout, max_attempts=20, channel_options=[("grpc.lb_policy_name", "round_robin")])
        self.images, self.out, self.concurrency = pathlib.Path(images), pathlib.Path(out), concurrency

    def __call__(self, shard):
        from objectdino import errors

        number, paths = shard["number"], shard["paths"]
        answers = self.client.ground_many((self.images / path for path in paths), concurrency=self.concurrency)
        transient = tuple(kind.__name__ for kind in (errors.Unavailable, errors.Overloaded, errors.Timeout))
        rows = [row(path, answer) for path, answer in zip(paths, answers, strict=True)]
        lost = [r["error"] for r in rows if r["error"] and r["error"].startswith(transient)]
        if lost:
            raise RuntimeError(f"shard {number}: the service did not answer {len(lost)} images, first: {lost[0]}")
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), sink)
        write(part(self.out, number), sink.getvalue().to_pybytes())
        return {"number": number, "images": len(rows), "errors": sum(r["error"] is not None for r in rows)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--server", default="127.0.0.1:50051", help="a gRPC target; calls are spread over all its addresses")
    parser.add_argument("--workers", type=int, default=2, help="actors")
    parser.add_argument("--concurrency", type=int, default=4, help="calls at once of an actor")
    parser.add_argument("--shard", type=int, default=1000, help="images of a file, at the first start")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for an image, waiting included")
    parser.add_argument("--ray", help="address of a cluster; none: this machine")
    options = parser.parse_args()
    images, out = options.images.resolve(), options.out.resolve()

    shards = plan(images, out, options.shard)
    todo = [{"number": n, "paths": paths} for n, paths in enumerate(shards) if not part(out, n).exists()]
    print(f"{sum(map(len, shards))} images in {len(shards)} shards, {len(todo)} of them to do", flush=True)
    if not todo:
        return
    ray.init(address=options.ray, include_dashboard=False, log_to_driver=False, logging_level="warning")
    ray.data.DataContext.get_current().enable_progress_bars = False
    done = ray.data.from_items(todo, override_num_blocks=len(todo)).map(
        GroundShard, fn_constructor_args=(options.server, str(images), str(out), options.concurrency, options.timeout),
        compute=ray.data.ActorPoolStrategy(size=min(options.workers, len(todo))), num_cpus=0.5)
    for finished in done.iter_rows():
        print(f"shard {finished['number']}: {finished['images']} images, {finished['errors']} errors", flush=True)


main()
