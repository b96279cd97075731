# SPDX-License-Identifier: Apache-2.0
"""The package as users get it: types, wheel, an empty environment, the examples, the README."""
import email
import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

from conftest import ROOT

PACKAGE = ROOT / "client" / "python"
EXAMPLES = PACKAGE / "examples"
ASTRONAUT = ROOT / "examples" / "astronaut.jpg"


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built once, without network."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
        "--no-build-isolation", "--wheel-dir", folder, PACKAGE)
    built, = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def empty_environment(wheel, tmp_path_factory):
    """An environment with the wheel, and of other packages only what it needs: the interpreter."""
    import google.protobuf
    import grpc
    import numpy

    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    site, = folder.glob("lib/python*/site-packages")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
        "--target", site, wheel)
    import importlib.metadata
    for name in ("numpy", "grpcio", "protobuf", "typing_extensions"):
        for file in importlib.metadata.files(name):
            top = file.parts[0]
            source = file.locate().parents[len(file.parts) - 1] / top
            if top not in ("..", "google") and not (site / top).exists():
                (site / top).symlink_to(source)
    (site / "google").mkdir()
    (site / "google" / "protobuf").symlink_to(os.path.dirname(google.protobuf.__file__))
    assert grpc and numpy
    return folder / "bin" / "python"


def test_types_are_strict():
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=PACKAGE, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_reach_the_user(tmp_path):
    """py.typed, and signatures that say what is wrong."""
    (tmp_path / "user.py").write_text("""
import objectdino
with objectdino.GroundingClient("localhost:1") as client:
    grounding = client.ground("a.jpg", max_objects=3, outputs={"objects"})
    reveal_type(grounding.objects[0].box)
    client.ground("a.jpg", max_objects="three")
    client.ground("a.jpg", methode="lost")
""")
    # Torch takes mypy a minute, and is no part of this.
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n[mypy-torch.*]\nfollow_imports = skip\n")
    done = subprocess.run([sys.executable, "-m", "mypy", "--cache-dir", tmp_path / "cache", "user.py"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=300)
    text = done.stdout
    assert re.search(r'user.py:5: note: .*tuple\[.*float.*, .*float.*, .*float.*, .*float.*\]', text), text
    assert {int(line) for line in re.findall(r"user.py:(\d+): error", text)} == {6, 7}, text


def test_wheel_holds_the_package_and_says_what_it_needs(wheel):
    assert wheel.name == f"objectdino-{(ROOT / 'VERSION').read_text().strip()}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = email.message_from_bytes(archive.read(next(name for name in names if name.endswith("/METADATA"))))
    assert {"objectdino/py.typed", "objectdino/_proto/grounding_service_pb2.py", "objectdino-0.1.0.dist-info/licenses/LICENSE",
            "objectdino/_proto/grounding_service_pb2.pyi", "objectdino/_proto/errors.binpb"} <= names
    assert not [name for name in names if "test" in name.split("/")[-1] and name != "objectdino/testing.py"]
    needed = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert sorted(re.match(r"[a-z]+", line)[0] for line in needed) == ["grpcio", "numpy", "protobuf"]
    protobuf, = [line for line in needed if line.startswith("protobuf")]
    assert re.search(r">=\d+\.\d+\.\d+", protobuf) and re.search(r"<\d+", protobuf), "as old as what was generated"
    assert metadata["Requires-Python"] == ">=3.10" and metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata.get_all("Provides-Extra")) >= {"pillow", "hf", "openai", "eval", "supervision", "parquet", "all"}


def test_version_is_one(wheel):
    import objectdino
    assert objectdino.__version__ == (ROOT / "VERSION").read_text().strip()


def test_source_distribution_builds_the_same_package(tmp_path, wheel):
    """Away from the repository, since users have the archive alone."""
    run(sys.executable, "-c", "import hatchling.build, sys; hatchling.build.build_sdist(sys.argv[1])", tmp_path, cwd=PACKAGE)
    archive, = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "source", filter="data")
    source, = (tmp_path / "source").iterdir()
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
        "--no-build-isolation", "--wheel-dir", tmp_path, source)
    built, = tmp_path.glob("*.whl")
    with zipfile.ZipFile(built) as ours, zipfile.ZipFile(wheel) as theirs:
        assert sorted(ours.namelist()) == sorted(theirs.namelist())
        name = "objectdino/_proto/grounding_service_pb2.py"
        assert ours.read(name) == theirs.read(name)


