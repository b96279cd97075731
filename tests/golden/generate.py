# SPDX-License-Identifier: Apache-2.0
"""Write (or with --check compare) the golden files: pictures, tiny models, and every stage of the method.

The libraries are pinned in scripts/requirements/golden.txt; scripts/golden sets them up and runs this file.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from threadpoolctl import threadpool_limits
from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel
from transformers.utils import logging

import box_check
import boxes
import families
import inputs
import stages
import weights_layouts

ROOT = Path(__file__).resolve().parents[2]
FORMAT = "1"
COMMAND = "scripts/golden"
LIBRARIES = ("torch", "transformers", "scikit-learn", "scipy", "numpy", "pillow", "pycocotools")
DTYPES = {"float32": "F32", "float64": "F64", "int32": "I32", "uint8": "U8"}
ROWS, COLS, TAIL, PATCH_CROP = 8, 32, 4, 28  # what is kept of the real model's large tensors
# model -> seed of its weights, resize mode, size, tau of the cut and of TokenCut (None: chosen, see stages.choose_tau)
MODELS = {
    "tiny": (7, "aspect", 140, None, None),
    "tiny-registers": (4, "aspect", 140, None, None),
    "dinov2-small": (None, "square", 224, 0.6, 0.85),
}


def save(path: Path, tensors: dict[str, np.ndarray], **metadata):
    """A safetensors file whose bytes depend on its content alone (the library's own order of metadata does not)."""
    lists = {"format_version": FORMAT, "command": COMMAND, **{f"version_{k}": version(k).split("+")[0] for k in LIBRARIES}}
    header = {"__metadata__": {k: str(v) for k, v in sorted({**lists, **metadata}.items())}}
    blobs, end = [], 0
    for name, x in sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
        blobs.append(np.ascontiguousarray(x).tobytes())
        offsets = [end, end + len(blobs[-1])]
        header[name] = {"dtype": DTYPES[str(x.dtype)], "shape": list(x.shape), "data_offsets": offsets}
        end = offsets[1]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


# ---- tiny models ----------------------------------------------------------------------------------------------


def write_tiny_model(folder: Path, seed: int, registers: int, dtype: torch.dtype):
    """A small DINOv2 with seeded random weights, large enough that every layer changes its input."""
    sizes = dict(hidden_size=64, num_hidden_layers=4, num_attention_heads=4, mlp_ratio=2, patch_size=14)
    sizes |= dict(image_size=70, layer_norm_eps=1e-6)
    if registers:
        model = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(num_register_tokens=registers, **sizes))
    else:
        model = Dinov2Model(Dinov2Config(**sizes))
    rng = np.random.RandomState(seed)
    for name, p in sorted(model.named_parameters()):
        mean, std = 0.0, 0.12
        if "token" in name or "position" in name:
            std = 0.5
        elif "norm" in name and name.endswith("weight") or "lambda" in name:
            mean, std = 1.0, 0.15
        elif "projection.weight" in name:
            std = 0.06
        p.data = torch.from_numpy(mean + std * rng.standard_normal(tuple(p.shape))).to(torch.float32)
    model.to(dtype).save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    config = json.loads((folder / "config.json").read_text())
    config["objectdino_random_weights"] = True
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


# ---- stages ---------------------------------------------------------------------------------------------------


def crops(x: np.ndarray) -> dict[str, np.ndarray]:
    """The corners of a [3, h, w] input that the real model's files keep."""
    y0, x0, half = x.shape[1] // 2, x.shape[2] // 2, PATCH_CROP // 2
    centre = x[:, y0 - half : y0 + half, x0 - half : x0 + half]
    return {"crop": x[:, :PATCH_CROP, :PATCH_CROP], "center_crop": centre}


