# SPDX-License-Identifier: Apache-2.0
"""What transformers computes with a backbone of every family, on three inputs.

generate.py writes the committed files (tiny models, corners of the tensors) through `write`. As a program it is the
long check that scripts/families runs: full-size random models, whole tensors.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from transformers.utils import logging

import originals
import weights_layouts

INPUTS = ((224, 224), (480, 640), (640, 480))
ROWS, COLS, TAIL = 8, 32, 4  # what the committed files keep
TINY_SIZES = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4)
# family -> model and config of transformers, and what every model of the family has
FAMILIES = {
    "dino": (hf.ViTModel, hf.ViTConfig, dict(layer_norm_eps=1e-12)),
    "dinov2": (hf.Dinov2Model, hf.Dinov2Config, dict(layer_norm_eps=1e-6, patch_size=14)),
    "dinov2-registers": (hf.Dinov2WithRegistersModel, hf.Dinov2WithRegistersConfig,
                         dict(layer_norm_eps=1e-6, patch_size=14, num_register_tokens=4)),
    "dinov3": (hf.DINOv3ViTModel, hf.DINOv3ViTConfig,
               dict(layer_norm_eps=1e-5, patch_size=16, num_register_tokens=4, query_bias=True, value_bias=True)),
}
GATED_V3 = dict(use_gated_mlp=True, hidden_act="silu")
# folder of the committed model -> family, config, dtype on disk; None: the folder is another generator's
TINY = {
    "tiny": None,
    "tiny-registers": None,
    "tiny-dino-16": ("dino", dict(patch_size=16, image_size=96, intermediate_size=128), torch.float16),
    "tiny-dino-8": ("dino", dict(patch_size=8, image_size=40, intermediate_size=128), torch.float16),
    "tiny-swiglu": ("dinov2", dict(image_size=70, mlp_ratio=3, use_swiglu_ffn=True), torch.bfloat16),
    "tiny-swiglu-registers": ("dinov2-registers", dict(image_size=70, mlp_ratio=3, use_swiglu_ffn=True), torch.float16),
    "tiny-dinov3": ("dinov3", dict(intermediate_size=128), torch.float16),
    "tiny-dinov3-gated": ("dinov3", dict(intermediate_size=96, **GATED_V3), torch.bfloat16),
}


def width(hidden, layers, **more):
    return dict(hidden_size=hidden, num_attention_heads=hidden // 64, num_hidden_layers=layers, **more)


# The published sizes; the large ones keep a few of their layers.
FULL = {
    **{f"dino-{size}{patch}": ("dino", width(d, 12, intermediate_size=4 * d, patch_size=patch, image_size=224))
       for size, d in (("s", 384), ("b", 768)) for patch in (16, 8)},
    **{f"{family}-{size}14": (family, width(d, layers, mlp_ratio=4, image_size=518, use_swiglu_ffn=size == "g"))
       for family in ("dinov2", "dinov2-registers")
       for size, d, layers in (("s", 384, 12), ("b", 768, 12), ("l", 1024, 3), ("g", 1536, 2))},
    "dinov3-s16": ("dinov3", width(384, 12, intermediate_size=1536)),
    "dinov3-splus16": ("dinov3", width(384, 12, intermediate_size=1536, **GATED_V3)),
    "dinov3-b16": ("dinov3", width(768, 12, intermediate_size=3072)),
    "dinov3-l16": ("dinov3", width(1024, 3, intermediate_size=4096)),
    "dinov3-hplus16": ("dinov3", width(1280, 2, intermediate_size=5120, **GATED_V3)),
}
# Models whose originals' code is run although transformers computes the same.
RESTATED = ("dinov2-registers-s14", "dinov3-s16", "dinov3-splus16")
# Published in several files.
SHARDED = ("dinov2-g14", "dinov2-registers-g14", "dinov3-hplus16")


# ---- models ---------------------------------------------------------------------------------------------------


def random_model(family: str, sizes: dict, seed: int):
    """Seeded random weights that let every layer change its input and every head look somewhere."""
    model_class, config_class, always = FAMILIES[family]
    model = model_class(config_class(**always, **sizes))
    rng = np.random.RandomState(seed)
    for name, p in sorted(model.named_parameters()):
        shape, mean = tuple(p.shape), 0.0
        std = 1.2 / np.sqrt(np.prod(shape[1:])) if len(shape) in (2, 4) else 0.12
        if "token" in name or "position" in name:
            std = 0.5
        elif "norm" in name and name.endswith("weight") or "lambda" in name:
            mean, std = 1.0, 0.15
        p.data = torch.from_numpy((mean + std * rng.standard_normal(shape)).astype(np.float32))
    return model.eval()


def save_model(model, folder: Path, dtype: torch.dtype, shards: bool = False):
    model.to(dtype).save_pretrained(folder, **(dict(max_shard_size="40MB") if shards else {}))
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)
    config = json.loads((folder / "config.json").read_text()) | {"objectdino_random_weights": True}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def picture(height: int, width: int) -> torch.Tensor:
    """A smooth input, already normalised, that another program can make as well. [1, 3, height, width]"""
    c, y, x = np.ogrid[0:3, 0:height, 0:width]
    return torch.from_numpy((np.sin(0.11 * (c + 1) * x + 0.07 * y) + np.cos(0.05 * (c + 2) * y))[None]).float()


def input_sizes(patch: int):
    return [(height // patch * patch, width // patch * patch) for height, width in INPUTS]


# ---- what the models compute ----------------------------------------------------------------------------------


class Watched:
    """A model of transformers, every stage of which can be read."""

    def __init__(self, model):
        self.model, config = model, model.config
        self.patch, self.layers = config.patch_size, config.num_hidden_layers
        self.prefix = 1 + getattr(config, "num_register_tokens", 0)
        self._seen, self._attention = {}, []
        config._attn_implementation = "eager"
        self._watch(model.embeddings, "embeddings")
        v3 = hasattr(model, "layer")
        for i, block in enumerate(model.layer if v3 else model.encoder.layer):
            self._watch(block, f"block_{i}")
            attention = block.attention if v3 else block.attention.attention
            for name, long in (("q", "query"), ("k", "key"), ("v", "value")):
                self._watch(getattr(attention, f"{name}_proj" if v3 else long), f"{name}_{i}")
            attention.register_forward_hook(self._keep_attention)

    def _watch(self, module, name):
        def keep(_module, _inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            self._seen[name] = output[0].numpy().copy()  # [T, D]

        module.register_forward_hook(keep)

    def _keep_attention(self, _module, _inputs, output):
        self._attention.append(output[1][0, :, 0, self.prefix :].mean(0).numpy().copy())  # [N]

    @torch.inference_mode()
    def __call__(self, pixels: torch.Tensor) -> dict[str, np.ndarray]:
        """Stages [T, D], and `cls_attention` [N] of the last two layers."""
        self._seen, self._attention = {}, []
        options = {"interpolate_pos_encoding": True} if isinstance(self.model, hf.ViTModel) else {}
        self._seen["tokens"] = self.model(pixel_values=pixels, **options).last_hidden_state[0].numpy()
        assert len(self._attention) == self.layers
        attention = sum(self._attention[-2:])
        return self._seen | {"cls_attention": attention / attention.sum()}


def corners(stages: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the committed files keep: a corner, the last rows, and the mean token, in which every value counts."""
    out = {"cls_attention": stages["cls_attention"]}
    for name, x in stages.items():
        if name != "cls_attention":
            out |= {f"{name}.corner": x[:ROWS, :COLS], f"{name}.tail": x[-TAIL:, :COLS], f"{name}.mean": x.mean(0)}
    return out


