# SPDX-License-Identifier: Apache-2.0
"""Tiny models of every family in every layout that people hold, for the test of core/weights.

Each element follows from its tensor's canonical name and its place (`values`), so that the test knows what it must
read without a second file. transformers' own classes check and write the Hugging Face folders; the names of timm and
of the authors' code are stated here. Every value is exact in fp32, fp16 and bf16.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    ViTConfig,
    ViTModel,
)

WIDTH, LAYERS, PATCH, GRID, REGISTERS = 64, 2, 2, 3, 4
HIDDEN = {False: 16, True: 32}  # plain, gated


def values(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    start = sum(name.encode())
    count = int(np.prod(shape))
    steps = (start + 37 * np.arange(count)) % 251
    return torch.from_numpy(((steps - 125) / 64).astype(np.float32)).reshape(shape)


def canonical(family: str, registers: int, gated: bool, qkv_bias: bool = True) -> dict[str, torch.Tensor]:
    """Every tensor of a model under our own names."""
    hidden = HIDDEN[gated]
    shapes: dict[str, tuple[int, ...]] = {"cls_token": (1, 1, WIDTH)}
    if registers:
        shapes["register_tokens"] = (1, registers, WIDTH)
    if family != "dinov3":
        shapes["pos_embed"] = (1, 1 + GRID * GRID, WIDTH)

    def linear(name: str, out: int, *rest: int):
        shapes[name + ".weight"] = (out, *rest)
        shapes[name + ".bias"] = (out,)

    linear("patch_embed.proj", WIDTH, 3, PATCH, PATCH)
    for i in range(LAYERS):
        at = f"blocks.{i}."
        linear(at + "norm1", WIDTH)
        linear(at + "norm2", WIDTH)
        linear(at + "attn.qkv", 3 * WIDTH, WIDTH)
        linear(at + "attn.proj", WIDTH, WIDTH)
        if family != "dino":
            shapes |= {at + "ls1.gamma": (WIDTH,), at + "ls2.gamma": (WIDTH,)}
        linear(at + ("mlp.w12" if gated else "mlp.fc1"), (2 if gated else 1) * hidden, WIDTH)
        linear(at + ("mlp.w3" if gated else "mlp.fc2"), WIDTH, hidden)
    linear("norm", WIDTH)
    tensors = {name: values(name, shape) for name, shape in shapes.items()}
    for name, tensor in tensors.items():
        if name.endswith("attn.qkv.bias") and family == "dinov3":
            tensor[WIDTH : 2 * WIDTH] = 0  # keys have none
            if not qkv_bias:
                tensor[:] = 0
    return tensors


def thirds(tensors: dict, i: int, leaf: str):
    return tensors[f"blocks.{i}.attn.qkv.{leaf}"].chunk(3)


# ---- Hugging Face -----------------------------------------------------------------------------------------------


def hugging_face(family: str, tensors: dict, gated: bool) -> dict[str, torch.Tensor]:
    embeddings, inner = "embeddings.", family
    out = {embeddings + "cls_token": tensors["cls_token"]}
    if "register_tokens" in tensors:
        out[embeddings + "register_tokens"] = tensors["register_tokens"]
    if "pos_embed" in tensors:
        out[embeddings + "position_embeddings"] = tensors["pos_embed"]
    if inner != "dino":
        out[embeddings + "mask_token"] = torch.zeros((1, 1, WIDTH) if inner == "dinov3" else (1, WIDTH))
    patches = "patch_embeddings." + ("" if inner == "dinov3" else "projection.")
    for leaf in ("weight", "bias"):
        out[embeddings + patches + leaf] = tensors["patch_embed.proj." + leaf]
        out[("norm." if inner == "dinov3" else "layernorm.") + leaf] = tensors["norm." + leaf]
    for i in range(LAYERS):
        ours, at = f"blocks.{i}.", f"{'layer' if inner == 'dinov3' else 'encoder.layer'}.{i}."
        for leaf in ("weight", "bias"):
            for number in ("1", "2"):
                norm = {"1": "layernorm_before", "2": "layernorm_after"}[number] if inner == "dino" else "norm" + number
                out[f"{at}{norm}.{leaf}"] = tensors[f"{ours}norm{number}.{leaf}"]
            names = ("attention.q_proj", "attention.k_proj", "attention.v_proj")
            if inner != "dinov3":
                names = tuple(f"attention.attention.{name}" for name in ("query", "key", "value"))
            for name, third in zip(names, thirds(tensors, i, leaf), strict=True):
                if (name, leaf) != ("attention.k_proj", "bias"):
                    out[f"{at}{name}.{leaf}"] = third
            proj = "attention.o_proj" if inner == "dinov3" else "attention.output.dense"
            out[f"{at}{proj}.{leaf}"] = tensors[f"{ours}attn.proj.{leaf}"]
            if inner == "dinov3" and gated:
                first = tensors[f"{ours}mlp.w12.{leaf}"].chunk(2)
                out[f"{at}mlp.gate_proj.{leaf}"], out[f"{at}mlp.up_proj.{leaf}"] = first
                out[f"{at}mlp.down_proj.{leaf}"] = tensors[f"{ours}mlp.w3.{leaf}"]
            else:
                kinds = {"dino": ("intermediate.dense", "output.dense"), "dinov3": ("mlp.up_proj", "mlp.down_proj")}
                ends = ("mlp.weights_in", "mlp.weights_out") if gated else kinds.get(inner, ("mlp.fc1", "mlp.fc2"))
                for end, part in zip(ends, ("mlp.w12", "mlp.w3") if gated else ("mlp.fc1", "mlp.fc2"), strict=True):
                    out[f"{at}{end}.{leaf}"] = tensors[f"{ours}{part}.{leaf}"]
        if inner != "dino":
            for number in ("1", "2"):
                out[f"{at}layer_scale{number}.lambda1"] = tensors[f"{ours}ls{number}.gamma"]
    return out


def transformers_model(family: str, registers: int, gated: bool):
    sizes = dict(hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=1, patch_size=PATCH, image_size=PATCH * GRID)
    if family == "dino":
        return ViTModel(ViTConfig(intermediate_size=HIDDEN[False], **sizes), add_pooling_layer=False)
    if family == "dinov3":
        gate = dict(use_gated_mlp=gated, hidden_act="silu" if gated else "gelu")
        return DINOv3ViTModel(
            DINOv3ViTConfig(intermediate_size=HIDDEN[gated], num_register_tokens=registers, **gate, **sizes)
        )
    # Gated: 2/3 of the ratio, rounded up to a multiple of 8.
    sizes |= dict(mlp_ratio=0.75 if gated else 0.25, use_swiglu_ffn=gated)
    if registers:
        return Dinov2WithRegistersModel(Dinov2WithRegistersConfig(num_register_tokens=registers, **sizes))
    return Dinov2Model(Dinov2Config(**sizes))


def write_hugging_face(folder: Path, family: str, registers: int, gated: bool, dtype: torch.dtype, **options):
    model = transformers_model(family, registers, gated)
    model.load_state_dict(hugging_face(family, canonical(family, registers, gated), gated), strict=True)
    model.to(dtype).save_pretrained(folder, **options)
    config = json.loads((folder / "config.json").read_text())
    config["objectdino_random_weights"] = True
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


# ---- timm -------------------------------------------------------------------------------------------------------


def timm(family: str, tensors: dict, qkv_bias: bool = True) -> dict[str, torch.Tensor]:
    out = {}
    for name, tensor in tensors.items():
        if family == "dinov3":
            name = name.replace("ls1.gamma", "gamma_1").replace("ls2.gamma", "gamma_2")
        if "mlp.w12" in name and family == "dinov3":
            out[name.replace("w12", "fc1_g")], out[name.replace("w12", "fc1_x")] = tensor.chunk(2)
        elif name.endswith("qkv.bias") and family == "dinov3":
            if qkv_bias:
                query, _, value = tensor.chunk(3)
                out[name.replace("qkv.bias", "q_bias")], out[name.replace("qkv.bias", "v_bias")] = query, value
        elif name == "register_tokens":
            out["reg_token"] = tensor
        elif name == "pos_embed" and "register_tokens" in tensors:
            out[name] = tensor[:, 1:]  # the CLS token's position has been added to the token
        else:
            out[name.replace("mlp.w12", "mlp.fc1").replace("mlp.w3", "mlp.fc2")] = tensor
    return out


# ---- the authors' own -------------------------------------------------------------------------------------------


def original(family: str, tensors: dict) -> OrderedDict[str, torch.Tensor]:
    out = OrderedDict()
    for name, tensor in tensors.items():
        if name == "register_tokens" and family == "dinov3":
            name = "storage_tokens"
        if "mlp.w12" in name and family == "dinov3":
            out[name.replace("w12", "w1")], out[name.replace("w12", "w2")] = tensor.chunk(2)
            continue
        out[name] = tensor
        if name.endswith("qkv.bias") and family == "dinov3":
            # The mask decides, whatever stands in the masked third; a mask that was never filled is NaN.
            query, key, value = tensor.chunk(3)
            out[name] = torch.cat([query, torch.full_like(key, 9), value])
            out[name + "_mask"] = torch.full_like(tensor, float("nan"))
    if family != "dino":
        out["mask_token"] = torch.zeros(1, out["norm.weight"].shape[0])
    if family == "dinov3":
        out["rope_embed.periods"] = (100 ** (torch.arange(16) / 16)).to(torch.bfloat16)
    return out


def cast(tensors: dict, dtype: torch.dtype) -> dict:
    return OrderedDict((name, tensor.to(dtype).contiguous()) for name, tensor in tensors.items())


def full_checkpoint(tensors: dict) -> dict:
    """As DINO's training loop writes it."""
    student = {"module.backbone." + name: torch.full_like(tensor, 7) for name, tensor in tensors.items()}
    teacher = {"backbone." + name: tensor for name, tensor in tensors.items()}
    teacher |= {"head.mlp.0.weight": torch.zeros(4, WIDTH), "head.last_layer.weight_g": torch.ones(4, 1)}
    return {
        "student": student,
        "teacher": teacher,
        "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4, "params": [0]}]},
        "epoch": 3,
        "args": argparse.Namespace(arch="vit_small", patch_size=PATCH, lr=0.0005, use_fp16=True, data_path=None),
        "dino_loss": OrderedDict(center=torch.zeros(1, 4)),
    }


