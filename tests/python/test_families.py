# SPDX-License-Identifier: Apache-2.0
"""A server for a backbone of every family: it starts, says what it serves, and answers Ground on any shape of image."""
import json
import shutil

import numpy as np
import pytest

from conftest import ROOT

GOLDEN = ROOT / "tests" / "golden"
# folder -> family, patch size, registers
MODELS = {
    "tiny": ("dinov2", 14, 0),
    "tiny-registers": ("dinov2", 14, 4),
    "tiny-dino-16": ("dino", 16, 0),
    "tiny-dino-8": ("dino", 8, 0),
    "tiny-swiglu": ("dinov2", 14, 0),
    "tiny-swiglu-registers": ("dinov2", 14, 4),
    "tiny-dinov3": ("dinov3", 16, 4),
    "tiny-dinov3-gated": ("dinov3", 16, 4),
}
SCENES = {"scene_480x640": (480, 640), "scene_640x480": (640, 480)}


def codes(stubs, answer):
    return [stubs[0].Warning.Code.Name(warning.code).removeprefix("CODE_") for warning in answer.warnings]


@pytest.mark.parametrize("model", MODELS)
def test_server_of_every_family_answers(start_server, ground, stubs, model):
    import grpc

    pb, rpc = stubs
    family, patch, registers = MODELS[model]
    server = start_server(model=GOLDEN / model)
    with grpc.insecure_channel(server.grpc) as channel:
        info = rpc.GroundingServiceStub(channel).GetModelInfo(pb.GetModelInfoRequest(), timeout=60)
    assert (info.family, info.patch_size, info.registers) == (family, patch, registers)
    assert info.defaults.input_size == 224

    for scene, (height, width) in SCENES.items():
        encoded = (GOLDEN / "images" / f"{scene}.png").read_bytes()
        square = ground(server, encoded)
        assert (square.grid.rows, square.grid.cols) == (224 // patch, 224 // patch)
        aspect = ground(server, encoded, resize_mode=pb.RESIZE_MODE_ASPECT, input_size=320)
        scale = 320 // patch / max(height, width)  # patches a pixel
        shape = (round(height * scale), round(width * scale))
        assert (aspect.grid.rows, aspect.grid.cols) == shape
        for answer in (square, aspect):
            assert codes(stubs, answer) == ["RANDOM_WEIGHTS"]
            grid = (answer.grid.rows, answer.grid.cols)
            assert tuple(answer.objectness.shape) == grid
            values = np.frombuffer(answer.objectness.data, "<f4")
            assert values.size == grid[0] * grid[1] and values.min() == 0 and values.max() == 1
            assert answer.objects
            for found in answer.objects:
                box = found.box
                assert 0 <= box.x1 < box.x2 <= width and 0 <= box.y1 < box.y2 <= height
                assert all(index < values.size for index in found.patch_indices)

    for method in pb.Method.values():
        if method != pb.METHOD_UNSPECIFIED:
            assert ground(server, encoded, method=method).method == method


def test_unmeasured_defaults_are_warned_of_until_they_are_set(start_server, ground, stubs, tmp_path):
    pb = stubs[0]
    folder = shutil.copytree(GOLDEN / "tiny-dinov3", tmp_path / "said-to-be-trained")
    config = json.loads((folder / "config.json").read_text())
    del config["objectdino_random_weights"]
    (folder / "config.json").write_text(json.dumps(config))
    server = start_server(model=folder)
    encoded = (GOLDEN / "images" / "scene_480x640.png").read_bytes()
    by_default = ground(server, encoded)
    assert codes(stubs, by_default) == ["UNMEASURED_DEFAULTS"]
    assert "input_size (published), head_selection (published);" in by_default.warnings[0].message
    for chosen in ({"head_selection": pb.HEAD_SELECTION_CLUSTERED}, {"clusters": 5}):
        answer = ground(server, encoded, input_size=224, **chosen)
        assert codes(stubs, answer) == []
        assert answer.objectness == by_default.objectness
    cut = ground(server, encoded, input_size=224, clusters=5, method=pb.METHOD_OBJECT_DINO_CUT)
    assert "affinity_threshold (published);" in cut.warnings[0].message
