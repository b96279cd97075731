# SPDX-License-Identifier: Apache-2.0
"""How the server starts, what connections may do to it, and how it stops."""
import collections
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import BIN, ROOT, TINY_MODEL, error_lines

IMAGE = (ROOT / "examples" / "astronaut.jpg").read_bytes()
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
WATCH = "/grpc.health.v1.Health/Watch"


def log_lines(running):
    return [json.loads(line) for line in running.log().splitlines()]


def events(running, name):
    return [line for line in log_lines(running) if line["event"] == name]


# ---------------------------------------------------------------- start

def test_start_warms_up_before_it_serves(start_server):
    names = [line["event"] for line in log_lines(start_server("--lanes", "3"))]
    assert names.index("server.loaded") < names.index("server.warm") < names.index("server.ready")
    quick = start_server("--no-warm-up")
    assert not events(quick, "server.warm") and events(quick, "server.ready")


def test_start_configuration_is_logged_once_wherever_it_comes_from(start_server, tmp_path, monkeypatch):
    file = tmp_path / "server.toml"
    file.write_text("# of the test\nmax-queue = 7  # few\ngrace-seconds = 1\nlanes = 1\n")
    monkeypatch.setenv("OBJECTDINO_GRACE_SECONDS", "2")
    monkeypatch.setenv("OBJECTDINO_LANES", "2")
    running = start_server("--config", file, "--lanes", "3")
    config, = events(running, "server.config")
    assert (config["max_queue"], config["grace_seconds"], config["lanes"]) == (7, 2, 3)
    assert config["config"] == str(file)
    assert config["decode_threads"] == 3, "resolved"
    help_text = subprocess.run([BIN / "objectdino-server", "--help"], capture_output=True, text=True, timeout=60).stdout
    flags = {line.split()[0].split(",")[0][2:] for line in help_text.splitlines() if line.startswith("  --")}
    assert {flag.replace("-", "_") for flag in flags - {"version"}} <= config.keys()


