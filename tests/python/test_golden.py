# SPDX-License-Identifier: Apache-2.0
"""The committed golden files hold what they promise: sizes, shapes, and agreement of the stages with each other.

Recomputes the cheap stages from the stored inputs, so a file that was edited or half regenerated is noticed here and
not as a riddle in the C++ tests.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from safetensors import safe_open
from safetensors.numpy import load_file

TESTS = Path(__file__).resolve().parents[1]
GOLDEN, DATA = TESTS / "golden", TESTS / "data"
SCENES = {"scene_480x640": (480, 640), "scene_640x480": (640, 480)}
TINY = ("tiny", "tiny-registers")
STAGE_FILES = [f"{model}_{scene}" for model in (*TINY, "dinov2-small") for scene in SCENES]
TINY_FILES = [name for name in STAGE_FILES if name.startswith("tiny")]


def stage(name):
    path = GOLDEN / f"{name}.safetensors"
    with safe_open(path, framework="numpy") as f:
        metadata = f.metadata()
    whole = {k: int(v) for k, v in metadata.items() if v.lstrip("-").isdigit()}
    return load_file(path), metadata | whole


def units(tensors, meta, layer):
    """L2-normalised q, k, v of the patches: [3, heads, N, d]."""
    x = np.stack([tensors[f"{r}_{layer}"] for r in "qkv"])[:, meta["prefix_tokens"] :].astype(np.float64)
    x = x.reshape(*x.shape[:2], meta["heads"], -1).swapaxes(1, 2)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_size_every_file_under_one_mebibyte():
    files = [f for folder in (GOLDEN, DATA) for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    assert len(files) > 40
    assert [f.name for f in files if f.stat().st_size >= 2**20] == []


@pytest.mark.parametrize("scene", SCENES)
def test_image_has_the_size_in_its_name(scene):
    with Image.open(GOLDEN / "images" / f"{scene}.png") as image:
        assert (image.height, image.width, image.mode) == (*SCENES[scene], "RGB")


@pytest.mark.parametrize("model", TINY)
def test_tiny_model_has_every_tensor_of_its_config(model):
    config = json.loads((GOLDEN / model / "config.json").read_text())
    tensors = load_file(GOLDEN / model / "model.safetensors")
    assert config["objectdino_random_weights"] is True
    assert config["num_hidden_layers"] == 4 and config["hidden_size"] == 64 and config["layer_norm_eps"] == 1e-6
    assert {str(t.dtype) for t in tensors.values()} == {"float32" if model == "tiny" else "float16"}
    assert tensors["embeddings.position_embeddings"].shape == (1, 26, 64)
    assert tensors["encoder.layer.3.mlp.fc1.weight"].shape == (128, 64)
    assert ("embeddings.register_tokens" in tensors) == (model == "tiny-registers")
    assert all(np.isfinite(t).all() for t in tensors.values())


@pytest.mark.parametrize("name", STAGE_FILES)
def test_metadata_says_how_the_file_was_made(name):
    _, meta = stage(name)
    model, scene = name.rsplit("_scene", 1)
    assert meta["format_version"] == 1 and meta["command"] == "scripts/golden" and meta["model"] == model
    assert (meta["image_height"], meta["image_width"]) == SCENES["scene" + scene]
    assert meta["version_transformers"] == "4.57.1" and meta["version_scikit-learn"] == "1.7.2"
    assert (GOLDEN / meta["image"]).exists()
    assert meta["rows"] * meta["patch_size"] == meta["input_height"]
    assert meta["cols"] * meta["patch_size"] == meta["input_width"]


@pytest.mark.parametrize("name", STAGE_FILES)
def test_shapes_follow_from_the_metadata(name):
    t, m = stage(name)
    count, grid = m["rows"] * m["cols"], (m["rows"], m["cols"])
    assert all(np.isfinite(x).all() for x in t.values())
    if name in TINY_FILES:
        assert t["input"].shape == (3, m["input_height"], m["input_width"])
        tokens = (m["prefix_tokens"] + count, 64)
    else:
        assert t["input_crop"].shape == t["input_aspect448_center_crop"].shape == (3, 28, 28)
        assert t["block_11_tail"].shape == (4, 32)
        tokens = (8, 32)
    stems = ["embeddings", "tokens"] + [f"{s}_{i}" for s in ("block", "q", "k", "v") for i in range(m["layers"])]
    assert {t[s].shape for s in stems} == {tokens}
    for kind in ("exact", "linear"):
        assert t[f"descriptors_{kind}"].shape == t[f"standardised_{kind}"].shape == (m["layers"] * m["heads"], count)
    for key in ("objectness", "objectness_preset", "objectness_published", "mask", "cut_mask_seed", "cut_mask_cls"):
        assert t[key].shape == grid
    for method in ("tokencut", "lost", "lost_centred", "cls"):
        assert t[f"{method}_objectness"].shape == t[f"{method}_mask"].shape == grid
        assert t[f"{method}_objectness"].min() == 0 and t[f"{method}_objectness"].max() == 1
    assert t["affinity"].shape == (count, count) and t["fiedler"].shape == (count,)


@pytest.mark.parametrize("name", STAGE_FILES)
def test_box_bounds_its_mask(name):
    t, m = stage(name)
    for mask, box in (("mask", "box"), ("mask_preset", "box_preset"), ("cut_mask_seed", "cut_box_seed"),
                      ("cut_mask_cls", "cut_box_cls"), ("tokencut_mask", "tokencut_box"), ("lost_mask", "lost_box"),
                      ("cls_mask", "cls_box")):
        ys, xs = np.nonzero(t[mask])
        x, y = m["image_width"] / m["cols"], m["image_height"] / m["rows"]
        expected = [xs.min() * x, ys.min() * y, (xs.max() + 1) * x, (ys.max() + 1) * y]
        np.testing.assert_allclose(t[box], expected, rtol=1e-6, err_msg=mask)


@pytest.mark.parametrize("name", STAGE_FILES)
def test_masks_lie_above_otsu_and_are_one_component(name):
    t, _ = stage(name)
    for suffix in ("", "_preset"):
        mask, n = t["mask" + suffix].astype(bool), t["objectness" + suffix]
        threshold = t["otsu_threshold" + suffix][0]
        assert n.min() == 0 and n.max() == 1
        assert (n[mask] > threshold).all()
        grown, above = np.zeros_like(mask), n > threshold
        grown.flat[np.argmax(mask)] = True
        for _ in range(mask.size):  # flood fill from one patch reaches the whole mask and nothing else
            p = np.pad(grown, 1)
            grown = above & (p[1:-1, 1:-1] | p[:-2, 1:-1] | p[2:, 1:-1] | p[1:-1, :-2] | p[1:-1, 2:])
        np.testing.assert_array_equal(grown, mask)


@pytest.mark.parametrize("name", STAGE_FILES)
def test_heads_are_the_cluster_with_most_final_heads(name):
    t, m = stage(name)
    for kind in ("exact", "linear"):
        labels, chosen = t[f"labels_{kind}"], [tuple(h) for h in t[f"heads_{kind}"].tolist()]
        assert len(labels) == m["layers"] * m["heads"] and set(labels.tolist()) == set(range(m["clusters"]))
        rows = [layer * m["heads"] + head for layer, head in chosen]
        assert rows == np.flatnonzero(labels == labels[rows[0]]).tolist()
        final = labels[-m["heads"] :].tolist()
        assert final.count(labels[rows[0]]) == max(map(final.count, final))


@pytest.mark.parametrize("name", STAGE_FILES)
def test_head_maps_average_to_the_descriptors(name):
    t, m = stage(name)
    maps = stage(f"{name}_heads")[0]["self_similarity"].astype(np.float64)
    assert maps.shape == (m["layers"], m["heads"], 3, m["rows"], m["cols"])
    assert np.abs(maps).max() <= 1 + 1e-6
    mean = maps.mean(2).reshape(m["layers"] * m["heads"], -1)
    np.testing.assert_allclose(t["descriptors_linear"], mean - mean.mean(1, keepdims=True), atol=1e-6)
    if name in TINY_FILES:
        x = np.stack([units(t, m, layer) for layer in range(m["layers"])])  # [L, 3, H, N, d]
        slow = np.stack([[(u @ u.T).mean(0) for u in row] for row in x.reshape(-1, 3 * m["heads"], *x.shape[3:])])
        slow = slow.reshape(m["layers"], 3, m["heads"], m["rows"], m["cols"]).swapaxes(1, 2)
        np.testing.assert_allclose(maps, slow, atol=1e-6)


@pytest.mark.parametrize("name", STAGE_FILES)
def test_clusters_are_the_labels_with_the_object_heads_first(name):
    t, m = stage(name)
    for kind in ("exact", "linear"):
        labels, clusters = t[f"labels_{kind}"].tolist(), stage(f"{name}_heads")[0][f"clusters_{kind}"].tolist()
        assert len(set(zip(labels, clusters))) == len(set(labels)) == len(set(clusters)), "another partition"
        rows = (t[f"heads_{kind}"] @ [m["heads"], 1]).tolist()
        assert [i for i, cluster in enumerate(clusters) if cluster == 0] == rows
        others = [cluster for cluster in dict.fromkeys(clusters) if cluster != 0]
        assert others == list(range(1, len(others) + 1))


@pytest.mark.parametrize("name", STAGE_FILES)
def test_standardised_and_published_follow_from_descriptors(name):
    t, m = stage(name)
    for kind in ("exact", "linear"):
        x = t[f"descriptors_{kind}"].astype(np.float64)
        np.testing.assert_allclose(t[f"standardised_{kind}"], (x - x.mean(0)) / x.std(0), atol=1e-5)
    heads = t["heads_exact"]
    s = t["descriptors_exact"].astype(np.float64)[heads[:, 0] * m["heads"] + heads[:, 1]].mean(0)
    expected = 1 - (s - s.min()) / (s.max() - s.min() + 1e-6)
    np.testing.assert_allclose(t["objectness_published"].ravel(), expected, atol=1e-5)


@pytest.mark.parametrize("name", STAGE_FILES)
def test_fiedler_solves_the_generalised_eigenproblem(name):
    t, _ = stage(name)
    w = np.where(t["affinity"] > t["tau"][0], 1.0, 1e-5)
    np.testing.assert_allclose(t["affinity"], t["affinity"].T, atol=1e-6)
    np.testing.assert_allclose(np.diag(t["affinity"]), 1, atol=1e-6)
    d, y, values = w.sum(1), t["fiedler"].astype(np.float64), t["eigenvalues"]
    np.testing.assert_allclose(d * y - w @ y, values[0] * d * y, atol=1e-5)
    assert y @ (d * y) == pytest.approx(1, abs=1e-5) and d @ y == pytest.approx(0, abs=1e-4)
    assert values[1] - values[0] > 0.1, "the second eigenvector must be well defined"
    seed = int(np.argmax(np.abs(y)))
    assert y[seed] > y.mean() and t["cut_mask_seed"].flat[seed] == 1


@pytest.mark.parametrize("name", TINY_FILES)
def test_taps_give_descriptors_attention_and_affinity(name):
    t, m = stage(name)
    linear = []
    for layer in range(m["layers"]):
        x = units(t, m, layer)
        linear.append((x @ x.swapaxes(-1, -2)).mean(-1).mean(0))
    linear = np.concatenate(linear)
    np.testing.assert_allclose(t["descriptors_linear"], linear - linear.mean(1, keepdims=True), atol=1e-6)
    gram = 0
    for layer, head in t["heads_exact"]:
        x = units(t, m, layer)[:, head]
        s = (x @ x.swapaxes(-1, -2)).mean(0)
        gram = gram + s @ s
    scale = np.sqrt(np.diag(gram))
    np.testing.assert_allclose(t["affinity"], gram / np.outer(scale, scale), atol=1e-5)
    assert t["cls_attention"].sum() == pytest.approx(1, abs=1e-5) and (t["cls_attention"] > 0).all()


@pytest.mark.parametrize("name", TINY_FILES)
def test_keys_of_the_last_layer_give_tokencut_and_lost(name):
    t, m = stage(name)
    keys = t[f"k_{m['layers'] - 1}"][m["prefix_tokens"] :].astype(np.float64)
    unit = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    np.testing.assert_allclose(t["key_affinity"], unit @ unit.T, atol=1e-5)
    w = np.where(t["key_affinity"] > t["tokencut_tau"][0], 1.0, 1e-5)
    values = np.linalg.eigvalsh(np.eye(len(w)) - w / np.sqrt(np.outer(w.sum(1), w.sum(1))))
    np.testing.assert_allclose(t["tokencut_eigenvalues"], values[1:4], atol=1e-5)
    y = t["tokencut_objectness"].ravel()
    assert (y[t["tokencut_mask"].ravel() == 1] > y.mean()).all()

    centred = keys - keys.mean(0)
    degree = (centred @ centred.T > 0).sum(1)
    seed = t["lost_centred_seed"][0]
    assert degree[seed] == degree.min() and t["lost_centred_mask"].flat[seed] == 1
    assert 0 < t["lost_centred_mask"].mean() < 1


@pytest.mark.parametrize("name", TINY_FILES)
def test_every_block_changes_the_tokens(name):
    t, m = stage(name)
    states = [t["embeddings"]] + [t[f"block_{i}"] for i in range(m["layers"])] + [t["tokens"]]
    assert all(np.abs(a - b).max() > 0.1 for a, b in zip(states, states[1:]))


@pytest.mark.parametrize("scene", SCENES)
def test_real_model_finds_the_painted_object(scene):
    t, m = stage(f"dinov2-small_{scene}")
    truth = np.array(m["object_box"].split(), float)
    for key in ("box", "box_preset", "cut_box_cls"):
        low, high = np.maximum(t[key][:2], truth[:2]), np.minimum(t[key][2:], truth[2:])
        both = np.prod(np.maximum(high - low, 0))
        union = np.prod(t[key][2:] - t[key][:2]) + np.prod(truth[2:] - truth[:2]) - both
        assert both / union > 0.6, f"{key} {t[key]} against {truth}"


def test_kmeans_labels_and_inertia_belong_together():
    t = load_file(GOLDEN / "kmeans.safetensors")
    np.testing.assert_array_equal(t["numpy_random"], np.random.RandomState(42).random_sample(20))
    count = sum(key.startswith("x_") for key in t)
    assert count >= 12
    for i in range(count):
        x, labels = t[f"x_{i}"].astype(np.float64), t[f"labels_{i}"]
        within = sum(((x[labels == c] - x[labels == c].mean(0)) ** 2).sum() for c in set(labels.tolist()))
        assert labels.max() < t[f"k_seed_n_init_{i}"][0]
        assert t[f"inertia_{i}"][0] == pytest.approx(within, rel=1e-3, abs=1e-6), f"problem {i}"


def test_resize_keeps_range_constants_and_identity():
    t = load_file(GOLDEN / "resize.safetensors")
    count = sum(key.startswith("in_") for key in t)
    assert count >= 10
    for i in range(count):
        source, target = t[f"in_{i}"].astype(np.float64) / 255, t[f"out_{i}"]
        assert target.min() >= source.min() - 1e-6 and target.max() <= source.max() + 1e-6
        if target.shape[1:] == source.shape[:2]:
            np.testing.assert_allclose(target, source.transpose(2, 0, 1), atol=1e-6)
        if source.shape[:2] == (1, 1):
            np.testing.assert_allclose(target, np.broadcast_to(source[0, 0, :, None, None], target.shape), atol=1e-6)


def coco_decode(counts: str, height: int, width: int) -> np.ndarray:
    """COCO's compressed run lengths: five bits a character, signed, from the fourth run on relative to two before."""
    runs, at = [], 0
    while at < len(counts):
        value, shift = 0, 0
        while True:
            code = ord(counts[at]) - 48
            value |= (code & 31) << shift
            at, shift = at + 1, shift + 5
            if not code & 32:
                break
        if code & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    flat = np.repeat(np.arange(len(runs)) % 2, runs)
    return flat.reshape(width, height).T


