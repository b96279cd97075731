# SPDX-License-Identifier: Apache-2.0
"""`objectdino inspect`: what it says of models on disk, and how it fails."""
import json
import shutil
import subprocess

import pytest

from conftest import BIN, REAL_MODEL, ROOT

LAYOUTS = ROOT / "tests" / "golden" / "layouts"


def inspect(*arguments):
    return subprocess.run([BIN / "objectdino", "inspect", *arguments], capture_output=True, text=True, timeout=120,
                          check=False)


def document(path):
    result = inspect(path, "--json")
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


@pytest.mark.parametrize("path, family, layout, dtypes, fmt", [
    ("dino-hf", "dino", "huggingface", {"F32"}, "safetensors"),
    ("dinov2-hf-bin", "dinov2", "huggingface", {"F16"}, "torch"),
    ("dinov2-reg-timm", "dinov2", "timm", {"F32"}, "safetensors"),
    ("dinov3-gated.pth", "dinov3", "original", {"F16"}, "torch"),
])
def test_every_kind_of_model_is_described(path, family, layout, dtypes, fmt):
    found = document(LAYOUTS / path)
    assert (found["family"], found["layout"], set(found["dtypes"])) == (family, layout, dtypes)
    assert {file["format"] for file in found["files"]} == {fmt}
    assert found["complete"] and not found["missing"] and not found["unused"]
    assert found["layers"] == 2 and found["width"] == 64 and found["patch_size"] == 2


def test_text_says_the_same():
    result = inspect(LAYOUTS / "dino-full.pth")
    assert result.returncode == 0
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if line[0] != " ")
    assert result.stdout.startswith("DINO ViT of 2 layers, 64 wide, patch 2\n")
    assert lines["layout"] == "original, part teacher"
    assert lines["missing"] == "none" and lines["sha256"] == document(LAYOUTS / "dino-full.pth")["sha256"]
    assert "'head.mlp.0.weight' [4, 64]" in result.stdout


def test_known_sizes_have_their_name_and_pass_the_self_test():
    if not REAL_MODEL.exists():
        pytest.skip("no model: run scripts/fetch_model")
    result = inspect(REAL_MODEL, "--json", "--self-test")
    assert (result.returncode, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert found["variant"] == "DINOv2 ViT-S/14" and found["parameters"] == 22056192
    assert len(found["self_test"]) == 9 and all(row["passed"] for row in found["self_test"])


def test_self_test_finds_other_weights(tmp_path):
    if not REAL_MODEL.exists():
        pytest.skip("no model: run scripts/fetch_model")
    shutil.copytree(REAL_MODEL, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.chmod(0o644)
    data = bytearray(weights.read_bytes())
    data[-4_000_000:-3_900_000] = bytes(100_000)
    weights.write_bytes(data)
    result = inspect(tmp_path / "model", "--self-test")
    assert result.returncode == 3 and "FAILED" in result.stdout
    assert result.stderr == "objectdino: inspect: self-test: the values differ from those of the published weights\n"


def test_self_test_of_an_unknown_model_says_so():
    result = inspect(LAYOUTS / "dino-hf", "--self-test")
    assert result.returncode == 3 and "no published values are known for DINO ViT of 2 layers" in result.stderr


def test_missing_tensors_are_listed_and_fail(tmp_path):
    shutil.copytree(LAYOUTS / "dinov2-hf", tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(config.read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 3'))
    result = inspect(tmp_path / "model")
    assert result.returncode == 1
    assert "'encoder.layer.2.norm1.weight' [64]" in result.stdout
    assert result.stderr == "objectdino: inspect: 18 tensors are missing and 0 are wrong\n"


@pytest.mark.parametrize("path, reason", [
    (LAYOUTS / "none", "no such file or folder"),
    (LAYOUTS / "legacy.pth", "convert it: python3 -c"),
    (ROOT / "tests" / "data" / "gray.png", "header of"),
    (ROOT / "tests" / "golden" / "rle.json", "header of"),
    (ROOT / "tests" / "fuzz" / "corpus" / "torch_file" / "archive_hostile", "system', which no checkpoint of tensors needs"),
    ("/dev/zero", "not a regular file"),
])
def test_what_is_no_model_is_one_clear_line(path, reason):
    result = inspect(path)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("objectdino: inspect: ") and result.stderr.count("\n") == 1
    assert reason in result.stderr


def test_wrong_usage_is_one_clear_line():
    for arguments in ([], ["--no-such-flag", "x"], ["a", "b"]):
        result = inspect(*arguments)
        assert result.returncode == 2 and result.stderr.count("\n") == 1


def test_help_is_that_of_the_command():
    result = inspect("--help")
    assert result.returncode == 0 and "--self-test" in result.stdout and "Exit codes" in result.stdout


def test_a_client_alone_says_what_it_lacks(tmp_path):
    shutil.copy(BIN / "objectdino", tmp_path / "objectdino")
    result = subprocess.run([tmp_path / "objectdino", "inspect", "x"], capture_output=True, text=True, timeout=60,
                            check=False)
    assert result.returncode == 1
    assert result.stderr == f"objectdino: {tmp_path}/objectdino-inspect: No such file or directory\n"