def all_inputs(run, patch: int, keep=lambda stages: stages) -> dict[str, np.ndarray]:
    """'<height>x<width>.<stage>' -> values, for each of the inputs. run: pixels -> stages."""
    return {f"{h}x{w}.{stage}": x.astype(np.float32) for h, w in input_sizes(patch)
            for stage, x in keep(run(picture(h, w))).items()}


# ---- committed files ------------------------------------------------------------------------------------------


def write_models(golden: Path):
    for seed, (name, entry) in enumerate(TINY.items(), start=20):
        if entry:
            (golden / name).mkdir(exist_ok=True)
            save_model(random_model(entry[0], TINY_SIZES | entry[1], seed), golden / name, entry[2])


def write(golden: Path, save):
    """<model>_family.safetensors for each committed model, and positions.safetensors; save: generate.save."""
    for name in TINY:
        net = Watched(hf.AutoModel.from_pretrained(golden / name, dtype=torch.float32, attn_implementation="eager").eval())
        save(golden / f"{name}_family.safetensors", all_inputs(net, net.patch, corners), model=name)
    rng, tensors = np.random.RandomState(5), {}
    for side, rows, cols in ((14, 30, 40), (14, 40, 30), (14, 14, 14), (14, 14, 9), (7, 3, 5), (7, 28, 28), (7, 1, 1)):
        table = rng.standard_normal((1, 1 + side * side, 3)).astype(np.float32)
        case = f"{side}_{rows}x{cols}"
        tensors[f"table.{case}"] = table
        for rule in ("offset", "size", "antialias"):
            tensors[f"{rule}.{case}"] = originals.learned_position(torch.from_numpy(table), rows, cols, rule).numpy()
    save(golden / "positions.safetensors", tensors, seed=5)


# ---- the long check -------------------------------------------------------------------------------------------