def chunked(tensors: dict) -> dict:
    """As DINOv2's training loop counts blocks: by chunk, and through all chunks."""
    return OrderedDict(("teacher.backbone." + name.replace("blocks.", "blocks.0.", 1), t) for name, t in tensors.items())


def write(folder: Path):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    f32, f16, bf16 = torch.float32, torch.float16, torch.bfloat16

    def add(name: str) -> Path:
        (folder / name).mkdir()
        return folder / name

    for name, family, registers, gated, dtype, options in (
        ("dino-hf", "dino", 0, False, f32, {}),
        ("dinov2-hf", "dinov2", 0, False, f16, {}),
        ("dinov2-hf-shards", "dinov2", 0, False, f32, dict(max_shard_size="60KB")),
        ("dinov2-hf-bin", "dinov2", 0, False, f16, dict(safe_serialization=False)),
        ("dinov2-reg-hf", "dinov2", REGISTERS, False, bf16, {}),
        ("dinov2-gated-hf", "dinov2", 0, True, bf16, {}),
        ("dinov3-hf", "dinov3", REGISTERS, False, bf16, {}),
        ("dinov3-gated-hf", "dinov3", REGISTERS, True, f32, {}),
    ):
        write_hugging_face(add(name), family, registers, gated, dtype, **options)
    for name, family, registers, gated, dtype, qkv_bias in (
        ("dino-timm", "dino", 0, False, bf16, True),
        ("dinov2-timm", "dinov2", 0, False, f16, True),
        ("dinov2-reg-timm", "dinov2", REGISTERS, False, f32, True),
        ("dinov2-gated-timm", "dinov2", 0, True, f16, True),
        ("dinov3-timm", "dinov3", REGISTERS, False, f16, False),
        ("dinov3-qkvb-timm", "dinov3", REGISTERS, False, bf16, True),
        ("dinov3-gated-timm", "dinov3", REGISTERS, True, bf16, False),
    ):
        tensors = timm(family, canonical(family, registers, gated, qkv_bias), qkv_bias)
        save_file(cast(tensors, dtype), add(name) / "model.safetensors")
        config = {"architecture": "vit_tiny", "num_features": WIDTH, "objectdino_random_weights": True}
        (folder / name / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    for name, family, registers, gated, dtype in (
        ("dino", "dino", 0, False, f32),
        ("dinov2", "dinov2", 0, False, f16),
        ("dinov2-reg", "dinov2", REGISTERS, False, bf16),
        ("dinov2-gated", "dinov2", 0, True, f16),
        ("dinov3", "dinov3", REGISTERS, False, bf16),
        ("dinov3-gated", "dinov3", REGISTERS, True, f16),
    ):
        torch.save(cast(original(family, canonical(family, registers, gated)), dtype), folder / f"{name}.pth")
    dino = cast(original("dino", canonical("dino", 0, False)), f16)
    torch.save(full_checkpoint(dino), folder / "dino-full.pth")
    save_file(chunked(cast(original("dinov2", canonical("dinov2", 0, False)), f16)), folder / "dinov2-chunked.safetensors")
    # One storage for all, cut out with offsets, and one matrix that lies transposed.
    flat = torch.cat([tensor.flatten() for tensor in dino.values()])
    ends = np.cumsum([tensor.numel() for tensor in dino.values()])
    shared = OrderedDict(
        (name, flat[end - t.numel() : end].view(t.shape)) for (name, t), end in zip(dino.items(), ends, strict=True)
    )
    proj = "blocks.0.attn.proj.weight"
    shared[proj] = shared[proj].t().contiguous().t()
    torch.save(shared, folder / "dino-shared.pth")
    # Its beginning is all that is looked at; what follows holds addresses of this process.
    torch.save({}, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    (folder / "legacy.pth").write_bytes((folder / "legacy.pth").read_bytes()[:64])
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(0o644)


if __name__ == "__main__":
    write(Path(__file__).resolve().parent / "layouts")
