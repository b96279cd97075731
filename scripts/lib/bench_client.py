# SPDX-License-Identifier: Apache-2.0
"""What the Python client costs and reaches, as JSON; scripts/bench_service runs this with the project's Python.

cost ADDRESS CALLS IMAGE...    CPU time for an answer, from its bytes to its objects and map as NumPy arrays; and of
                               whole calls, sending included, beside those of a bare stub
many ADDRESS SECONDS IMAGE...  images a second of ground_many at concurrency 8, after two seconds of the same
"""

from __future__ import annotations

import argparse
import itertools
import json
import pathlib
import statistics
import time

import grpc

from objectdino import Grounding, GroundingClient
from objectdino._proto import grounding_service_pb2 as pb

CONCURRENCY = 8
WARM_UP_SECONDS = 2


def read(grounding: Grounding) -> int:
    """Looks at all of the objects and at the map."""
    for found in grounding.objects:
        _ = found.score, found.box, found.box_norm, found.patch_mask, found.anchor, found.embedding
    return grounding.objectness.size + len(grounding.objects)


def cost(address: str, images: list[bytes], calls: int) -> dict[str, float]:
    answer_ms: list[float] = []
    cpu_ms: dict[str, list[float]] = {"client": [], "stub": []}
    with GroundingClient(address, timeout=60) as client, grpc.insecure_channel(address) as channel:
        stub = channel.unary_unary(
            "/objectdino.v1.GroundingService/Ground", pb.GroundRequest.SerializeToString, lambda answer: answer
        )
        requests = [pb.GroundRequest(image=pb.Image(encoded=image)) for image in images]
        for number, image, request in zip(range(-20, calls), itertools.cycle(images), itertools.cycle(requests)):
            begin = time.process_time_ns()
            client.ground(image)
            middle = time.process_time_ns()
            answer = stub(request, timeout=60)
            end = time.process_time_ns()
            read(Grounding(pb.GroundResponse.FromString(answer)))
            after = time.process_time_ns()
            if number >= 0:  # the first ones connect and warm up
                cpu_ms["client"].append((middle - begin) / 1e6)
                cpu_ms["stub"].append((end - middle) / 1e6)
                answer_ms.append((after - end) / 1e6)
    return {
        "calls": calls,
        "answer_ms": statistics.mean(answer_ms),
        "answer_p95_ms": sorted(answer_ms)[int(0.95 * calls)],
        "client_ms": statistics.median(cpu_ms["client"]),
        "stub_ms": statistics.median(cpu_ms["stub"]),
    }


def many(address: str, images: list[bytes], seconds: float) -> dict[str, float]:
    failed = done = 0
    with GroundingClient(address, timeout=30) as client:
        results = client.ground_many(itertools.cycle(images), concurrency=CONCURRENCY)
        begin = time.monotonic()
        for result in results:
            now = time.monotonic()
            if now - begin < WARM_UP_SECONDS:
                continue
            if not done:
                first = now
            done += 1
            failed += not isinstance(result, Grounding)
            if isinstance(result, Grounding):
                read(result)
            if now - first >= seconds:
                break
        results.close()
    return {"images_per_second": (done - 1) / (now - first), "failed": failed}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", choices=["cost", "many"])
    parser.add_argument("address")
    parser.add_argument("amount", type=float, help="calls, or seconds")
    parser.add_argument("images", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    images = [path.read_bytes() for path in args.images]
    if args.figure == "cost":
        print(json.dumps(cost(args.address, images, int(args.amount))))
    else:
        print(json.dumps(many(args.address, images, args.amount)))


if __name__ == "__main__":
    main()
