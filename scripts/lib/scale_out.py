# SPDX-License-Identifier: Apache-2.0
"""Replicas behind a balancer, under load, while one is killed and one is drained and replaced.

Everything runs on the loopback interface: three servers, nginx with deploy/nginx/nginx.conf or gRPC's own round_robin in the
client, `objectdino load` with retries, and a Prometheus that scrapes the servers every second. scripts/scale-out prints what
came of it; tests/python/test_scale_out.py asserts the same with a tiny model.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
STOP_SECONDS = 60
LOAD_SECONDS = 900  # at most; it is told to end


def free_ports(count):
    """Ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def wait_until(condition, what):
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {START_SECONDS} s")
        time.sleep(0.05)


class Process:
    """A child and its log; ended at the end."""

    def __init__(self, folder, name, command):
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def alive(self):
        if self.child.poll() is not None:
            raise RuntimeError(f"{self.log.name} ended early:\n{self.log.read_text(errors='replace')[-2000:]}")
        return True

    def stop(self, number=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(number)
        try:
            return self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise


class Replica:
    """An objectdino-server that keeps its two ports over its lives."""

    def __init__(self, folder, programs, model, number, ports):
        self.folder, self.name, (self.port, self.metrics_port) = folder, f"replica-{number}", ports
        self.command = [programs / "objectdino-server", "--model", model, "--lanes=1", "--drain-delay-seconds=1",
                        f"--listen=127.0.0.1:{self.port}", f"--metrics-listen=127.0.0.1:{self.metrics_port}"]
        self.lives = 0
        self.start()

    @property
    def target(self):
        return f"127.0.0.1:{self.metrics_port}"

    def start(self):
        ports = self.folder / f"{self.name}.ports-{self.lives}"
        self.lives += 1
        self.process = Process(self.folder, self.name, [*self.command, "--port-file", ports])
        wait_until(lambda: self.process.alive() and ports.exists(), self.name)

    def kill(self):
        self.process.child.kill()
        self.process.child.wait()


def started(count, stack, folder, programs, model):
    """Replicas that serve; `stack` ends what they are when it closes."""
    ports, replicas = free_ports(2 * count), []
    for i in range(count):
        replicas.append(Replica(folder, programs, model, i, ports[2 * i:2 * i + 2]))
        stack.callback(lambda r=replicas[-1]: r.process.stop())
    return replicas


class Prometheus:
    """Debian's, scraping the replicas."""

    def __init__(self, folder, replicas):
        port, = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                  "rule_files": [str(ROOT / "deploy/prometheus/rules.yaml")],
                  "scrape_configs": [{"job_name": "objectdino", "static_configs": [{"targets": [r.target for r in replicas]}]}]}
        file = folder / "prometheus.json"  # JSON is YAML
        file.write_text(json.dumps(config))
        self.process = Process(folder, "prometheus", [
            "prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address=127.0.0.1:{port}"])
        wait_until(lambda: self.process.alive() and self.answers(), "prometheus")
        wait_until(lambda: self.number("sum(objectdino_model_ready)") == len(replicas), "all replicas scraped")

    def answers(self):
        try:
            return self.get("/-/ready") is not None
        except OSError:
            return False

    def get(self, path):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, timeout=10) as response:
            return response.read().decode()

    def query(self, expression, at=None):
        """{labels as a sorted tuple: value}"""
        fields = {"query": expression, **({"time": f"{at:.3f}"} if at else {})}
        answer = json.loads(self.get("/api/v1/query?" + urllib.parse.urlencode(fields)))
        return {tuple(sorted(s["metric"].items())): float(s["value"][1]) for s in answer["data"]["result"]}

    def number(self, expression, at=None):
        return next(iter(self.query(expression, at).values()), None)

    def by_instance(self, expression, at=None):
        return {dict(labels)["instance"]: value for labels, value in self.query(expression, at).items()}


def nginx(folder, replicas):
    """nginx with the project's own file, on free ports; returns it and its address."""
    port, = free_ports(1)
    text = (ROOT / "deploy/nginx/nginx.conf").read_text()
    text = re.sub(r"(?:    server 127\.0\.0\.1:\d+( [^\n]*\n))+",
                  lambda lines: "".join(f"    server 127.0.0.1:{r.port}{lines[1]}" for r in replicas), text)
    text = text.replace("127.0.0.1:50051", f"127.0.0.1:{port}").replace("/tmp/", f"{folder}/")
    file = folder / "nginx.conf"
    file.write_text(f"daemon off;\n{text}")
    process = Process(folder, "nginx", ["/usr/sbin/nginx", "-c", file])

    def listens():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    wait_until(lambda: process.alive() and listens(), "nginx")
    return process, f"127.0.0.1:{port}"