def report(name, net, taps, grid, out, folder):
    """Print what a reader wants to know, and fail when rounding could change a discrete result."""
    e, tau = out["eigenvalues"], out["tau"][0]
    edges = out["affinity"][np.triu_indices(len(out["affinity"]), 1)]
    n = out["objectness"]
    box = np.round(out["box"], 1).tolist()
    print(f"{name}: grid {grid.rows}x{grid.cols}, tau {tau:.6f} (nearest affinity {np.abs(edges - tau).min():.1e}, "
          f"{(edges > tau).mean():.0%} above), eigenvalues {e.round(5)}, box {box}, "
          f"otsu {out['otsu_threshold'][0]:.4f} (nearest {np.abs(n - out['otsu_threshold']).min():.1e})")
    for kind in ("exact", "linear"):
        print(f"  heads_{kind}: {' '.join(f'{i}.{h}' for i, h in out['heads_' + kind])}")
    print(f"  tokencut {out['tokencut_box'].round(1).tolist()} at {out['tokencut_tau'][0]:.6f}, eigenvalues "
          f"{out['tokencut_eigenvalues'].round(5)}; lost {out['lost_box'].round(1).tolist()} of {out['lost_seed'][0]}, centred "
          f"{out['lost_centred_mask'].mean():.0%} of {out['lost_centred_seed'][0]}; "
          f"cls {out['cls_box'].round(1).tolist()}")
    print(f"  cut boxes: seed {out['cut_box_seed'].round(1).tolist()}, cls {out['cut_box_cls'].round(1).tolist()}")

    double = stages.Backbone(folder, torch.float64)
    others = [dict(double(torch.from_numpy(taps["pixels"])[None]))]
    rng = np.random.RandomState(0)
    for _ in range(4):
        others.append({k: x * (1 + 1e-5 * rng.standard_normal(x.shape).astype(x.dtype)) for k, x in taps.items()})
    for other in others:
        again = stages.after_backbone(net, other, grid, tau, out["tokencut_tau"][0])
        for key, x in out.items():
            if x.dtype in (np.int32, np.uint8) and not np.array_equal(x, again[key]):
                raise SystemExit(f"{name}: {key} changes with rounding; choose another seed or scene")
        for key in ("fiedler", "tokencut_objectness"):
            y, z = out[key].ravel().astype(float), again[key].ravel().astype(float)
            cosine = abs(y @ z) / np.linalg.norm(y) / np.linalg.norm(z)
            if cosine < 1 - 1e-5:
                raise SystemExit(f"{name}: {key} changes with rounding (|cos| {cosine:.7f})")


def write_stages(golden: Path, name: str, folder: Path):
    seed, mode, size, tau, key_tau = MODELS[name]
    net = stages.Backbone(folder)
    for scene in inputs.SCENES:
        image = golden / "images" / f"{scene}.png"
        rgb = np.asarray(Image.open(image).convert("RGB"))
        grid = stages.grid_for(*rgb.shape[:2], mode, size, net.patch)
        pixels = stages.preprocess(rgb, grid, net.patch)
        taps = dict(net(pixels))
        taps["pixels"] = pixels[0].numpy()
        out = stages.after_backbone(net, taps, grid, tau, key_tau)
        report(f"{name}_{scene}", net, taps, grid, out, folder)
        x = taps.pop("pixels")
        if name in ("tiny", "tiny-registers"):
            out |= {"input": x} | taps
        else:
            out |= {key: out[key][:64] for key in ("affinity_linear", "key_affinity")}
            out |= {f"input_{k}": v for k, v in crops(x).items()}
            out |= {k: v[:ROWS, :COLS] for k, v in taps.items()}
            out |= {f"{k}_tail": v[-TAIL:, :COLS] for k, v in taps.items()}
            aspect = stages.preprocess(rgb, stages.grid_for(*rgb.shape[:2], "aspect", 448, net.patch), net.patch)
            out |= {f"input_aspect448_{k}": v for k, v in crops(aspect[0].numpy()).items()}
        analysis = {"self_similarity": stages.self_similarity(net, taps).reshape(net.layers, net.heads, 3, grid.rows, grid.cols)}
        analysis |= {f"clusters_{kind}": stages.renumber(out[f"labels_{kind}"], out[f"heads_{kind}"], net.heads)
                     for kind in ("exact", "linear")}
        save(golden / f"{name}_{scene}_heads.safetensors", analysis, model=name, image=f"images/{image.name}")
        save(golden / f"{name}_{scene}.safetensors", out, model=name, weights_seed=seed, image=f"images/{image.name}",
             image_height=grid.height, image_width=grid.width, resize_mode=mode, resize_size=size,
             input_height=grid.rows * net.patch, input_width=grid.cols * net.patch, rows=grid.rows, cols=grid.cols,
             layers=net.layers, heads=net.heads, prefix_tokens=net.prefix, patch_size=net.patch,
             clusters=stages.CLUSTERS, n_init=stages.RESTARTS, kmeans_seed=stages.SEED,
             temperature="1/sqrt(head_dim)", weak_edge=stages.WEAK_EDGE,
             object_box=" ".join(map(str, inputs.OBJECT_BOX[scene])))


# ---- single parts ---------------------------------------------------------------------------------------------


