# SPDX-License-Identifier: Apache-2.0
"""The bulk job of examples/bulk: killed in the middle and started again, it has a row for every image and none twice."""
import importlib.util
import os
import re
import signal
import subprocess
import sys

import pytest

from conftest import ROOT

JOB = ROOT / "examples" / "bulk" / "ground_to_parquet.py"
IMAGES, SHARD = 200, 20

if importlib.util.find_spec("ray") is None or importlib.util.find_spec("objectdino") is None:
    pytest.skip("ray or the Python client is not installed", allow_module_level=True)


@pytest.fixture
def images(tmp_path):
    """200 images of one colour gradient each; one is none."""
    import numpy as np
    from PIL import Image

    folder = tmp_path / "images"
    for i in range(IMAGES):
        sub = folder / f"{i % 7}"
        sub.mkdir(parents=True, exist_ok=True)
        ramp = np.linspace(0, i % 255, 64, dtype=np.uint8)
        Image.fromarray(np.stack([np.tile(ramp, (48 + i, 1))] * 3, axis=2)).save(sub / f"{i:03d}.png")
    (folder / "3" / "003.png").write_bytes(b"no image")
    return folder


def test_bulk_job_killed_and_restarted_loses_and_doubles_nothing(server, images, tmp_path):
    import pyarrow.parquet as pq

    out = tmp_path / "out"
    command = [sys.executable, JOB, images, out, "--server", server.grpc, "--workers", "1", "--shard", str(SHARD)]
    environment = {**os.environ, "RAY_TMPDIR": str(tmp_path.parent.parent / "ray"), "RAY_USAGE_STATS_ENABLED": "0"}
    first = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True, env=environment,
                             start_new_session=True)
    said = [first.stdout.readline() for _ in range(4)]
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert said[0] == f"{IMAGES} images in {IMAGES // SHARD} shards, {IMAGES // SHARD} of them to do\n"
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("part-*.parquet")}
    assert 3 <= len(before) < IMAGES // SHARD, "in the middle"

    second = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment, timeout=300)
    assert second.returncode == 0, second.stderr
    todo = int(re.match(rf"{IMAGES} images in {IMAGES // SHARD} shards, (\d+) of them to do\n", second.stdout)[1])
    assert 0 < todo <= IMAGES // SHARD - len(before), "an actor of the first may have ended its shard"
    assert second.stdout.count("\nshard ") == todo
    assert {name: (out / name).stat().st_mtime_ns for name in before} == before, "what was done stays"

    rows = [row for path in sorted(out.glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert sorted(row["path"] for row in rows) == sorted(str(path.relative_to(images)) for path in images.rglob("*.png"))
    assert [row["path"] for row in rows if row["error"]] == ["3/003.png"]
    assert all(row["width"] == 64 and row["height"] == 48 + int(row["path"][2:5]) for row in rows if not row["error"])

    third = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment, timeout=300)
    assert third.stdout.endswith(" 0 of them to do\n")
