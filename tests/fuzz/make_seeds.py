# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds below tests/fuzz/corpus that are made, not found: python tests/fuzz/make_seeds.py

A corpus also holds inputs that once failed; those are left alone. Needs the packages of scripts/requirements/test.txt.
"""
import importlib
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "fuzz" / "corpus"


def messages():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-I", ROOT / "proto", f"--python_out={folder}",
                        ROOT / "proto/objectdino/v1/grounding_service.proto"], check=True)
        sys.path.insert(0, folder)
        return importlib.import_module("objectdino.v1.grounding_service_pb2")


def requests():
    """Requests, and options alone: the target reads its input as either."""
    pb = messages()
    raw = pb.Image(raw=pb.RawImage(height=2, width=3, rgb=bytes(range(18))))
    gray, pixel = ((ROOT / "tests" / "data" / name).read_bytes() for name in ("gray.png", "one_pixel.png"))
    yield "raw", pb.GroundRequest(image=raw, request_id="raw-1")
    yield "raw_of_wrong_size", pb.GroundRequest(image=pb.Image(raw=pb.RawImage(height=2**31, width=2, rgb=b"1")))
    yield "no_image", pb.GroundRequest(options=pb.GroundOptions(input_size=224))
    yield "png", pb.GroundRequest(image=pb.Image(encoded=gray, orientation=pb.ORIENTATION_IGNORE))
    yield "truncated", pb.GroundRequest(image=pb.Image(encoded=pixel[:40]), options=pb.GroundOptions(allow_truncated=True))
    yield "everything", pb.GroundOptions(
        outputs=[pb.OUTPUT_OBJECTS, pb.OUTPUT_PIXEL_MASKS, pb.OUTPUT_PATCH_EMBEDDINGS, pb.OUTPUT_HEADS], max_objects=3,
        min_score=0.25, min_patches=2, method=pb.METHOD_OBJECT_DINO, head_selection=pb.HEAD_SELECTION_CLUSTERED, clusters=4,
        seed=7, input_size=300, resize_mode=pb.RESIZE_MODE_ASPECT, embedding_dtype=pb.DATA_TYPE_BF16,
        object_patches_only=True, allow_truncated=True, components=[pb.ATTENTION_COMPONENT_KEY],
        layer_scope=pb.LAYER_SCOPE_LAST_LAYER, temperature=0.125, mask_refinement=pb.MASK_REFINEMENT_NONE,
        mask_format=pb.MASK_FORMAT_PNG, embedding_source=pb.EMBEDDING_SOURCE_OBJECT_HEADS, proposals=True, mirror=True)
    yield "cut", pb.GroundOptions(method=pb.METHOD_OBJECT_DINO_CUT, affinity_threshold=0.5)
    yield "paper", pb.GroundOptions(method=pb.METHOD_OBJECT_DINO_PAPER, temperature=1, affinity_threshold=-1)
    yield "lost", pb.GroundOptions(method=pb.METHOD_LOST, input_size=560)
    yield "not_finite", pb.GroundOptions(min_score=float("nan"), temperature=float("inf"))
    yield "highlight", pb.GroundOptions(highlight=pb.Highlight(style=pb.Highlight.STYLE_JET))


def regions():
    """VerifyRegionsRequests whose image the target replaces by one of 4 x 6 pixels."""
    pb = messages()

    def request(*regions, **options):
        return pb.VerifyRegionsRequest(regions=regions, options=pb.GroundOptions(**options))

    def query(values, dtype=pb.DATA_TYPE_F32, space="", shape=(4,)):
        return pb.Region(query=pb.Embedding(values=pb.Tensor(dtype=dtype, shape=shape, data=values), space=space))

    box, point = pb.Region(box=pb.Box(x1=1, y1=1, x2=5, y2=3)), pb.Region(point=pb.Point(x=6, y=4))
    mask = pb.Region(mask=pb.Mask(height=4, width=6, coco_rle=b"55>"))
    floats = struct.pack("<4f", 1, 0, -1, 2)
    yield "box", request(box)
    yield "all_kinds", request(box, point, mask, query(floats))
    yield "box_outside", request(pb.Region(box=pb.Box(x1=7, y1=0, x2=9, y2=3)))
    yield "box_not_finite", request(pb.Region(box=pb.Box(x1=float("nan"), y2=float("inf"))))
    yield "box_sliver", request(pb.Region(box=pb.Box(x1=1, y1=1, x2=1.0000001, y2=1.0000001)))
    yield "mask_of_another_size", request(pb.Region(mask=pb.Mask(height=2**31, width=2**31, coco_rle=b"0")))
    yield "mask_damaged", request(pb.Region(mask=pb.Mask(height=4, width=6, coco_rle=b"55>o")))
    yield "mask_png", request(pb.Region(mask=pb.Mask(height=4, width=6, png=b"png")))
    yield "query_f16", request(query(floats[:8], pb.DATA_TYPE_F16, "fuzz@aaaaaaaaaaaa/final-norm/patch"))
    yield "query_of_heads", request(query(floats), embedding_source=pb.EMBEDDING_SOURCE_OBJECT_HEADS)
    yield "query_overflows", request(query(b"", shape=(2**31, 2**31, 4)))
    yield "empty", request()


def safetensors():
    def file(header, data):
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data
    yield "empty", file({}, b"")
    yield "two", file({"a": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
                       "b": {"dtype": "BF16", "shape": [], "data_offsets": [8, 10]},
                       "__metadata__": {"format": "pt"}}, bytes(10))
    yield "gap", file({"a": {"dtype": "F16", "shape": [1], "data_offsets": [2, 4]}}, bytes(4))
    yield "overflow", file({"a": {"dtype": "F64", "shape": [2**32, 2**32], "data_offsets": [0, 8]}}, bytes(8))
    yield "config.json", (ROOT / "tests" / "golden" / "tiny" / "config.json").read_bytes()


def rle():
    """Height and width, a byte each, then the string."""
    for mask in json.loads((ROOT / "tests" / "golden" / "rle.json").read_text())["masks"]:
        height, width = mask["size"]
        if height * width <= 1024 and max(height, width) < 256:
            yield f"{height}x{width}_{len(mask['counts'])}", bytes([height, width]) + mask["counts"].encode()
    yield "long_count", b"\x04\x04" + b"o" * 20 + b"1"


def main():
    for name, seeds in (("request", requests), ("regions", regions), ("safetensors", safetensors), ("rle", rle)):
        folder = CORPUS / name
        folder.mkdir(exist_ok=True)
        for seed, content in seeds():
            if not isinstance(content, bytes):
                content = content.SerializeToString(deterministic=True)
            (folder / seed).write_bytes(content)


if __name__ == "__main__":
    main()
