# SPDX-License-Identifier: Apache-2.0
"""The original DINO, DINOv2 and DINOv3 networks, re-stated: what their published weights are to be read as.

Tensors carry the originals' names (which are the server's own names, too). The published code differs from the one of
Hugging Face in how it interpolates learned positions, and in keeping the periods of the rotation in the file.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

OFFSET = 0.1


def learned_position(table: torch.Tensor, rows: int, cols: int, rule: str) -> torch.Tensor:
    """[1, 1 + M * M, D] -> [1, 1 + rows * cols, D]. rule: 'offset', 'size', 'antialias'."""
    side = math.isqrt(table.shape[1] - 1)
    if (rows, cols) == (side, side):
        return table
    grid = table[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if rule == "offset":
        how = {"scale_factor": ((rows + OFFSET) / side, (cols + OFFSET) / side), "recompute_scale_factor": False}
    else:
        how = {"size": (rows, cols), "antialias": rule == "antialias"}
    grid = F.interpolate(grid, mode="bicubic", align_corners=False, **how)
    assert grid.shape[2:] == (rows, cols)
    return torch.cat([table[:, :1], grid.permute(0, 2, 3, 1).flatten(1, 2)], 1)


def rotation(periods: torch.Tensor, rows: int, cols: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Sine and cosine [rows * cols, d] for the patches."""
    places = torch.cartesian_prod(*((torch.arange(n) + 0.5) / n for n in (rows, cols))) * 2 - 1  # [N, (y, x)]
    angles = (2 * math.pi * places[:, :, None] / periods.float()).flatten(1).tile(2)
    return angles.sin(), angles.cos()


def rotate(x: torch.Tensor, sin: torch.Tensor, cos: torch.Tensor) -> torch.Tensor:
    """Turns the last rows of x [..., T, d]; those before them are prefix tokens."""
    prefix, patches = x[..., : -len(sin), :], x[..., -len(sin) :, :]
    a, b = patches.chunk(2, -1)
    return torch.cat([prefix, patches * cos + torch.cat([-b, a], -1) * sin], -2)


def feed_forward(w: dict[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    def linear(part, x):
        return F.linear(x, w[f"{name}.{part}.weight"], w[f"{name}.{part}.bias"])

    if f"{name}.fc1.weight" in w:
        return linear("fc2", F.gelu(linear("fc1", x)))
    if f"{name}.w12.weight" in w:  # DINOv2
        gate, up = linear("w12", x).chunk(2, -1)
        return linear("w3", F.silu(gate) * up)
    return linear("w3", F.silu(linear("w1", x)) * linear("w2", x))  # DINOv3


@torch.inference_mode()
def forward(w: dict[str, torch.Tensor], pixels: torch.Tensor, heads: int, rule: str, epsilon: float):
    """Every stage as [T, D], and the CLS attention of the last two layers [N]. rule: of positions, or 'rope'."""
    out, attentions = {}, []
    width, patch = w["patch_embed.proj.weight"].shape[0], w["patch_embed.proj.weight"].shape[-1]
    layers = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("blocks."))
    rows, cols = (side // patch for side in pixels.shape[2:])

    def norm(name, x):
        return F.layer_norm(x, (width,), w[f"{name}.weight"], w[f"{name}.bias"], epsilon)

    patches = F.conv2d(pixels, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], patch).flatten(2).transpose(1, 2)
    x = torch.cat([w["cls_token"], patches], 1)
    if rule != "rope":
        x = x + learned_position(w["pos_embed"], rows, cols, rule)
    registers = w.get("register_tokens", w.get("storage_tokens"))
    if registers is not None:
        x = torch.cat([x[:, :1], registers, x[:, 1:]], 1)
    out["embeddings"] = x[0]
    for i in range(layers):
        name = f"blocks.{i}"
        bias = w[f"{name}.attn.qkv.bias"]
        if rule == "rope":  # DINOv3 has no bias for keys
            bias = torch.cat([bias[:width], torch.zeros(width), bias[2 * width :]])
        qkv = F.linear(norm(f"{name}.norm1", x), w[f"{name}.attn.qkv.weight"], bias)
        for part, value in zip("qkv", qkv[0].chunk(3, -1), strict=True):
            out[f"{part}_{i}"] = value
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in qkv.chunk(3, -1))  # [1, H, T, d]
        if rule == "rope":
            sin, cos = rotation(w["rope_embed.periods"], rows, cols)
            q, k = rotate(q, sin, cos), rotate(k, sin, cos)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        scores = (q[:, :, :1] @ k.transpose(-1, -2)) / math.sqrt(q.shape[-1])  # of the CLS token
        attentions.append(scores.softmax(-1)[0, :, 0, -rows * cols :].mean(0))
        branch = F.linear(mixed, w[f"{name}.attn.proj.weight"], w[f"{name}.attn.proj.bias"])
        x = x + branch * w.get(f"{name}.ls1.gamma", 1.0)
        x = x + feed_forward(w, f"{name}.mlp", norm(f"{name}.norm2", x)) * w.get(f"{name}.ls2.gamma", 1.0)
        out[f"block_{i}"] = x[0]
    out["tokens"] = norm("norm", x)[0]
    last = sum(attentions[-2:])
    return {name: value.numpy() for name, value in (out | {"cls_attention": last / last.sum()}).items()}
