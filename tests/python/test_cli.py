# SPDX-License-Identifier: Apache-2.0
"""The two programs, end to end: `objectdino` against `objectdino-server`."""
import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

from conftest import BIN, ROOT, TINY_MODEL, error_lines

EXAMPLES = ROOT / "examples"
ASTRONAUT = EXAMPLES / "astronaut.jpg"
DATA = ROOT / "tests" / "data"
START_SECONDS = 120


# ---------------------------------------------------------------- ground

def test_ground_examples_json_is_one_document_with_named_fields(cli, server):
    done = cli("ground", EXAMPLES, "--json", "--server", server.grpc)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [os.path.basename(entry["file"]) for entry in document] == ["astronaut.jpg", "coffee.png"]
    for entry in document:
        with Image.open(entry["file"]) as image:
            assert (entry["image"]["width"], entry["image"]["height"]) == image.size
        assert entry["grid"]["rows"] == entry["grid"]["cols"] == 16
        assert entry["objectness"]["shape"] == [16, 16]
        assert entry["method"] == "METHOD_OBJECT_DINO"
        for found in entry["objects"]:
            box = found["box"]
            assert 0 <= box["x1"] < box["x2"] <= entry["image"]["width"]
            assert 0 <= box["y1"] < box["y2"] <= entry["image"]["height"]
            assert 0 <= found["score"] <= 1


def test_ground_random_weights_warned_about(cli, server):
    entry, = json.loads(cli("ground", ASTRONAUT, "--json", "--server", server.grpc).stdout)
    assert "CODE_RANDOM_WEIGHTS" in [warning["code"] for warning in entry["warnings"]]


@pytest.mark.parametrize("path", [ASTRONAUT, ROOT / "tests/golden/exif/orientation_6.jpg"], ids=lambda p: p.name)
def test_ground_overlay_has_the_size_of_the_upright_image(cli, server, tmp_path, path):
    done = cli("ground", path, "--overlay", tmp_path, "--server", server.grpc)
    assert done.returncode == 0, done.stderr
    overlay = tmp_path / f"{path.stem}.overlay.png"
    assert f"overlay {overlay}" in done.stdout
    with Image.open(overlay) as drawn, Image.open(path) as image:
        assert drawn.format == "PNG"
        assert drawn.size == ImageOps.exif_transpose(image).size


def test_ground_real_model_finds_an_object_in_the_astronaut(cli, real_server, tmp_path):
    done = cli("ground", ASTRONAUT, "--json", "--overlay", tmp_path, "--server", real_server.grpc)
    assert done.returncode == 0, done.stderr
    entry, = json.loads(done.stdout)
    best = entry["objects"][0]
    assert best["score"] > 0.3, best
    assert best["box"]["x1"] < 230 < best["box"]["x2"] and best["box"]["y1"] < 120 < best["box"]["y2"], "her face"


def test_ground_folder_with_bad_file_goes_on_and_exits_1(cli, server, tmp_path):
    shutil.copy(ASTRONAUT, tmp_path / "a.jpg")
    shutil.copy(DATA / "text.jpg", tmp_path / "b.jpg")
    shutil.copy(EXAMPLES / "coffee.png", tmp_path / "c.png")
    done = cli("ground", tmp_path, "--server", server.grpc)
    assert done.returncode == 1
    assert done.stdout.endswith("3 images: 2 grounded, 1 failed\n")
    line, = done.stderr.splitlines()
    assert line.startswith(f"objectdino: {tmp_path / 'b.jpg'}: INVALID_ARGUMENT: ")


def test_ground_concurrency_answers_in_order_and_alike(cli, server):
    images = [EXAMPLES / name for name in ("astronaut.jpg", "coffee.png")] * 4
    done = cli("ground", *images, "--concurrency", 4, "--json", "--server", server.grpc)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [entry["file"] for entry in document] == [str(path) for path in images]
    for entry in document[2:]:
        assert entry["objects"] == document[images.index(ROOT / entry["file"])]["objects"]