RENAMES = (
    (r"^layer\.|^encoder\.layer\.", "blocks."), ("patch_embeddings(.projection)?", "patch_embed.proj"),
    ("^embeddings.", ""), ("position_embeddings", "pos_embed"), ("^layernorm", "norm"), ("layernorm_before", "norm1"),
    ("layernorm_after", "norm2"), (r"attention\.attention\.([qkv])[a-z]*", r"attn.\1"),
    (r"attention\.([qkv])_proj", r"attn.\1"), (r"attention\.(output\.dense|o_proj)", "attn.proj"),
    (r"layer_scale(.)\.lambda1", r"ls\1.gamma"), (r"intermediate\.dense", "mlp.fc1"), (r"(?<!attn\.)output\.dense", "mlp.fc2"),
    ("weights_in", "w12"), ("weights_out", "w3"))
GATED_V3_RENAMES = (("gate_proj", "w1"), ("up_proj", "w2"), ("down_proj", "w3"))
PLAIN_V3_RENAMES = (("up_proj", "fc1"), ("down_proj", "fc2"))


def canonical_weights(model) -> dict[str, torch.Tensor]:
    """The same weights under our own names, from which weights_layouts makes those of the other layouts."""
    gated = getattr(model.config, "use_gated_mlp", False)
    w = {}
    for name, value in model.state_dict().items():
        for old, new in RENAMES + (GATED_V3_RENAMES if gated else PLAIN_V3_RENAMES):
            name = re.sub(old, new, name)
        if name != "mask_token" and not name.startswith("pooler."):
            w[name] = value.clone()
    for i in range(model.config.num_hidden_layers):
        for whole, parts in (("attn.qkv", ("attn.q", "attn.k", "attn.v")), ("mlp.w12", ("mlp.w1", "mlp.w2"))):
            for leaf in ("weight", "bias"):
                found = [w.pop(f"blocks.{i}.{part}.{leaf}", None) for part in parts]
                if found[0] is not None:  # DINOv3's keys have no bias
                    stack = [torch.zeros_like(found[0]) if value is None else value for value in found]
                    w[f"blocks.{i}.{whole}.{leaf}"] = torch.cat(stack)
    return w


def write_full(folder: Path, name: str):
    """Writes <name>/ in Hugging Face's layout and <name>-<layout or dtype>/, each beside its expected values."""
    from safetensors.torch import save_file

    family, sizes = FULL[name]
    kind = family.removesuffix("-registers")
    net = Watched(random_model(family, sizes, seed=sum(name.encode())))
    patch, heads = net.patch, net.model.config.num_attention_heads
    expected = "{}_family.safetensors"

    def expect(variant, run):
        tensors = {k: torch.from_numpy(v) for k, v in all_inputs(run, patch).items()}
        save_file(tensors, folder / expected.format(variant))

    def expect_same(variant):
        os.link(folder / expected.format(name), folder / expected.format(variant))

    expect(name, net)
    w = canonical_weights(net.model)
    published = weights_layouts.original(kind, w)
    rope = {"rope_embed.periods": net.model.config.rope_theta ** (torch.arange(16) / 16)} if kind == "dinov3" else {}

    def restate(variant, rule):
        """What the originals' code computes. The server's periods are exact, as Hugging Face's are."""
        epsilon = 1e-5 if kind == "dinov3" else 1e-6
        expect(variant, lambda pixels: originals.forward(published | rope, pixels, heads, rule, epsilon))

    own_rule = {"dino": "offset", "dinov2": "offset", "dinov2-registers": "antialias", "dinov3": "rope"}[family]
    original, timm = f"{name}-original", f"{name}-timm"
    (folder / original).mkdir()
    torch.save(published, folder / original / "weights.pth")
    if own_rule == "offset" or name in RESTATED:
        restate(original, own_rule)
    else:
        expect_same(original)
    (folder / timm).mkdir()
    # timm adds the position to the CLS token where there are registers, and drops it from the table.
    cls = {"cls_token": w["cls_token"] + w["pos_embed"][:, :1]} if family == "dinov2-registers" else {}
    save_file({k: v.contiguous() for k, v in weights_layouts.timm(kind, w | cls).items()}, folder / timm / "model.safetensors")
    if own_rule == "offset":
        restate(timm, "antialias")
    else:
        expect_same(timm)
    save_model(net.model, folder / name, torch.float32, shards=name in SHARDED)
    save_model(net.model, folder / f"{name}-bf16", torch.bfloat16)
    expect_same(f"{name}-bf16")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where scratch folders are made, of about 3 GB, one at a time")
    parser.add_argument("--test", type=Path, required=True, help="the built golden_families_test")
    parser.add_argument("--only", nargs="*", default=list(FULL), metavar="MODEL", help=f"of {' '.join(FULL)}")
    args = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    failed = []
    args.folder.mkdir(parents=True, exist_ok=True)
    for name in args.only:
        with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
            write_full(Path(scratch), name)
            command = [args.test, "--gtest_filter=FullSize.*", "--gtest_brief=1"]
            environment = os.environ | {"OBJECTDINO_FAMILIES": scratch}
            if subprocess.run(command, env=environment, check=False).returncode != 0:
                failed.append(name)
    print(f"{len(args.only)} models, {len(failed)} fail: {' '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
