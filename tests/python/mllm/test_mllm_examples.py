# SPDX-License-Identifier: Apache-2.0
"""The examples as a user runs them: programs, with a server."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

from objectdino import GroundingClient
from objectdino.testing import FakeServer

ROOT = pathlib.Path(__file__).resolve().parents[3]
PHOTO = ROOT / "examples/astronaut.jpg"


def example(name, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "client/python/src"), "no_grpc_proxy": "127.0.0.1,localhost"}
    return subprocess.run([sys.executable, ROOT / "client/python/examples" / name, *map(str, arguments)], capture_output=True,
                          text=True, env=environment, timeout=300, check=False)


def test_guide_hf_model_with_the_real_server(server, tmp_path):
    pytest.importorskip("torch", exc_type=ImportError)
    from tiny_models import tiny

    model, processor = tiny("llava")
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    done = example("guide_hf_model.py", server.grpc, tmp_path, PHOTO, "is there a dog ?")
    assert done.returncode == 0, done.stderr
    assert "without guidance" not in done.stderr
    from objectdino.generation import dual_branch_generate
    with GroundingClient(server.grpc, timeout=60) as client:
        expected = [dual_branch_generate(model, processor, PHOTO, "is there a dog ?", source).text for source in (client, None)]
    assert done.stdout.strip() == expected[0] != expected[1]


def test_check_boxes():
    answer = "a face [300, 50, 600, 400] and a helmet [700, 600, 990, 990]."
    with FakeServer() as server:
        done = example("check_boxes.py", server.target, PHOTO, answer)
        boxes = [region.box for request in server.requests for region in request.regions]
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"a face \[[^]]+\] \(objectness \d\.\d\d\) and a helmet \[[^]]+\] \(objectness \d\.\d\d\)\.\n", done.stdout)
    assert [round(value, 1) for value in (boxes[0].x1, boxes[0].y1, boxes[1].x2)] == [153.6, 25.6, 506.9]


def test_the_guide_shows_the_example():
    guide = (ROOT / "docs/grounding.md").read_text()
    assert f"```python\n{(ROOT / 'client/python/examples/guide_hf_model.py').read_text()}```" in guide