def test_ground_same_stem_twice_keeps_both_outputs(cli, server, tmp_path):
    shutil.copy(ASTRONAUT, tmp_path / "a.jpg")
    shutil.copy(EXAMPLES / "coffee.png", tmp_path / "a.png")
    out = tmp_path / "out"
    done = cli("ground", tmp_path, "--json-dir", out, "--overlay", out, "--server", server.grpc)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "a.jpg.json", "a.jpg.overlay.png", "a.png.json", "a.png.overlay.png"]
    assert json.loads((out / "a.png.json").read_text())["file"] == str(tmp_path / "a.png")


@pytest.mark.parametrize("method", ["object_dino", "object_dino_cut", "object_dino_paper", "tokencut", "lost",
                                    "cls_attention"])
def test_ground_method_is_the_one_asked_for(cli, server, method):
    done = cli("ground", ASTRONAUT, "--method", method, "--json", "--server", server.grpc)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["method"] == f"METHOD_{method.upper()}"


def test_ground_ablation_flags_change_the_map(cli, server):
    maps = set()
    for flags in ([], ["--components", "q"], ["--components", "k,v"], ["--layer-scope", "last_layer"],
                  ["--temperature", 30], ["--clusters", 2]):
        done = cli("ground", ASTRONAUT, "--json", "--server", server.grpc, *flags)
        assert done.returncode == 0, done.stderr
        maps.add(json.loads(done.stdout)[0]["objectness"]["data"])
    assert len(maps) > 4, "flags without effect"


def test_ground_proposals_and_embeddings_of_heads_arrive(cli, server):
    def entry(*flags):
        done = cli("ground", ASTRONAUT, "--heads", "preset", "--json", "--server", server.grpc, *flags)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)[0]

    plain, more = entry(), entry("--proposals", "--embeddings", "object_heads")
    assert more["objectness"] == plain["objectness"]
    assert len(more["objects"]) > len(plain["objects"]) > 0
    # The last two of the tiny model's four layers, four heads each, 16 values wide.
    assert {found["embedding"]["space"].split("/", 1)[1] for found in more["objects"]} == {
        "values[2:0,1,2,3;3:0,1,2,3]/patch-mean"}
    assert {found["embedding"]["values"]["shape"][0] for found in more["objects"]} == {128}
    assert {found["embedding"]["space"].split("/", 1)[1] for found in plain["objects"]} == {"final-norm/patch-mean"}


def test_ground_embeddings_of_heads_need_a_method_with_heads(cli, server):
    done = cli("ground", ASTRONAUT, "--method", "tokencut", "--embeddings", "object_heads", "--server", server.grpc)
    assert done.returncode == 1
    assert "INVALID_ARGUMENT: options.embedding_source has no effect on method TOKENCUT" in done.stderr


def test_ground_option_without_effect_is_invalid_and_says_so(cli, server):
    done = cli("ground", ASTRONAUT, "--method", "lost", "--components", "k", "--server", server.grpc)
    assert done.returncode == 1
    assert "INVALID_ARGUMENT: options.components has no effect on method LOST" in done.stderr


def test_ground_option_out_of_range_is_invalid_and_names_the_field(cli, server):
    done = cli("ground", ASTRONAUT, "--clusters", 1, "--server", server.grpc)
    assert done.returncode == 1
    assert "INVALID_ARGUMENT" in done.stderr and "clusters" in done.stderr


def test_ground_deadline_of_1_ms_is_exceeded(cli, server, tmp_path):
    with Image.open(ASTRONAUT) as image:
        image.resize((4000, 4000)).save(tmp_path / "large.jpg")
    done = cli("ground", tmp_path / "large.jpg", "--timeout", 0.001, "--server", server.grpc)
    assert done.returncode == 1
    line, = done.stderr.splitlines()
    assert ": DEADLINE_EXCEEDED: " in line


def test_ground_server_not_running_exits_3_with_one_line(cli):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
    done = cli("ground", ASTRONAUT, "--server", address)
    assert done.returncode == 3
    assert done.stdout == ""
    line, = done.stderr.splitlines()
    assert line.startswith(f"objectdino: {address}: UNAVAILABLE: ")