def run(programs, model, images, balancer, callers, answers, report=lambda text: None):
    """`callers` send, each when it has its answer. When each replica has given that many answers, one is killed, and replaced once
    Prometheus has seen that it is gone; when the new one has given as many, another is told to stop, and replaced when it has;
    when that has given as many too, the load ends. Returns what the client and Prometheus say."""
    ok = 'objectdino_requests_total{method="Ground",code="OK"'
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        replicas = started(3, stack, folder, programs, model)
        if balancer == "nginx":
            front, address = nginx(folder, replicas)
            stack.callback(front.stop)
        else:
            address = "ipv4:" + ",".join(f"127.0.0.1:{r.port}" for r in replicas)
        prometheus = Prometheus(folder, replicas)
        stack.callback(prometheus.process.stop)

        begin = time.time()
        result = folder / "load.json"
        with result.open("w") as out, (folder / "load.log").open("w") as log:
            load = subprocess.Popen([str(word) for word in [
                programs / "objectdino", "load", "--server", address, "--concurrency", callers, "--duration", LOAD_SECONDS, "--retry",
                "--deadline=60000", "--json", *images]], stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        stack.callback(load.kill)

        def have_answered(some):
            assert load.poll() is None, f"the load ended early:\n{(folder / 'load.log').read_text()}"
            return all((prometheus.number(f'{ok},instance="{r.target}"}}') or 0) >= answers for r in some)

        def tell(text):
            report(f"{time.time() - begin:5.1f} s  {text}")

        wait_until(lambda: have_answered(replicas), "every replica takes part")
        before = prometheus.by_instance(f"sum by (instance) ({ok}}})")
        tell(f"each replica has given {answers} answers or more")
        replicas[1].kill()
        tell(f"{replicas[1].name} killed")
        wait_until(lambda: prometheus.number(f'up{{instance="{replicas[1].target}"}}') == 0, "Prometheus sees it")
        tell(f"Prometheus: up of {replicas[1].target} is 0")
        replicas[1].start()
        tell(f"{replicas[1].name} replaced")
        wait_until(lambda: have_answered([replicas[1]]), "the replacement takes part")
        tell(f"{replicas[1].name} has given {answers} answers since; {replicas[2].name} told to stop")
        code = replicas[2].process.stop()
        tell(f"{replicas[2].name} drained, exit code {code}")
        replicas[2].start()
        tell(f"{replicas[2].name} replaced")
        wait_until(lambda: have_answered([replicas[2]]), "the second replacement takes part")
        load.send_signal(signal.SIGINT)
        load.wait(STOP_SECONDS)
        tell("the load has ended")
        done = time.time()
        wait_until(lambda: (prometheus.number("min(timestamp(objectdino_model_ready))") or 0) > done, "the last scrape")
        after, span = time.time(), int(time.time() - begin) + 5
        return {
            "client": json.loads(result.read_text()),
            "drain_exit_code": code,
            "balance_before": before,
            "answered": prometheus.by_instance(f"sum by (instance) (increase({ok}}}[{span}s]))", after),
            "codes": {dict(labels)["code"]: count for labels, count in prometheus.query(
                f'sum by (code) (increase(objectdino_requests_total{{method="Ground"}}[{span}s])) > 0', after).items()},
            "fewest_up": prometheus.number(f"min_over_time(sum(up)[{int(done - begin)}s:1s])", done),
            "restarts": prometheus.by_instance(f"changes(process_start_time_seconds[{span}s])", after),
        }


def overload(programs, model, images, callers, requests):
    """More callers than two replicas behind nginx can serve, and none tries again; returns what the client says."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        front, address = nginx(folder, started(2, stack, folder, programs, model))
        stack.callback(front.stop)
        load = subprocess.run([str(word) for word in [
            programs / "objectdino", "load", "--server", address, "--concurrency", callers, "--requests", requests, "--json", *images]],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LOAD_SECONDS, check=False)
        return json.loads(load.stdout)
