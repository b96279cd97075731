# SPDX-License-Identifier: Apache-2.0
"""Clients that share no code with ours: Python stubs, `buf curl` (Go) through reflection, and Node.js (plain JavaScript)."""
import base64
import json
import os
import shutil
import subprocess
import sys
import time

import grpc
import pytest

from conftest import ROOT

INTEROP = ROOT / "tests" / "interop"
ASTRONAUT = ROOT / "examples" / "astronaut.jpg"
SERVICE = "objectdino.v1.GroundingService"
# Computes for a second or so, whatever the model: long enough to give it up.
SLOW = {"method": "METHOD_OBJECT_DINO_PAPER", "input_size": 560}


@pytest.fixture(scope="module", autouse=True)
def installed():
    if shutil.which("node") is None or not (INTEROP / "node_modules").is_dir():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Node.js clients, scripts/test installs them")


# ---- Python -----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def health_stubs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("health")
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-I", ROOT / "proto/grpc/health/v1",
                    f"--python_out={folder}", f"--grpc_python_out={folder}", "health.proto"], check=True)
    sys.path.insert(0, str(folder))
    try:
        import health_pb2
        import health_pb2_grpc
        return health_pb2, health_pb2_grpc
    finally:
        sys.path.remove(str(folder))


@pytest.mark.parametrize("name", ["", SERVICE])
def test_python_health_check_is_serving(server, health_stubs, name):
    pb, rpc = health_stubs
    with grpc.insecure_channel(server.grpc) as channel:
        answer = rpc.HealthStub(channel).Check(pb.HealthCheckRequest(service=name), timeout=10)
    assert answer.status == pb.HealthCheckResponse.SERVING


def test_python_health_check_of_a_stranger_is_not_found(server, health_stubs):
    pb, rpc = health_stubs
    with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
        rpc.HealthStub(channel).Check(pb.HealthCheckRequest(service="nobody"), timeout=10)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_python_health_watch_sees_the_stop(start_server, health_stubs):
    pb, rpc = health_stubs
    running = start_server()
    with grpc.insecure_channel(running.grpc) as channel:
        watch = rpc.HealthStub(channel).Watch(pb.HealthCheckRequest(service=SERVICE), timeout=60)
        assert next(watch).status == pb.HealthCheckResponse.SERVING
        running.process.terminate()
        assert next(watch).status == pb.HealthCheckResponse.NOT_SERVING


def test_python_model_info_names_the_model(server, stubs):
    pb, rpc = stubs
    with grpc.insecure_channel(server.grpc) as channel:
        info = rpc.GroundingServiceStub(channel).GetModelInfo(pb.GetModelInfoRequest(), timeout=10)
    assert (info.model.name, info.layers, info.patch_size) == ("tiny", 4, 14)


# ---- buf curl ---------------------------------------------------------------------------------------------------------

@pytest.fixture
def buf_curl(server, tmp_path):
    """Calls a method, knowing nothing but what the server's reflection tells: buf_curl(path, message)."""
    def run(path, message=None, *flags):
        data = [] if message is None else ["--data", "@-"]
        return subprocess.run(
            [INTEROP / "node_modules/.bin/buf", "curl", "--reflect", "--protocol", "grpc", "--http2-prior-knowledge",
             *flags, *data, f"http://{server.grpc}{path}"], input=json.dumps(message or {}), text=True,
            capture_output=True, timeout=60, env={**os.environ, "NO_PROXY": "127.0.0.1", "BUF_CACHE_DIR": str(tmp_path)})
    return run


def answer_of(run):
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_reflection_lists_the_services(buf_curl):
    listed = buf_curl("", None, "--list-services")
    assert listed.returncode == 0, listed.stderr
    assert {SERVICE, "grpc.health.v1.Health"} <= set(listed.stdout.split())


def test_buf_curl_health_check_is_serving(buf_curl):
    assert answer_of(buf_curl("/grpc.health.v1.Health/Check", {"service": SERVICE})) == {"status": "SERVING"}


def test_buf_curl_model_info_names_the_model(buf_curl):
    info = answer_of(buf_curl(f"/{SERVICE}/GetModelInfo", {}))
    assert info["model"]["name"] == "tiny" and info["methods"]


def test_buf_curl_ground_answers_as_python_is_answered(buf_curl, ground, server):
    encoded = ASTRONAUT.read_bytes()
    answer = answer_of(buf_curl(f"/{SERVICE}/Ground", {"image": {"encoded": base64.b64encode(encoded).decode()}}))
    expected = ground(server, encoded)
    assert base64.b64decode(answer["objectness"]["data"]) == expected.objectness.data
    assert [found["score"] for found in answer["objects"]] == pytest.approx([o.score for o in expected.objects])