def test_box_check_scores_follow_from_their_maps():
    """By integrals over pixels of a fine raster, which is another way than the generator's."""
    cases = json.loads((GOLDEN / "box_check.json").read_text())["cases"]
    fine = 40  # cells a patch
    for case in cases:
        (h, w), n, a = case["size"], np.array(case["objectness"]), np.array(case["attention"])
        log = np.log(a + 1e-9)
        log = (log - log.min()) / max(log.max() - log.min(), 1e-12)
        n, log = (np.kron(m, np.ones((fine, fine))) for m in (n, log))
        y, x = (np.arange(k) + 0.5 for k in n.shape)
        y, x = y[:, None] * h / n.shape[0], x[None] * w / n.shape[1]

        def cells(x1, y1, x2, y2):
            return (x1 <= x) & (x < x2) & (y1 <= y) & (y < y2)

        for box, score in zip(case["boxes"], case["scores"], strict=True):
            bw, bh = box[2] - box[0], box[3] - box[1]
            inside = cells(*box)
            ring = cells(box[0] - 0.3 * bw, box[1] - 0.3 * bh, box[2] + 0.3 * bw, box[3] + 0.3 * bh) & ~inside
            if inside.sum() < fine**2:
                continue  # too small for the raster
            expected = n[inside].mean() - (n[ring] if ring.any() else n).mean() + log[inside].mean()
            expected -= log[~inside].mean() if not inside.all() else 0
            assert score == pytest.approx(expected, abs=0.03)


