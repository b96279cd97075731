# SPDX-License-Identifier: Apache-2.0
"""Three replicas: callers that try again see no failure while one is killed and one is drained; scripts/scale-out is this at
length, with the real model."""
import sys

import pytest

from conftest import BIN, ROOT, TINY_MODEL

sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import scale_out  # noqa: E402


@pytest.mark.parametrize("balancer", ["nginx", "round_robin"])
def test_killed_and_drained_replicas_cost_no_answer(bin_folder, balancer):
    result = scale_out.run(BIN, TINY_MODEL, [ROOT / "examples" / "astronaut.jpg"], balancer, callers=6, answers=15)
    client = result["client"]
    assert set(client["codes"]) == {"OK"} and client["requests"]["unfinished"] == 0, client["codes"]
    assert result["drain_exit_code"] == 0
    assert result["fewest_up"] <= 2, "Prometheus saw the one that was killed"
    before = result["balance_before"]
    assert len(before) == 3 and min(before.values()) >= 15, before
    assert sorted(bool(count) for count in result["restarts"].values()) == [False, True, True]


def test_overload_behind_nginx_is_told_as_overload(bin_folder):
    """Calls that a replica turns away cost neither the connection nor the replica to others."""
    images = [ROOT / "examples" / "astronaut.jpg", ROOT / "examples" / "coffee.png"]
    codes = scale_out.overload(BIN, TINY_MODEL, images, callers=200, requests=4000)["codes"]
    assert codes["RESOURCE_EXHAUSTED"] > 100 and sum(codes.values()) == 4000, codes
    assert set(codes) == {"OK", "RESOURCE_EXHAUSTED"}, codes