def test_start_knows_the_cores_of_its_affinity(bin_folder, start_server):
    core = min(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        running = start_server()
    finally:
        os.sched_setaffinity(0, before)
    starting, = events(running, "server.starting")
    assert starting["cores"] == starting["cores_pinned"] == starting["lanes"] == 1


def test_start_as_root_is_warned_about(start_server):
    warned = bool(events(start_server(), "server.running_as_root"))
    assert warned == (os.geteuid() == 0)


@pytest.mark.parametrize("text, why", [("speed = 9\n", "line 1: unknown key 'speed'"),
                                       ("lanes = 1\nlanes\n", "line 2"), ("[tls]\ncrt = 'a'\n", "'tls-crt'")])
def test_start_bad_configuration_file_exits_2_with_one_line(bin_folder, tmp_path, text, why):
    file = tmp_path / "server.toml"
    file.write_text(text)
    done = subprocess.run([BIN / "objectdino-server", "--model", TINY_MODEL, "--config", file], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 2
    line, = error_lines(done.stderr)
    assert why in line


def test_start_process_metrics_are_shown(start_server):
    running = start_server()
    samples = running.scrape()
    assert samples["process_resident_memory_bytes"] > 1e6
    assert abs(samples["process_start_time_seconds"] - time.time()) < 60
    assert samples["process_threads"] == len(os.listdir(f"/proc/{running.process.pid}/task"))
    # One more or less while a scrape is answered: its connection, the folder that is read.
    assert abs(samples["process_open_fds"] - len(os.listdir(f"/proc/{running.process.pid}/fd"))) <= 3
    assert samples["process_cpu_seconds_total"] > 0


# ---------------------------------------------------------------- connections

def test_connection_past_its_age_is_replaced_unnoticed(start_server, ground):
    import grpc
    running = start_server("--max-connection-age-seconds", "1", "--max-connection-age-grace-seconds", "10")
    states = []
    with grpc.insecure_channel(running.grpc) as channel:
        channel.subscribe(states.append, try_to_connect=True)
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        end = time.monotonic() + 3.5
        while time.monotonic() < end:
            assert check(b"", timeout=10) == SERVING
            time.sleep(0.01)
    assert states.count(grpc.ChannelConnectivity.READY) >= 2, states


def test_connection_without_calls_is_closed(start_server):
    import grpc
    running = start_server("--max-connection-idle-seconds", "1")
    ready, gone = threading.Event(), threading.Event()

    def watch(state):
        if state == grpc.ChannelConnectivity.READY:
            ready.set()
        elif ready.is_set():
            gone.set()
    with grpc.insecure_channel(running.grpc) as channel:
        channel.subscribe(watch, try_to_connect=True)
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=10) == SERVING
        assert ready.wait(10)
        assert gone.wait(10), "the idle connection stays"


def test_connection_has_so_many_streams_and_no_more(start_server):
    import grpc
    running = start_server("--max-concurrent-streams", "2")
    with grpc.insecure_channel(running.grpc) as channel:
        watches = [channel.unary_stream(WATCH)(b"", timeout=60) for _ in range(2)]
        for watch in watches:
            assert next(watch) == SERVING
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        with pytest.raises(grpc.RpcError) as failed:
            check(b"", timeout=0.5)
        assert failed.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        watches[0].cancel()
        assert check(b"", timeout=10) == SERVING


# ---------------------------------------------------------------- stop

class Load:
    """A closed loop of callers over one connection each, until they are turned away; `outcomes` is their codes."""

    def __init__(self, stubs, address, callers=8):
        self.outcomes = []
        self._stubs, self._address = stubs, address
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._loop) for _ in range(callers)]
        for thread in self._threads:
            thread.start()

    def _loop(self):
        import grpc
        pb, rpc = self._stubs
        request = pb.GroundRequest(image=pb.Image(encoded=IMAGE))
        with grpc.insecure_channel(self._address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            rpcs = rpc.GroundingServiceStub(channel)
            while not self._over.is_set():
                code = "OK"
                try:
                    rpcs.Ground(request, timeout=30)
                except grpc.RpcError as error:
                    code = error.code().name
                self.outcomes.append(code)
                if code != "OK":
                    return  # it has other servers; and what reaches a connection that is closed can undo an answer

    def wait_for_calls(self, count):
        deadline = time.monotonic() + 60
        while len(self.outcomes) < count:
            assert time.monotonic() < deadline, self.outcomes
            time.sleep(0.01)

    def end(self):
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_stop_under_load_loses_no_request(start_server, stubs, number):
    running = start_server()
    load = Load(stubs, running.grpc)
    try:
        load.wait_for_calls(40)
        assert running.stop(number) == 0, running.log()
    finally:
        load.end()
    codes = collections.Counter(load.outcomes)
    assert codes.keys() <= {"OK", "UNAVAILABLE"}, codes
    # What the server answered, its callers have got; what it turned away, it had not let in.
    done = events(running, "ground.done")
    served = collections.Counter(line["code"] for line in done)
    assert served["OK"] == codes["OK"], (served, codes)
    assert served.keys() <= {"OK", "UNAVAILABLE"}
    assert all(line["decode_ms"] == line["queue_ms"] == 0 for line in done if line["code"] == "UNAVAILABLE")
    stopped, = events(running, "server.stopped")
    assert stopped["all_finished"] is True


def test_stop_is_seen_by_those_who_watch_and_still_serves_for_the_delay(start_server, ground):
    import grpc
    running = start_server("--drain-delay-seconds", "2")
    with grpc.insecure_channel(running.grpc) as channel:
        watch = channel.unary_stream(WATCH)(b"", timeout=60)
        assert next(watch) == SERVING
        signalled = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        assert next(watch) == NOT_SERVING
        assert running.scrape()["objectdino_model_ready"] == 0
        ground(running, IMAGE)  # still taken
        assert running.process.poll() is None
        with pytest.raises(grpc.RpcError) as ended:
            list(watch)
        assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    assert running.process.wait(30) == 0
    assert time.monotonic() - signalled > 2


def test_stop_second_signal_forces_it_with_3(start_server):
    running = start_server("--drain-delay-seconds", "600")
    running.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 30
    while not events(running, "server.draining"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert running.process.poll() is None
    assert running.stop() == 3
    assert events(running, "server.forced")


def test_stop_second_signal_at_the_end_is_harmless(start_server):
    for milliseconds in (0, 1, 10, 90, 100, 110, 120, 130):
        running = start_server("--no-warm-up")
        running.process.send_signal(signal.SIGTERM)
        time.sleep(milliseconds / 1000)
        assert running.stop() in (0, 3), f"{milliseconds} ms: {running.log()}"


def test_stop_during_the_start_is_clean(bin_folder, tmp_path):
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen([BIN / "objectdino-server", "--model", TINY_MODEL, "--listen", "127.0.0.1:0",
                                    "--metrics-listen", "none"], stdout=log, stderr=log)
        try:
            while b"server.starting" not in (tmp_path / "log").read_bytes():
                assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()


def test_stop_client_that_never_speaks_does_not_hold_it_up(start_server):
    running = start_server()
    for address in (running.grpc, running.metrics):
        host, port = address.rsplit(":", 1)
        silent = socket.create_connection((host, int(port)))
        silent.sendall(b"GET")  # half a word, in either protocol
    assert running.stop() == 0
    silent.close()