def test_ten_line_example_runs_in_an_empty_environment(server, cli, empty_environment):
    seen = run(empty_environment, "-I", "-c", """
import sys, objectdino
assert "site-packages/objectdino/__init__" in objectdino.__file__, objectdino.__file__
for name in ("PIL", "torch", "tqdm", "scipy"):
    try:
        __import__(name)
    except ImportError:
        print("no", name)
""").stdout.split("\n")
    assert seen[:4] == ["no PIL", "no torch", "no tqdm", "no scipy"]
    example = EXAMPLES / "ground_image.py"
    assert len(example.read_text().splitlines()) <= 11
    done = run(empty_environment, "-I", example, server.grpc, ASTRONAUT)
    entry, = json.loads(cli("ground", ASTRONAUT, "--json", "--server", server.grpc).stdout)
    assert entry["objects"], "nothing to compare"
    assert done.stdout.splitlines() == [
        "#{} {:.2f} {:.0f} {:.0f} {:.0f} {:.0f}".format(found["index"] + 1, found["score"], *found["box"].values())
        for found in entry["objects"]]


def test_folder_example_writes_parquet(server, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    images = tmp_path / "images"
    (images / "deeper").mkdir(parents=True)
    (images / "astronaut.jpg").write_bytes(ASTRONAUT.read_bytes())
    (images / "deeper" / "coffee.png").write_bytes((ROOT / "examples" / "coffee.png").read_bytes())
    (images / "text.jpg").write_bytes((ROOT / "tests" / "data" / "text.jpg").read_bytes())
    (images / "notes.txt").write_text("no image")
    done = run(sys.executable, EXAMPLES / "ground_folder.py", server.grpc, images, tmp_path / "out.parquet")
    assert "3/3" in done.stderr, "the progress bar"
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert {row["path"] for row in rows} == {str(images / name) for name in ("astronaut.jpg", "deeper/coffee.png", "text.jpg")}
    failed, = [row for row in rows if row["path"].endswith("text.jpg")]
    assert "INVALID_ARGUMENT" in failed["note"] and failed["box"] is None
    from objectdino import GroundingClient, masks
    with GroundingClient(server.grpc, timeout=60) as client:
        expected = client.ground(ASTRONAUT, outputs=["objects", "pixel_masks"]).objects
    found = [row for row in rows if row["path"].endswith("astronaut.jpg")]
    assert len(found) == len(expected) > 0
    for row, theirs in zip(found, expected):
        assert row["note"] is None and tuple(row["box"]) == theirs.box and row["score"] == theirs.score
        assert masks.decode(row["mask"], row["height"], row["width"]).sum() == theirs.mask.sum()
        assert row["embedding"] == theirs.embedding.tolist()


def test_stubs_of_a_users_own_live_beside_the_package(server, stubs_folder):
    run(sys.executable, "-c", """
import sys, grpc
from objectdino.v1 import grounding_service_pb2 as pb, grounding_service_pb2_grpc as rpc
import objectdino
with grpc.insecure_channel(sys.argv[1]) as channel:
    assert rpc.GroundingServiceStub(channel).GetModelInfo(pb.GetModelInfoRequest(), timeout=20).model.name == "tiny"
with objectdino.GroundingClient(sys.argv[1]) as client:
    assert client.model_info().name == "tiny"
""", server.grpc, env=os.environ | {"PYTHONPATH": str(stubs_folder)})


@pytest.mark.parametrize("document", ["README.md", "docs/python.md"])
def test_documents_show_the_example_and_code_that_compiles(document):
    text = (ROOT / document).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, document, "exec", flags=__import__("ast").PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if document == "README.md":
        assert (EXAMPLES / "ground_image.py").read_text() in blocks