def test_ground_ctrl_c_finishes_the_image_and_exits_130(server):
    with subprocess.Popen([BIN / "objectdino", "ground", *[ASTRONAUT] * 5000, "--server", server.grpc],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()  # the first image is done
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr == ""
    assert re.fullmatch(r"5000 images: [1-9]\d* grounded, 0 failed, \d+ left out", stdout.splitlines()[-1])


# ---------------------------------------------------------------- heads

def test_heads_table_has_a_cluster_for_every_head(cli, server):
    done = cli("heads", ASTRONAUT, "--clusters", 3, "--server", server.grpc)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].endswith("4 layers, 4 heads a layer, 3 clusters")
    rows = [[int(word) for word in line.split()] for line in lines[2:6]]
    assert [row[0] for row in rows] == [0, 1, 2, 3]
    clusters = [cluster for row in rows for cluster in row[1:]]
    assert set(clusters) == {0, 1, 2} and len(clusters) == 16
    object_heads = lines[7].split()[1:]
    assert object_heads == [f"{i // 4}.{i % 4}" for i, cluster in enumerate(clusters) if cluster == 0]


def test_heads_json_maps_decode_and_average_to_what_is_clustered(cli, server):
    done = cli("heads", ASTRONAUT, "--json", "--input-size", 112, "--server", server.grpc)
    assert done.returncode == 0, done.stderr
    entry = json.loads(done.stdout)
    tensor = entry["head_analysis"]["self_similarity"]
    maps = np.frombuffer(base64.b64decode(tensor["data"]), "<f4").reshape(tensor["shape"])
    assert maps.shape == (4, 4, 3, 8, 8)
    assert np.abs(maps).max() <= 1 + 1e-6 and maps.std() > 0.01
    assert len(entry["head_analysis"]["clusters"]) == 16
    chosen = [head["layer"] * 4 + head["head"] for head in entry["heads"]]
    assert [i for i, cluster in enumerate(entry["head_analysis"]["clusters"]) if cluster == 0] == chosen


@pytest.mark.parametrize("flags", [[], ["--component", "mean"], ["--heads", "preset"], ["--clusters", 12]],
                         ids=lambda flags: "-".join(map(str, flags)) or "default")
def test_heads_sheet_is_a_png_with_the_photograph(cli, server, tmp_path, flags):
    sheet = tmp_path / "sheet.png"
    done = cli("heads", ASTRONAUT, "--out", sheet, *flags, "--server", server.grpc)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"  sheet {sheet}\n")
    with Image.open(sheet) as drawn, Image.open(ASTRONAUT) as photograph:
        assert drawn.format == "PNG" and drawn.width > 600 and drawn.height > 400
        small = photograph.convert("L").resize((50, 50), Image.Resampling.BOX)
        shown = drawn.convert("L").crop((20, 20, 270, 270)).resize((50, 50), Image.Resampling.BOX)
    differences = [abs(a - b) for a, b in zip(small.tobytes(), shown.tobytes())]
    assert sum(differences) / len(differences) < 3


def test_heads_real_model_chooses_last_heads(cli, real_server):
    done = cli("heads", EXAMPLES / "coffee.png", "--json", "--server", real_server.grpc)
    assert done.returncode == 0, done.stderr
    entry = json.loads(done.stdout)
    assert entry["head_analysis"]["self_similarity"]["shape"] == [12, 6, 3, 16, 16]
    assert entry["head_analysis"]["cluster_count"] == 5
    assert {head["layer"] for head in entry["heads"]} & {10, 11}


def test_heads_bad_image_exits_1_and_no_sheet(cli, server, tmp_path):
    done = cli("heads", DATA / "text.jpg", "--out", tmp_path / "sheet.png", "--server", server.grpc)
    assert done.returncode == 1
    line, = done.stderr.splitlines()
    assert line.startswith(f"objectdino: {DATA / 'text.jpg'}: INVALID_ARGUMENT: ")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- info, health, usage

def test_info_text_and_json(cli, server):
    assert "random weights" in cli("info", "--server", server.grpc).stdout
    info = json.loads(cli("info", "--json", "--server", server.grpc).stdout)
    assert (info["layers"], info["heads"], info["width"], info["patch_size"]) == (4, 4, 64, 14)
    assert info["defaults"]["clusters"] == 5
    assert re.fullmatch("[0-9a-f]{64}", info["model"]["weights_sha256"])


