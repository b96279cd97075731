# SPDX-License-Identifier: Apache-2.0
"""Servers and clients as their users start them: the built programs, over real sockets.

OBJECTDINO_BIN names the folder of the programs; default build/dev/bin.
"""
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("OBJECTDINO_BIN", ROOT / "build" / "dev" / "bin"))
TINY_MODEL = ROOT / "tests" / "golden" / "tiny"
REAL_MODEL = ROOT / "models" / "dinov2-small"
START_SECONDS = 120
STOP_SECONDS = 60

# No proxy of the environment stands between a test and its server.
os.environ["no_grpc_proxy"] = "127.0.0.1,localhost"


def error_lines(stderr):
    """The lines that report an error: all but the log's events below level error."""
    def is_event(line):
        try:
            return json.loads(line).get("level") in ("debug", "info", "warning")
        except (ValueError, AttributeError):
            return False
    return [line for line in stderr.splitlines() if line.strip() and not is_event(line)]


class Server:
    """A running objectdino-server: `grpc` and `metrics` are its addresses."""

    def __init__(self, folder, model, *flags):
        self._log = folder / "server.log"
        ports = folder / "ports"
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [BIN / "objectdino-server", "--model", model, "--listen", "127.0.0.1:0", "--metrics-listen",
                 "127.0.0.1:0", "--port-file", ports, *flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not ports.exists() or "metrics=" not in ports.read_text():
                assert self.process.poll() is None, f"the server ended at its start:\n{self.log()}"
                assert time.monotonic() < deadline, f"the server did not start:\n{self.log()}"
                time.sleep(0.02)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        addresses = dict(line.split("=", 1) for line in ports.read_text().splitlines())
        self.grpc, self.metrics = addresses["grpc"], addresses["metrics"]

    def log(self):
        return self._log.read_text(errors="replace")

    def stop(self, number=signal.SIGTERM):
        """Asks it to end and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def scrape(self):
        """Samples of /metrics: {'name{labels}': value}."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{self.metrics}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def peak_memory_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


@pytest.fixture(scope="session")
def bin_folder():
    missing = [name for name in ("objectdino", "objectdino-server") if not (BIN / name).exists()]
    assert not missing, f"{BIN} has no {', '.join(missing)}: build first, or set OBJECTDINO_BIN"
    return BIN


@pytest.fixture(scope="session")
def server(bin_folder, tmp_path_factory):
    """Serves the tiny random model."""
    running = Server(tmp_path_factory.mktemp("server"), TINY_MODEL)
    yield running
    assert running.stop() == 0, running.log()


@pytest.fixture(scope="session")
def real_server(bin_folder, tmp_path_factory):
    """Serves DINOv2 ViT-S/14."""
    if not (REAL_MODEL / "model.safetensors").exists():
        pytest.skip("models/dinov2-small is not there, scripts/fetch_model obtains it")
    running = Server(tmp_path_factory.mktemp("real_server"), REAL_MODEL)
    yield running
    assert running.stop() == 0, running.log()


@pytest.fixture
def start_server(bin_folder, tmp_path_factory):
    """Starts servers of a test's own; they end with it."""
    started = []

    def start(*flags, model=TINY_MODEL):
        started.append(Server(tmp_path_factory.mktemp("own_server"), model, *flags))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="session")
def cli(bin_folder):
    """Runs `objectdino` to its end."""
    def run(*arguments, timeout=120):
        return subprocess.run([bin_folder / "objectdino", *map(str, arguments)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout)
    return run


@pytest.fixture(scope="session")
def stubs_folder(tmp_path_factory):
    """What a Python user generates from the proto."""
    folder = tmp_path_factory.mktemp("stubs")
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-I", ROOT / "proto", f"--python_out={folder}",
                    f"--grpc_python_out={folder}", ROOT / "proto/objectdino/v1/grounding_service.proto"], check=True)
    return folder


@pytest.fixture(scope="session")
def stubs(stubs_folder):
    """The generated modules: messages and service. They share the name objectdino with the package of client/python."""
    import objectdino

    objectdino.__path__.append(str(stubs_folder / "objectdino"))
    return (importlib.import_module("objectdino.v1.grounding_service_pb2"),
            importlib.import_module("objectdino.v1.grounding_service_pb2_grpc"))


@pytest.fixture(scope="session")
def ground(stubs):
    """Calls Ground with stubs: ground(server, bytes, **options) -> response."""
    import grpc  # with the environment set above

    pb, rpc = stubs

    def call(running, encoded, **options):
        with grpc.insecure_channel(running.grpc) as channel:
            request = pb.GroundRequest(image=pb.Image(encoded=encoded), options=pb.GroundOptions(**options))
            return rpc.GroundingServiceStub(channel).Ground(request, timeout=60)
    return call