def write_resize(path: Path):
    """Antialiased bilinear resizing: (height, width) from -> to."""
    cases = [((1, 1), (14, 14)), ((1, 37), (14, 28)), ((37, 1), (28, 14)), ((3, 2), (28, 28)), ((61, 47), (14, 28)),
             ((100, 30), (14, 14)), ((14, 14), (14, 14)), ((28, 28), (14, 14)), ((29, 31), (28, 28)), ((40, 90), (42, 14)),
             ((5, 64), (56, 56)), ((128, 96), (1, 1)), ((13, 17), (42, 70)), ((83, 59), (14, 56))]
    rng, tensors = np.random.RandomState(1), {}
    for i, (source, target) in enumerate(cases):
        tensors[f"in_{i}"] = rng.randint(0, 256, (*source, 3)).astype(np.uint8)
        tensors[f"out_{i}"] = stages.resize(tensors[f"in_{i}"], *target)[0].numpy()
    save(path, tensors, cases=len(cases), seed=1)


def kmeans_data(kind: str, n: int, f: int, k: int, rng) -> np.ndarray:
    noise = rng.standard_normal((n, f))
    if kind == "blobs":
        return 3 * rng.standard_normal((k, f))[rng.randint(0, k, n)] + noise
    if kind == "uneven":  # one large blob, small far ones, columns of very different scale
        return (8 * rng.standard_normal((k, f))[np.minimum(rng.geometric(0.4, n), k) - 1] + noise) * np.logspace(-2, 1, f)
    if kind == "duplicates":  # every point three times
        return noise[: n // 3].repeat(3, axis=0)
    if kind == "few":  # fewer distinct points than clusters; small whole numbers, so that every sum is exact
        return np.array([[-2.0, 0, 2, 0], [0, 2, 0, -2], [2, -2, -2, 2]])[np.arange(n) % 3]
    return rng.uniform(-1, 1, (n, f))


def write_kmeans(path: Path):
    problems = [("blobs", 72, 196, 5, 42, 10), ("noise", 72, 196, 5, 42, 10), ("blobs", 144, 200, 12, 42, 10),
                ("noise", 144, 64, 12, 0, 10), ("blobs", 20, 3, 2, 7, 10), ("noise", 20, 3, 3, 42, 1),
                ("blobs", 50, 8, 5, 0, 1), ("noise", 64, 16, 5, 7, 10), ("duplicates", 60, 8, 5, 42, 10),
                ("duplicates", 45, 3, 3, 0, 1), ("uneven", 100, 24, 12, 42, 10), ("noise", 40, 200, 2, 7, 1),
                ("few", 24, 4, 5, 42, 10)]
    rng, tensors = np.random.RandomState(2), {}
    for i, (kind, n, f, k, seed, n_init) in enumerate(problems):
        x = kmeans_data(kind, n, f, k, rng).astype(np.float32)
        fit = stages.cluster(x, k, n_init, seed)
        for other in (x.astype(np.float64), x * (1 + 1e-6 * rng.standard_normal(x.shape))):
            if kind != "few" and (stages.cluster(other, k, n_init, seed).labels_ != fit.labels_).any():
                raise SystemExit(f"kmeans problem {i} ({kind}) changes with rounding; choose another")
        tensors |= {f"x_{i}": x, f"labels_{i}": fit.labels_.astype(np.int32), f"inertia_{i}": np.array([fit.inertia_]),
                    f"k_seed_n_init_{i}": np.array([k, seed, n_init], np.int32)}
    tensors["numpy_random"] = np.random.RandomState(42).random_sample(20)
    save(path, tensors, problems=len(problems), kinds=" ".join(p[0] for p in problems), seed=2)


def write_rle(path: Path):
    rng = np.random.RandomState(3)
    masks = [np.full(s, v) for s in ((1, 1), (1, 7), (7, 1), (5, 4), (40, 64)) for v in (0, 1)]
    masks += [rng.uniform(size=s) < p for s, p in (((1, 9), 0.5), ((9, 1), 0.5), ((2, 3), 0.5), ((16, 16), 0.1),
                                                   ((16, 16), 0.9), ((17, 11), 0.5), ((30, 20), 0.02), ((20, 30), 0.98))]
    for h, w in ((37, 53),) * 6 + ((53, 37), (8, 200), (64, 64), (90, 120), (120, 90)):
        smooth = inputs.ndimage.gaussian_filter(rng.standard_normal((h, w)), 5)
        masks.append(smooth > smooth.mean() + 0.5 * smooth.std())
    masks.append(np.eye(12, dtype=bool))
    entries = []
    for m in (np.asfortranarray(m, dtype=np.uint8) for m in masks):
        rows = ["".join(map(str, row)) for row in m]
        entries.append({"size": list(m.shape), "counts": coco_mask.encode(m)["counts"].decode(), "rows": rows})
    path.write_text(json.dumps({"format_version": FORMAT, "command": COMMAND, "masks": entries}, indent=1) + "\n")


def write_box_check(path: Path):
    path.write_text(json.dumps({"format_version": FORMAT, "command": COMMAND, "cases": list(box_check.cases())}) + "\n")


# ---- all files, and the comparison ----------------------------------------------------------------------------


def generate(tests: Path, real: Path | None, data: Path | None):
    golden = tests / "golden"
    for folder in ("images", "exif", "tiny", "tiny-registers"):
        (golden / folder).mkdir(parents=True, exist_ok=True)
    (tests / "data").mkdir(exist_ok=True)
    for scene, paint in inputs.SCENES.items():
        Image.fromarray(paint()).save(golden / "images" / f"{scene}.png", optimize=True)
    inputs.write_exif(golden / "exif")
    inputs.write_data(tests / "data")
    write_tiny_model(golden / "tiny", MODELS["tiny"][0], 0, torch.float32)
    write_tiny_model(golden / "tiny-registers", MODELS["tiny-registers"][0], 4, torch.float16)
    for name in ("tiny", "tiny-registers"):
        write_stages(golden, name, golden / name)
    families.write_models(golden)
    families.write(golden, save)
    if real:
        write_stages(golden, "dinov2-small", real)
    if real and data:
        boxes.write(golden / "boxes.json", real, data)
    write_resize(golden / "resize.safetensors")
    write_kmeans(golden / "kmeans.safetensors")
    write_rle(golden / "rle.json")
    write_box_check(golden / "box_check.json")
    weights_layouts.write(golden / "layouts")


def difference(a: Path, b: Path) -> str:
    """What differs between two files of one name beyond rounding; '' if nothing."""
    if not b.exists():
        return "missing"
    if a.name in ("text.jpg", "truncated.jpg") or a.suffix in (".json", ".pth", ".bin"):
        return "" if a.read_bytes() == b.read_bytes() else "content"
    if "bomb" in a.name:  # never decoded; the packer may differ
        return "" if a.read_bytes()[:33] == b.read_bytes()[:33] and b.stat().st_size < 2**17 else "header or size"
    if a.suffix != ".safetensors":
        x, y = (np.asarray(Image.open(f).convert("RGBA")).astype(int) for f in (a, b))
        return "" if x.shape == y.shape and np.abs(x - y).max() <= 1 else "pixels"
    from safetensors.numpy import load_file

    x, y = load_file(a), load_file(b)
    if x.keys() != y.keys():
        return f"tensors {sorted(x.keys() ^ y.keys())}"
    for key, u in x.items():
        v = y[key]
        if u.shape != v.shape or u.dtype != v.dtype:
            return f"{key}: type or shape"
        tolerance = 0 if u.dtype.kind in "iu" else 1e-3
        if np.abs(u.astype(float) - v).max(initial=0) > tolerance * max(1, np.abs(v.astype(float)).max(initial=0)):
            return f"{key}: values"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-dir", type=Path, default=ROOT / "models" / "dinov2-small",
                        help="the real model in the Hugging Face layout (default: models/dinov2-small)")
    parser.add_argument("--data-dir", type=Path, default=ROOT.parent / "shared" / "data",
                        help="photographs with ground truth: folders raccoon and coco128 (default: beside the checkout)")
    parser.add_argument("--check", action="store_true", help="compare with the committed files; exit 1 if any differs")
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message="Number of distinct clusters")
    real = args.model_dir if (args.model_dir / "model.safetensors").exists() else None
    if real is None:
        print(f"*** NO MODEL IN {args.model_dir}: the dinov2-small_* files are neither written nor compared. "
              "Run scripts/fetch_model first. ***", file=sys.stderr)
    data = args.data_dir if all((args.data_dir / name).is_dir() for name in boxes.SETS) else None
    if data is None:
        print(f"*** NO PHOTOGRAPHS IN {args.data_dir}: boxes.json is neither written nor compared. ***", file=sys.stderr)
    with threadpool_limits(1), tempfile.TemporaryDirectory() as scratch:
        tests = Path(scratch) if args.check else ROOT / "tests"
        generate(tests, real, data)
        if not args.check:
            return 0
        files = sorted(f for f in tests.rglob("*") if f.is_file())
        bad = [(f.relative_to(tests), d) for f in files if (d := difference(f, ROOT / "tests" / f.relative_to(tests)))]
    for name, what in bad:
        print(f"DIFFERS tests/{name}: {what}", file=sys.stderr)
    print(f"{len(files)} files compared, {len(bad)} differ")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