def test_health_serving_exits_0(cli, server):
    done = cli("health", "--server", server.grpc)
    assert (done.returncode, done.stdout) == (0, "SERVING\n")


@pytest.mark.parametrize("program", ["objectdino", "objectdino-server"])
def test_unknown_flag_exits_2_with_one_line(bin_folder, program):
    done = subprocess.run([bin_folder / program, "--no-such-flag"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "--no-such-flag" in done.stderr or "required" in done.stderr


@pytest.mark.parametrize("program", ["objectdino", "objectdino-server"])
def test_help_and_version(bin_folder, program):
    shown = subprocess.run([bin_folder / program, "--help"], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0 and "exit codes" in shown.stdout.lower()
    version = subprocess.run([bin_folder / program, "--version"], capture_output=True, text=True, timeout=60)
    assert version.returncode == 0 and (ROOT / "VERSION").read_text().strip() in version.stdout


# ---------------------------------------------------------------- the server's life

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_server_signal_ends_it_with_0_and_frees_the_ports(start_server, number):
    running = start_server()
    assert running.stop(number) == 0, running.log()
    for address in (running.grpc, running.metrics):
        host, port = address.rsplit(":", 1)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=5)
        with socket.create_server((host, int(port))):
            pass


@pytest.mark.parametrize("flag", ["--listen", "--metrics-listen"])
def test_server_port_taken_fails_with_one_line(bin_folder, server, flag):
    taken = server.grpc if flag == "--listen" else server.metrics
    other = "--metrics-listen" if flag == "--listen" else "--listen"
    done = subprocess.run([bin_folder / "objectdino-server", "--model", TINY_MODEL, flag, taken, other, "127.0.0.1:0"],
                          capture_output=True, text=True, timeout=START_SECONDS)
    assert done.returncode == 1
    line, = error_lines(done.stderr)
    assert taken in line


def start_with_broken_model(model):
    done = subprocess.run([BIN / "objectdino-server", "--model", model, "--listen", "127.0.0.1:0", "--metrics-listen",
                           "127.0.0.1:0"], capture_output=True, text=True, timeout=START_SECONDS)
    assert done.returncode == 1, done.stderr
    line, = error_lines(done.stderr)
    return line


@pytest.fixture
def broken_model(tmp_path):
    """A copy of the tiny model whose tensors a function changed."""
    from safetensors.numpy import load_file, save_file

    def make(change):
        folder = tmp_path / "model"
        shutil.copytree(TINY_MODEL, folder)
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder
    return make


def test_server_missing_tensor_is_named(bin_folder, broken_model):
    name = "encoder.layer.2.mlp.fc1.weight"
    assert name in start_with_broken_model(broken_model(lambda tensors: tensors.pop(name)))


def test_server_tensor_of_wrong_shape_is_named(bin_folder, broken_model):
    name = "encoder.layer.1.norm2.bias"

    def cut(tensors):
        tensors[name] = tensors[name][:-1].copy()
    assert name in start_with_broken_model(broken_model(cut))


def test_server_truncated_weights_file_is_named(bin_folder, tmp_path):
    shutil.copytree(TINY_MODEL, tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    assert str(path) in start_with_broken_model(tmp_path / "model")


def test_server_no_model_folder_is_named(bin_folder, tmp_path):
    assert str(tmp_path / "none") in start_with_broken_model(tmp_path / "none")


def test_server_metrics_count_requests_by_outcome(cli, start_server):
    running = start_server()
    cli("ground", ASTRONAUT, ASTRONAUT, DATA / "text.jpg", "--server", running.grpc)

    def requests(code):
        return sum(value for name, value in running.scrape().items()
                   if name.startswith("objectdino_requests_total{") and 'method="Ground"' in name
                   and f'code="{code}"' in name)
    assert requests("OK") == 2
    assert requests("INVALID_ARGUMENT") == 1
    assert any(name.startswith("objectdino_request_seconds_bucket{") for name in running.scrape())