def test_buf_curl_bad_image_is_refused(buf_curl):
    refused = buf_curl(f"/{SERVICE}/Ground", {"image": {"encoded": "AAAA"}})
    assert refused.returncode != 0
    error = json.loads(refused.stderr)
    assert error["code"] == "invalid_argument"
    assert [detail["type"] for detail in error["details"]] == ["google.rpc.BadRequest"]


def test_buf_curl_verify_scores_regions_and_grounds_as_ground_does(buf_curl, ground, server):
    encoded = ASTRONAUT.read_bytes()
    regions = [{"box": {"x1": 50, "y1": 60, "x2": 300, "y2": 400}}, {"point": {"x": 10, "y": 20}}]
    answer = answer_of(buf_curl(f"/{SERVICE}/VerifyRegions", {
        "image": {"encoded": base64.b64encode(encoded).decode()}, "regions": regions}))
    assert len(answer["scores"]) == 2 and answer["scores"][0]["box"] == {"x1": 50, "y1": 60, "x2": 300, "y2": 400}
    assert base64.b64decode(answer["grounding"]["objectness"]["data"]) == ground(server, encoded).objectness.data


# ---- Node.js ----------------------------------------------------------------------------------------------------------

def node_command(running, *arguments):
    return ["node", INTEROP / "client.js", running.grpc, *map(str, arguments)]


def node(running, *arguments):
    """The answers of a call."""
    run = subprocess.run(node_command(running, *arguments), capture_output=True, text=True, timeout=180)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.mark.parametrize("name", ["", SERVICE])
def test_node_health_check_is_serving(server, name):
    assert node(server, "health", name) == [{"status": "SERVING"}]


def test_node_health_check_of_a_stranger_is_not_found(server):
    assert [answer["code"] for answer in node(server, "health", "nobody")] == ["NOT_FOUND"]


def test_node_health_watch_sees_the_stop(start_server):
    running = start_server()
    with subprocess.Popen(node_command(running, "watch"), stdout=subprocess.PIPE, text=True) as watch:
        assert json.loads(watch.stdout.readline()) == {"status": "SERVING"}
        running.process.terminate()
        assert json.loads(watch.stdout.readline()) == {"status": "NOT_SERVING"}


def test_node_model_info_names_the_model(server):
    [info] = node(server, "info")
    assert (info["model"]["name"], info["limits"]["max_pixels"]) == ("tiny", 50_000_000)


def test_node_ground_answers_as_python_is_answered(server, ground):
    [answer] = node(server, "ground", ASTRONAUT)
    expected = ground(server, ASTRONAUT.read_bytes())
    assert answer["request_id"] == "node"
    assert bytes(answer["objectness"]["data"]["data"]) == expected.objectness.data
    assert len(answer["objects"]) == len(expected.objects) > 0
    for theirs, ours in zip(answer["objects"], expected.objects):
        assert theirs["score"] == ours.score
        assert [theirs["box"][side] for side in ("x1", "y1", "x2", "y2")] == [
            ours.box.x1, ours.box.y1, ours.box.x2, ours.box.y2]


def test_node_bad_image_is_refused_with_the_field(server):
    [error] = node(server, "ground", ROOT / "tests/data/text.jpg")
    assert error["code"] == "INVALID_ARGUMENT"
    assert error["details"] == [{"type": "google.rpc.BadRequest", "fieldViolations": [
        {"field": "image.encoded", "description": error["message"]}]}]


def test_node_bad_option_is_refused_with_the_field(server):
    [error] = node(server, "ground", ASTRONAUT, json.dumps({"options": {"clusters": 1}}))
    assert error["code"] == "INVALID_ARGUMENT"
    assert error["details"][0]["fieldViolations"][0]["field"] == "options.clusters"


@pytest.mark.parametrize("command, settings, code", [
    ("ground", {"timeout_ms": 150}, "DEADLINE_EXCEEDED"), ("cancel", {"cancel_after_ms": 150}, "CANCELLED")])
def test_node_call_that_is_given_up_is_given_up_by_the_server_too(start_server, command, settings, code):
    running = start_server("--lanes", "1")

    def is_counted():
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if running.scrape().get(f'objectdino_requests_total{{code="{code}",method="Ground"}}', 0) > 0:
                return True
            time.sleep(0.05)
        return False

    for _ in range(3):  # on a busy machine a call may be given up before it is sent
        [error] = node(running, command, ASTRONAUT, json.dumps({**settings, "options": SLOW}))
        assert error["code"] == code
        if is_counted():
            return
    pytest.fail(f"the server counted no {code}:\n{running.log()}")


def test_node_stream_answers_each_item_with_its_own_status(server):
    answers = node(server, "stream", ASTRONAUT)
    codes = {answer["request_id"]: answer.get("code", 0) for answer in answers}
    assert codes == {"0": 0, "1": grpc.StatusCode.INVALID_ARGUMENT.value[0], "2": 0}
