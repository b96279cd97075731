# SPDX-License-Identifier: Apache-2.0
"""Write the corpora of the readers of weights: small files, well-formed and broken in one way each.

    python tests/fuzz/make_corpus.py
"""

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
FOREVER = (1980, 1, 1, 0, 0, 0)


def write(folder: str, files: dict[str, bytes]):
    (CORPUS / folder).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (CORPUS / folder / name).write_bytes(content)


# ---- safetensors ------------------------------------------------------------------------------------------------


def safetensors(header, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: str, shape: list, *offsets: int) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": list(offsets)}


def safetensors_files() -> dict[str, bytes]:
    two = {"a": entry("F32", [1], 0, 4), "blocks.0.attn.qkv.weight": entry("BF16", [2, 1], 4, 8)}
    shapes = {
        "cls_token": [1, 1, 64], "pos_embed": [1, 2, 64], "patch_embed.proj.weight": [64, 3, 1, 1],
        "blocks.0.attn.qkv.weight": [192, 64], "blocks.0.ls1.gamma": [64], "blocks.0.mlp.fc2.weight": [64, 1],
    }  # fmt: skip
    model, end = {}, 0
    for name, shape in shapes.items():
        size = 1
        for side in shape:
            size *= side
        model[name] = entry("U8", shape, end, end + size)
        end += size
    whole = safetensors(two, b"12345678")
    nested = b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}"
    return {
        "two": whole,
        "model": safetensors(model, bytes(end)),
        "metadata": safetensors({"__metadata__": {"format": "pt"}, "a": entry("BOOL", [], 0, 1)}, b"1"),
        "truncated": whole[:-3],
        "truncated_header": whole[:30],
        "overlap": safetensors({"a": entry("U8", [3], 0, 3), "b": entry("U8", [3], 2, 5)}, b"12345"),
        "hole": safetensors({"a": entry("U8", [1], 0, 1), "b": entry("U8", [1], 2, 3)}, b"123"),
        "wrong_dtype": safetensors({"a": entry("F31", [1], 0, 4)}, b"1234"),
        "wrong_size": safetensors({"a": entry("F64", [1], 0, 4)}, b"1234"),
        "overflow": safetensors({"a": entry("F32", [2**62], 0, 0)}),
        "zeros": safetensors({"a": entry("F32", [2**62, 2**62, 0], 0, 0)}),
        "backwards": safetensors({"a": entry("U8", [1], 1, 0)}, b"1"),
        "negative": safetensors({"a": entry("U8", [-1], 0, 1)}, b"1"),
        "twice": safetensors(b'{"a":%s,"a":%s}' % ((json.dumps(entry("U8", [0], 0, 0)).encode(),) * 2)),
        "huge_header": struct.pack("<Q", 2**63) + b"{}",
        "long_header": struct.pack("<Q", 99_999_999) + b"{}",
        "nested": safetensors(nested),
        "config": json.dumps({"model_type": "dinov3_vit", "hidden_size": 64, "num_attention_heads": 1}).encode(),
    }


# ---- PyTorch ----------------------------------------------------------------------------------------------------


class Call:
    """Pickles as a call of a function, which is what a hostile file does."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0%bX\3\0\0\0cpuK%ctQK%c%b%b\x89}tR"
)


def number(value: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", value)


def tensor(shape, strides, key: bytes = b"0", elements: int = 16, offset: int = 0) -> bytes:
    sides, steps = (b"(" + b"".join(map(number, numbers)) + b"t" for numbers in (shape, strides))
    return TENSOR % (key, elements, offset, sides, steps)


def text(value: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value


def program(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


def state(*items: bytes) -> bytes:
    return b"}(" + b"".join(items) + b"u"


def archive(data: bytes, storage: bytes = bytes(64), method=zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, content in (("x/data.pkl", data), ("x/byteorder", b"little"), ("x/data/0", storage)):
            file.writestr(zipfile.ZipInfo(name, FOREVER), content, method)
    return out.getvalue()


def torch_files() -> dict[str, bytes]:
    one = program(state(text(b"cls_token"), tensor([1, 1, 4], [4, 4, 1])))
    whole = archive(one)
    end = whole.rindex(b"PK\5\6")
    files = {
        "one": one,
        "strided": program(state(text(b"w"), tensor([2, 2], [1, 2], offset=3))),
        "expanded": program(state(text(b"w"), tensor([10**9], [0]))),
        "outside": program(state(text(b"w"), tensor([4, 4], [5, 1]))),
        "negative": program(state(text(b"w"), tensor([4], [-1], offset=9))),
        "overflow": program(state(text(b"w"), tensor([2**62, 4], [2**62, 2**62]))),
        "no_storage": program(state(text(b"w"), tensor([1], [1], key=b"9"))),
        "short_storage": program(state(text(b"w"), tensor([1], [1], key=b"1", elements=2))),
        "teacher": program(state(text(b"student"), b"}", text(b"teacher"), state(text(b"w"), tensor([1], [1])))),
        "twice": program(state(text(b"w"), tensor([1], [1]), text(b"w"), tensor([1], [1]))),
        "itself": program(b"}q\1", text(b"model"), b"h\1s"),
        "deep": program(b"N", b"\x85" * 5000),
        "marks": program(b"(" * 5000),
        "memo": program(b"Kq\1q\xffh\1\x85"),
        "system": pickle.dumps(Call(os.system, "true"), protocol=2),
        "eval": pickle.dumps({"w": Call(eval, "1")}, protocol=2),
        "system_inst": program(b"(S'true'\nios\nsystem\n"),
        "system_stack_global": b"\x80\x04" + text(b"os") + text(b"system") + b"\x93.",
        "namespace": program(b"cargparse\nNamespace\n)\x81", state(text(b"lr"), b"G01234567"), b"b"),
        "archive": whole,
        "archive_truncated": whole[: len(whole) // 2],
        "archive_compressed": archive(one, method=zipfile.ZIP_DEFLATED),
        "archive_short_storage": archive(one, bytes(60)),
        "archive_hostile": archive(pickle.dumps(Call(os.system, "true"), protocol=2)),
        "archive_far_directory": whole[: end + 16] + b"\xf0\xff\xff\xff" + whole[end + 20 :],
        "archive_many": whole[: end + 10] + b"\xff\xff" + whole[end + 12 :],
        "legacy": bytes.fromhex("80028a0a6cfc9c46f9206aa85019") + b".\x80\x02M\xe9\x03.",
    }
    return files


if __name__ == "__main__":
    write("safetensors", safetensors_files())
    write("torch_file", torch_files())