def test_rle_counts_decode_to_their_masks():
    masks = json.loads((GOLDEN / "rle.json").read_text())["masks"]
    assert len(masks) >= 28
    for i, m in enumerate(masks):
        expected = np.array([[int(c) for c in row] for row in m["rows"]])
        assert list(expected.shape) == m["size"]
        np.testing.assert_array_equal(coco_decode(m["counts"], *m["size"]), expected, err_msg=f"mask {i}")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_shows_the_upright_scene(orientation):
    upright = np.asarray(Image.open(GOLDEN / "exif" / "upright.png")).astype(int)
    with Image.open(GOLDEN / "exif" / f"orientation_{orientation}.jpg") as image:
        assert image.getexif()[0x0112] == orientation
        assert image.size == ((40, 24) if orientation < 5 else (24, 40))
        shown = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    assert shown.shape == upright.shape and np.abs(shown - upright).max() <= 3
    assert orientation == 1 or np.abs(np.asarray(image.resize((40, 24))).astype(int) - upright).max() > 30


def pixels(name, mode="RGB"):
    with Image.open(DATA / name) as image:
        return np.asarray(image.convert(mode)).astype(int)


def test_twins_of_the_data_files_show_the_same_picture():
    plain = pixels("png8.png")
    assert plain.shape == (48, 64, 3)
    for name, twin, tolerance in (("png16.png", plain, 0), ("rgba.png", plain, 0), ("still.webp", plain, 0),
                                  ("animated.webp", plain, 0), ("palette_alpha.png", pixels("palette.png"), 0),
                                  ("cmyk.jpg", pixels("cmyk_rgb.png"), 1)):
        assert np.abs(pixels(name) - twin).max() <= tolerance, name
    with Image.open(DATA / "gray16.png") as image:
        np.testing.assert_array_equal(np.asarray(image).astype(int), pixels("gray.png", "L") * 257)


