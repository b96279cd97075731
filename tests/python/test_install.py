# SPDX-License-Identifier: Apache-2.0
"""What is installed works away from the build folder, and a project of somebody else's builds against it."""
import os
import re
import shutil
import subprocess

import pytest

from conftest import BIN, ROOT, Server, TINY_MODEL

IMAGE = ROOT / "examples" / "astronaut.jpg"
BUILD = BIN.parent


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("prefix")
    for component in ("server", "client", "dev"):
        run("cmake", "--install", BUILD, "--component", component, "--prefix", prefix)
    yield prefix
    shutil.rmtree(prefix)  # LibTorch is large


def test_installed_server_finds_its_own_libraries_and_serves(installed, tmp_path, monkeypatch):
    program = installed / "bin" / "objectdino-server"
    found = dict(re.findall(r"(lib\S+) => (\S+)", run("ldd", program)))
    assert "not" not in found.values()
    own = installed / "lib" / "objectdino"
    for name in ("libtorch_cpu.so", "libc10.so"):
        assert os.path.realpath(found[name]) == os.path.realpath(own / name)
    assert not [path for path in found.values() if ".venv" in path or path.startswith(str(BUILD))]

    monkeypatch.setattr("conftest.BIN", installed / "bin")
    running = Server(tmp_path, TINY_MODEL)
    try:
        answer = run(installed / "bin" / "objectdino", "ground", IMAGE, "--server", running.grpc, "--json")
        assert '"objects"' in answer
        assert "dinov2" in run(installed / "bin" / "objectdino", "inspect", TINY_MODEL)
    finally:
        assert running.stop() == 0


def test_installed_unit_and_configuration_are_good(installed, tmp_path):
    """The example configuration names no flag that the server does not know."""
    text = (installed / "share" / "doc" / "objectdino-server" / "examples" / "server.toml").read_text()
    file = tmp_path / "server.toml"
    file.write_text(text.replace("/var/lib/objectdino/model", str(tmp_path / "none")))
    done = subprocess.run([installed / "bin" / "objectdino-server", "--config", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "none" in done.stderr, "it gets as far as the model"
    unit = (installed / "lib" / "systemd" / "system" / "objectdino-server.service").read_text()
    assert "ExecStart=/usr/bin/objectdino-server\n" in unit and "DynamicUser=yes" in unit
    help_text = run(installed / "bin" / "objectdino-server", "--help")
    assert set(re.findall(r"OBJECTDINO_\w+", unit)) <= set(re.findall(r"Env:(\w+)", help_text))


def test_consumer_builds_against_the_installed_client_library(installed, server, tmp_path):
    run("cmake", "-S", ROOT / "tests" / "consumer", "-B", tmp_path, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={installed}",
        "-DCMAKE_FIND_PACKAGE_PREFER_CONFIG=ON")
    run("cmake", "--build", tmp_path)
    assert re.fullmatch(r"\d+ objects in 512x512\n", run(tmp_path / "consumer", server.grpc, IMAGE))
    assert not re.search(r"opencv|torch", run("ldd", tmp_path / "consumer")), "no more than it asked for"


def test_packages_name_what_they_need(tmp_path):
    """By dpkg-shlibdeps, for the two small packages; scripts/image-check installs all."""
    config = (BUILD / "CPackConfig.cmake").read_text()
    assert 'set(CPACK_COMPONENTS_ALL "server;client;dev")' in config
    run("cpack", "--config", BUILD / "CPackConfig.cmake", "-D", "CPACK_COMPONENTS_ALL=client;dev", "-B", tmp_path)
    package, = tmp_path.glob("objectdino-client_*.deb")
    assert re.search(r"libgrpc\+\+1\S+ \(>= ", run("dpkg-deb", "--field", package, "Depends"))
    contents = run("dpkg-deb", "--contents", package)
    assert "./usr/bin/objectdino\n" in contents and "copyright" in contents
    headers, = tmp_path.glob("objectdino-dev_*.deb")
    assert "libgrpc++-dev" in run("dpkg-deb", "--field", headers, "Depends")
