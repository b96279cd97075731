# SPDX-License-Identifier: Apache-2.0
"""`objectdino load` against the real server."""
import csv
import json
import signal
import subprocess
import time

import numpy as np
import pytest

from conftest import BIN, ROOT

EXAMPLES = ROOT / "examples"
STAGES = ["decode", "preprocess", "queue", "backbone", "heads", "objects", "masks", "encode"]


def check_figures(document):
    """What holds for every run in which nothing failed."""
    requests, latency = document["requests"], document["latency_ms"]
    assert document["codes"] == {"OK": requests["completed"]}, document["errors"]
    assert requests["offered"] == requests["sent"] == requests["completed"] == latency["count"] > 0
    assert requests["dropped"] == requests["unfinished"] == 0
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99_9"] <= latency["max"]
    assert list(document["stages_ms"]) == STAGES
    stages = document["stages_ms"]
    assert all(stage["count"] == latency["count"] for stage in stages.values())
    # All that the server reports happened while the client waited.
    assert stages["backbone"]["mean"] > 0
    assert sum(stage["mean"] for stage in stages.values()) <= latency["mean"]
    assert document["batch_size"]["mean"] >= 1
    for count in ("offered", "sent"):
        assert sum(second[count] for second in document["series"] if second["second"] >= 0) == requests["offered"]


def test_load_closed_loop_figures_agree(cli, real_server):
    done = cli("load", EXAMPLES, "--server", real_server.grpc, "--concurrency", 2, "--duration", 2, "--warmup", 0.5,
               "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    check_figures(document)
    assert document["setup"]["mode"] == "closed"
    # Little's law: what is out at once is throughput times latency.
    out = document["throughput_per_second"] * document["latency_ms"]["mean"] / 1000
    assert 1 < out < 3, document


def test_load_open_loop_figures_agree(cli, real_server):
    done = cli("load", EXAMPLES, "--server", real_server.grpc, "--rate", 4, "--duration", 2, "--seed", 3, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    check_figures(document)
    assert document["setup"]["mode"] == "open"
    again = cli("load", EXAMPLES, "--server", real_server.grpc, "--rate", 4, "--duration", 2, "--seed", 3, "--json")
    assert json.loads(again.stdout)["requests"]["offered"] == document["requests"]["offered"], "arrivals are seeded"


def test_load_figures_are_those_of_numpy_on_the_raw_requests(cli, server, tmp_path):
    raw = tmp_path / "requests.csv"
    done = cli("load", EXAMPLES, "--server", server.grpc, "--rate", 60, "--duration", 3, "--warmup", 1, "--deadline", 60,
               "--bad-share", 0.1, "--cancel-share", 0.1, "--cancel-after", "1:20", "--csv", raw, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    with open(raw, newline="") as file:
        rows = list(csv.DictReader(file))
    column = {name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "code"}
    code = np.array([row["code"] for row in rows])
    latency = column["answered_seconds"] - column["due_seconds"]
    counts = column["counts"] == 1
    plain = (column["bad_input"] == 0) & (column["cancel_planned"] == 0)
    in_window = (column["answered_seconds"] >= 1) & (column["answered_seconds"] <= 4)
    in_time = plain & (code == "OK") & (latency <= column["deadline_seconds"])

    assert (counts == (column["due_seconds"] >= 1)).all()
    assert document["requests"]["offered"] == counts.sum() > 100
    ok_ms = 1000 * latency[counts & plain & (code == "OK")]
    assert document["latency_ms"]["count"] == len(ok_ms) > 0
    for name, percent in (("p50", 50), ("p90", 90), ("p99", 99), ("p99_9", 99.9), ("max", 100)):
        expected = np.percentile(ok_ms, percent, method="inverted_cdf")
        assert document["latency_ms"][name] == pytest.approx(expected, abs=1e-5), name
    assert document["latency_ms"]["mean"] == pytest.approx(ok_ms.mean(), abs=1e-5)
    assert document["throughput_per_second"] == pytest.approx((in_window & plain & (code == "OK")).sum() / 3)
    assert document["goodput_per_second"] == pytest.approx((in_window & in_time).sum() / 3)
    assert document["goodput_share"] == pytest.approx(in_time[counts].sum() / (counts & plain).sum())
    assert document["codes"] == {name: (counts & (code == name)).sum() for name in set(code[counts])}


def test_load_bad_input_refused_by_the_server(cli, server):
    done = cli("load", EXAMPLES, "--server", server.grpc, "--requests", 60, "--concurrency", 4, "--bad-share", 0.5,
               "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    bad = document["bad_input"]
    assert bad["refused"] == bad["sent"] > 10
    assert document["codes"]["OK"] == 60 - bad["sent"]


def test_load_table_has_every_row(cli, server):
    done = cli("load", EXAMPLES, "--server", server.grpc, "--requests", 8, "--sizes", "112,224")
    assert done.returncode == 0, done.stderr
    for row in ("load ", "images ", "requests ", "rates ", "codes ", "OK ", "  backbone ", "lag ", "batch ", "bytes ",
                "generator "):
        assert any(line.startswith(row) for line in done.stdout.splitlines()), (row, done.stdout)


def test_load_interrupted_prints_what_it_has(server):
    process = subprocess.Popen([BIN / "objectdino", "load", EXAMPLES, "--server", server.grpc, "--duration", "100",
                                "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    document = json.loads(out)
    assert document["interrupted"] and document["codes"]["OK"] > 0
    assert document["window_seconds"] < 50
    assert document["requests"]["unfinished"] == 0


def test_load_retry_survives_a_restart(start_server):
    """A client that tries again notices nothing when the server is away for a while."""
    first = start_server()
    load = subprocess.Popen([BIN / "objectdino", "load", EXAMPLES, "--server", first.grpc, "--rate", "10", "--duration",
                             "5", "--retry", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)
    time.sleep(1.5)
    assert first.stop() == 0
    time.sleep(0.5)
    start_server("--listen", first.grpc)
    out, err = load.communicate(timeout=120)
    assert load.returncode == 0, err
    document = json.loads(out)
    assert document["codes"] == {"OK": document["requests"]["offered"]}, document["errors"]
    assert document["attempts"]["retried_requests"] > 0