def test_bad_data_files_are_bad_in_the_way_their_names_say():
    header = (DATA / "bomb_20000x20000_1bit.png").read_bytes()[:26]
    assert struct.unpack(">IIBB", header[16:26]) == (20000, 20000, 1, 0)
    assert (DATA / "bomb_20000x20000_1bit.png").stat().st_size < 2**16
    truncated = (DATA / "truncated.jpg").read_bytes()
    assert truncated[:3] == b"\xff\xd8\xff" and truncated[-2:] != b"\xff\xd9"
    with pytest.raises(OSError, match="truncated"):
        pixels("truncated.jpg")
    with pytest.raises(OSError, match="cannot identify"):
        pixels("text.jpg")
    assert pixels("one_pixel.png").shape == (1, 1, 3)
    for name, frames in (("animated.webp", 3), ("animated.gif", 3), ("still.webp", 1)):
        with Image.open(DATA / name) as image:
            assert image.n_frames == frames, name
    for name, mode in (("cmyk.jpg", "CMYK"), ("palette_alpha.png", "P"), ("gray.png", "L"), ("rgba.png", "RGBA")):
        with Image.open(DATA / name) as image:
            assert image.mode == mode and ("transparency" in image.info) == (name == "palette_alpha.png")
    with Image.open(DATA / "png16.png"):
        assert (DATA / "png16.png").read_bytes()[24:26] == bytes([16, 2])


FAMILIES = {"tiny": 0, "tiny-registers": 4, "tiny-dino-16": 0, "tiny-dino-8": 0, "tiny-swiglu": 0,
            "tiny-swiglu-registers": 4, "tiny-dinov3": 4, "tiny-dinov3-gated": 4}


@pytest.mark.parametrize("model", FAMILIES)
def test_family_file_starts_with_the_prefix_tokens_of_its_model(model):
    torch = pytest.importorskip("torch", exc_type=ImportError)
    from safetensors.torch import load_file as load_torch

    weights = {k.removeprefix("embeddings."): v.to(torch.float32).numpy() for k, v in
               load_torch(GOLDEN / model / "model.safetensors").items() if k.startswith("embeddings.")}
    t = load_file(GOLDEN / f"{model}_family.safetensors")
    assert (GOLDEN / f"{model}_family.safetensors").stat().st_size < 300_000
    inputs = {key.split(".")[0] for key in t}
    assert len(inputs) == 3
    registers = FAMILIES[model]
    position = weights["position_embeddings"][0, 0] if "position_embeddings" in weights else 0
    for size in inputs:
        corner = t[f"{size}.embeddings.corner"]
        columns = corner.shape[1]
        np.testing.assert_allclose(corner[0], (weights["cls_token"][0, 0] + position)[:columns], atol=1e-6)
        if registers:
            np.testing.assert_allclose(corner[1 : 1 + registers], weights["register_tokens"][0, :, :columns], atol=1e-6)
        assert t[f"{size}.cls_attention"].sum() == pytest.approx(1, abs=1e-5)
        assert np.abs(t[f"{size}.tokens.mean"] - t[f"{size}.embeddings.mean"]).max() > 0.1


def test_rules_of_positions_agree_on_the_own_grid_alone():
    t = load_file(GOLDEN / "positions.safetensors")
    cases = [key.removeprefix("table.") for key in t if key.startswith("table.")]
    assert len(cases) >= 7
    for case in cases:
        side, grid = case.split("_")
        rows, cols = map(int, grid.split("x"))
        by_rule = [t[f"{rule}.{case}"] for rule in ("offset", "size", "antialias")]
        assert all(x.shape == (1, 1 + rows * cols, 3) for x in by_rule)
        assert all((x[:, 0] == t[f"table.{case}"][:, 0]).all() for x in by_rule)
        own = (rows, cols) == (int(side), int(side))
        assert (np.abs(by_rule[0] - by_rule[1]).max() < 1e-6) == own
        assert not own or (by_rule[1] == t[f"table.{case}"]).all()
