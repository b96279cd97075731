# SPDX-License-Identifier: Apache-2.0
"""Every stage of Object-DINO, written the plain and slow way; the golden files hold what these functions return.

Letters: L layers, H heads, d head dim, D = H*d width, N = rows*cols patches, T = prefix + N tokens.
Everything after the backbone is computed in float64 and rounded to float32 where it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy import linalg, ndimage
from sklearn.cluster import KMeans
from transformers import AutoModel

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CLUSTERS, RESTARTS, SEED = 5, 10, 42
WEAK_EDGE = 1e-5  # weight between patches whose affinity is not above tau
COMPONENT_SHARE = 0.01  # smaller components are no objects
STABLE_IOU = 0.6  # of the boxes of a component and its heaviest core: below, the component was joined
DISTINCT_IOU = 0.5  # of the boxes of two objects


@dataclass(frozen=True)
class Grid:
    """The patch grid of one input, and the image it came from (pixels)."""

    rows: int
    cols: int
    height: int
    width: int


# ---- image -> input -------------------------------------------------------------------------------------------


def grid_for(height: int, width: int, mode: str, size: int, patch: int) -> Grid:
    """'square': size x size. 'aspect': the longer side becomes about size, both sides multiples of the patch."""
    if mode == "square":
        return Grid(size // patch, size // patch, height, width)
    scale = size / max(width, height)
    rows, cols = (max(1, round(side * scale / patch)) for side in (height, width))  # half to even
    return Grid(rows, cols, height, width)


def resize(rgb: np.ndarray, height: int, width: int) -> torch.Tensor:
    """uint8 [h, w, 3] -> float32 [1, 3, height, width] in 0..1; antialiased bilinear, no rounding in between."""
    x = torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float() / 255
    return F.interpolate(x, size=(height, width), mode="bilinear", antialias=True, align_corners=False)


def preprocess(rgb: np.ndarray, grid: Grid, patch: int) -> torch.Tensor:
    mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return (resize(rgb, grid.rows * patch, grid.cols * patch) - mean) / std


# ---- input -> tokens and taps ---------------------------------------------------------------------------------


class Backbone:
    """A DINOv2 folder (with or without registers), every stage of which can be read."""

    def __init__(self, folder, dtype=torch.float32):
        self.model = AutoModel.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
        config = self.model.config
        self.dtype, self.patch = dtype, config.patch_size
        self.layers, self.heads = config.num_hidden_layers, config.num_attention_heads
        self.prefix = 1 + getattr(config, "num_register_tokens", 0)
        self._seen: dict[str, np.ndarray] = {}
        self._watch(self.model.embeddings, "embeddings")
        for i, block in enumerate(self.model.encoder.layer):
            self._watch(block, f"block_{i}")
            attention = block.attention.attention
            for name, part in (("q", attention.query), ("k", attention.key), ("v", attention.value)):
                self._watch(part, f"{name}_{i}")

    def _watch(self, module, name):
        def keep(_module, _inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            self._seen[name] = output[0].numpy().copy()  # [T, D]

        module.register_forward_hook(keep)

    @torch.inference_mode()
    def __call__(self, pixels: torch.Tensor) -> dict[str, np.ndarray]:
        self._seen = {}
        self._seen["tokens"] = self.model(pixel_values=pixels.to(self.dtype)).last_hidden_state[0].numpy()
        return self._seen

    def split(self, taps, name: str, layer: int) -> np.ndarray:
        """One tap as float64 [H, T, d]."""
        x = taps[f"{name}_{layer}"].astype(np.float64)
        return x.reshape(len(x), self.heads, -1).transpose(1, 0, 2)

    def units(self, taps, layer: int) -> np.ndarray:
        """L2-normalised patch vectors of q, k and v: [3, H, N, d]."""
        x = np.stack([self.split(taps, name, layer)[:, self.prefix :] for name in "qkv"])
        return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def cls_attention(net: Backbone, taps, layers=2) -> np.ndarray:
    """What the class token attends to in the last layers: mean over heads, patches only, sum 1. [N]"""
    total = 0
    for layer in range(net.layers - layers, net.layers):
        q, k = net.split(taps, "q", layer), net.split(taps, "k", layer)
        logits = np.einsum("hd,htd->ht", q[:, 0], k) / np.sqrt(q.shape[-1])
        e = np.exp(logits - logits.max(1, keepdims=True))
        total = total + (e / e.sum(1, keepdims=True))[:, net.prefix :].mean(0)
    return total / total.sum()


# ---- head descriptors, clusters, selection --------------------------------------------------------------------


def descriptors_exact(net: Backbone, taps) -> np.ndarray:
    """Per head the mean over queries of the softmaxed self-similarity, averaged over q, k, v. [L*H, N]"""
    rows = []
    for layer in range(net.layers):
        x = net.units(taps, layer)
        e = np.exp(x @ x.swapaxes(-1, -2) / np.sqrt(x.shape[-1]))  # [3, H, N, N]
        rows.append((e / e.sum(-1, keepdims=True)).mean(-2).mean(0))
    return np.concatenate(rows).astype(np.float32)


def descriptors_linear(net: Backbone, taps) -> np.ndarray:
    """Per head the mean cosine of a patch to all patches, averaged over q, k, v, centred per head. [L*H, N]"""
    rows = []
    for layer in range(net.layers):
        x = net.units(taps, layer)
        rows.append(np.einsum("rhnd,rhd->hn", x, x.mean(2)) / 3)
    out = np.concatenate(rows)
    return (out - out.mean(1, keepdims=True)).astype(np.float32)


def self_similarity(net: Backbone, taps) -> np.ndarray:
    """Per head the mean cosine of a patch to all patches, for q, k and v. [L, H, 3, N]"""
    maps = []
    for layer in range(net.layers):
        x = net.units(taps, layer)  # [3, H, N, d]
        maps.append((x @ x.swapaxes(-1, -2)).mean(-2).swapaxes(0, 1))
    return np.stack(maps).astype(np.float32)


def standardise(x: np.ndarray) -> np.ndarray:
    """Zero mean and unit (population) deviation per column; constant columns become 0."""
    x = x.astype(np.float64)
    deviation = x.std(0)
    return ((x - x.mean(0)) / np.where(deviation > 0, deviation, 1)).astype(np.float32)


def cluster(x: np.ndarray, k=CLUSTERS, n_init=RESTARTS, seed=SEED) -> KMeans:
    return KMeans(n_clusters=k, n_init=n_init, random_state=seed).fit(x)


def choose_heads(labels: np.ndarray, heads: int) -> np.ndarray:
    """The cluster with most heads of the final layer (ties: the one met first). [n, 2] of (layer, head)."""
    final = labels[-heads:].tolist()
    met = list(dict.fromkeys(labels.tolist()))
    best = max(met, key=final.count)  # max keeps the first of equals
    return np.stack(np.divmod(np.flatnonzero(labels == best), heads), 1).astype(np.int32)


def renumber(labels: np.ndarray, chosen: np.ndarray, heads: int) -> np.ndarray:
    """Numbers that do not depend on k-means': 0 for the chosen cluster, then in order of first appearance. [L*H]"""
    numbers = {int(labels[chosen[0, 0] * heads + chosen[0, 1]]): 0}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels.tolist()], np.int32)


# ---- objectness, mask, box ------------------------------------------------------------------------------------


def objectness_published(descriptors: np.ndarray, chosen: np.ndarray, heads: int) -> np.ndarray:
    t = descriptors.astype(np.float64)[chosen[:, 0] * heads + chosen[:, 1]].mean(0)
    return 1 - (t - t.min()) / (t.max() - t.min() + 1e-6)


def objectness_anchored(net: Backbone, taps, chosen: np.ndarray, grid: Grid) -> np.ndarray:
    """Similarity to what the class token looks at, minus similarity to the outer ring; min-max scaled. [N]"""
    ring = np.ones((grid.rows, grid.cols))
    ring[1:-1, 1:-1] = 0
    anchor = cls_attention(net, taps) - ring.ravel() / ring.sum()
    v = 0
    for layer, head in chosen:
        x = net.units(taps, layer)[:, head]  # [3, N, d]
        v = v + np.einsum("rnd,rmd,m->n", x, x, anchor)
    return (v - v.min()) / max(v.max() - v.min(), 1e-12)


def otsu(n: np.ndarray, bins=256) -> float:
    """Centre of the last bin of the lower class, for the split with the largest between-class variance."""
    counts, edges = np.histogram(n.astype(np.float64), bins=bins)
    centres = (edges[:-1] + edges[1:]) / 2
    best, threshold = -1.0, centres[0]
    for i in range(bins - 1):
        low, high = counts[: i + 1], counts[i + 1 :]
        if low.sum() and high.sum():
            gap = (low @ centres[: i + 1]) / low.sum() - (high @ centres[i + 1 :]) / high.sum()
            if low.sum() * high.sum() * gap**2 > best * (1 + 1e-12):  # empty bins after i change nothing: keep i
                best, threshold = low.sum() * high.sum() * gap**2, centres[i]
    return float(threshold)


def main_object(n: np.ndarray, threshold: float, grid: Grid) -> np.ndarray:
    """The 4-connected component of n > threshold with the largest sum of n. bool [rows, cols]"""
    n = n.reshape(grid.rows, grid.cols)
    labels, count = ndimage.label(n > threshold)
    parts = [labels == i for i in range(1, count + 1)]
    parts = [p for p in parts if p.sum() >= max(1, COMPONENT_SHARE * n.size)]
    return max(parts, key=lambda p: n[p].sum())


def box_of(mask: np.ndarray, grid: Grid) -> np.ndarray:
    """x0, y0, x1, y1 in pixels of the image."""
    ys, xs = np.nonzero(mask)
    x, y = grid.width / grid.cols, grid.height / grid.rows
    return np.array([xs.min() * x, ys.min() * y, (xs.max() + 1) * x, (ys.max() + 1) * y], np.float32)


def components(n: np.ndarray, threshold: float) -> list[np.ndarray]:
    """The 4-connected components of n > threshold, those with the largest sum of n first. bool [rows, cols] each"""
    labels, count = ndimage.label(n > threshold)
    return sorted((labels == i for i in range(1, count + 1)), key=lambda p: -n[p].sum())


def box_iou(a, b) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inner = max(width, 0) * max(height, 0)
    return inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


def stable_components(n: np.ndarray, grid: Grid) -> list[np.ndarray]:
    """Components above Otsu's threshold; one that the threshold of the squares shrinks a lot falls into those cores."""
    smallest = int(np.ceil(COMPONENT_SHARE * n.size))
    cores = [c for c in components(n**2, otsu((n**2).ravel())) if c.sum() >= smallest]
    parts = []
    for part in components(n, otsu(n.ravel())):
        own = sorted((c for c in cores if (c & part).any()), key=lambda c: -n[c].sum())
        joined = own and box_iou(box_of(part, grid), box_of(own[0], grid)) < STABLE_IOU
        parts += own if joined else [part]
    parts.sort(key=lambda p: -n[p].sum())
    return parts[:1] + [p for p in parts[1:] if p.sum() >= smallest]


def object_score(n: np.ndarray, part: np.ndarray) -> float:
    """The calibrated score of a component: a logistic regression on six properties."""
    ring = ndimage.binary_dilation(part, iterations=2) & ~part
    border = np.ones_like(part)
    border[1:-1, 1:-1] = False
    inside = n[part].mean()
    around = n[ring].mean() if ring.any() else n.mean()
    outside = n[~part].mean() if (~part).any() else n.mean()
    area = np.log(part.mean())
    z = (2.6 * (inside - around) + 0.75 * (inside - outside) + 0.9 * area - 0.047 * area**2
         + 1.8 * part[border].mean() - 0.82 * n[part].sum() / n.sum() + 1.7 - 0.94)
    return 1 / (1 + np.exp(-z))


def objects(n: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Masks [K, rows, cols] and scores [K], best first, without boxes that repeat a better one's."""
    n = n.reshape(grid.rows, grid.cols).astype(np.float64)
    kept: list[tuple[float, np.ndarray]] = []
    scored = sorted(((object_score(n, p), p) for p in stable_components(n, grid)), key=lambda sp: -sp[0])
    for score, part in scored:
        if all(box_iou(box_of(part, grid), box_of(other, grid)) <= DISTINCT_IOU for _, other in kept):
            kept.append((score, part))
    return np.array([p for _, p in kept]), np.array([s for s, _ in kept])


# ---- normalised cut -------------------------------------------------------------------------------------------


def affinity(net: Backbone, taps, chosen: np.ndarray) -> np.ndarray:
    """Cosines between the rows of the concatenated similarity maps of the chosen heads. [N, N]"""
    maps = []
    for layer, head in chosen:
        x = net.units(taps, layer)[:, head]
        maps.append((x @ x.swapaxes(-1, -2)).mean(0))
    rows = np.concatenate(maps, axis=1)  # [N, heads*N]; each map is symmetric, so its rows are its columns
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return (rows @ rows.T).astype(np.float32)


def spectrum(a: np.ndarray, tau: np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Second to fourth smallest eigenvalue of (D - W) y = lambda D y, and the eigenvector of the second."""
    w = np.where(a > tau, 1.0, WEAK_EDGE)
    d = np.diag(w.sum(1))
    values, vectors = linalg.eigh(d - w, d, subset_by_index=[1, 3])
    return values, vectors[:, 0]  # y' D y = 1


def choose_tau(a: np.ndarray) -> np.float32:
    """A threshold for a model without a published one: near a quantile of the off-diagonal affinities, in the widest
    gap there (rounding flips no edge), at the quantile whose cut is best separated (third minus second eigenvalue)."""
    s = np.sort(a[np.triu_indices(len(a), 1)].astype(np.float64))
    candidates = []
    for percent in range(10, 91, 5):
        near = s[len(s) * (percent - 2) // 100 : len(s) * (percent + 2) // 100]
        i = int(np.argmax(np.diff(near)))
        candidates.append(np.float32((near[i] + near[i + 1]) / 2))
    return max(candidates, key=lambda tau: np.diff(spectrum(a, tau)[0])[0])


def component_at(side: np.ndarray, seed: int, grid: Grid) -> np.ndarray:
    labels, _ = ndimage.label(side.reshape(grid.rows, grid.cols))
    return labels == labels.flat[seed]


def cut_by_seed(y: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """The side that holds the largest |y|; returns y turned to that side, and the seed's component."""
    seed, side = int(np.argmax(np.abs(y))), y > y.mean()
    if not side[seed]:
        y, side = -y, ~side
    return y, component_at(side, seed, grid)


def cut_by_cls(y: np.ndarray, attention: np.ndarray, grid: Grid) -> np.ndarray:
    """The side with the larger mean class attention; the component of its largest y."""
    side = y > y.mean()
    if attention[~side].mean() > attention[side].mean():
        y, side = -y, ~side
    return component_at(side, int(np.argmax(np.where(side, y, -np.inf))), grid)


# ---- methods to compare with: the last layer's keys as they are -------------------------------------------------


def keys(net: Backbone, taps) -> np.ndarray:
    """All heads side by side, patches only: [N, D] float64."""
    x = net.split(taps, "k", net.layers - 1)[:, net.prefix :]  # [H, N, d]
    return x.transpose(1, 0, 2).reshape(x.shape[1], -1)


def key_affinity(net: Backbone, taps) -> np.ndarray:
    """Cosines of the keys, which TokenCut cuts. [N, N]"""
    x = keys(net, taps)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return (x @ x.T).astype(np.float32)


def lost(x: np.ndarray, grid: Grid, candidates=100) -> tuple[int, np.ndarray, np.ndarray]:
    """LOST: its seed, every patch's similarity to what expands the seed [N], and the seed's component."""
    a = x @ x.T
    order = np.argsort((a > 0).sum(1), kind="stable")
    seed, lowest = int(order[0]), order[:candidates]
    similarity = a[lowest[a[seed, lowest] > 0]].sum(0)
    side = similarity > 0
    side[seed] = True
    return seed, similarity, component_at(side, seed, grid)


def minmax(x: np.ndarray) -> np.ndarray:
    return (x - x.min()) / max(x.max() - x.min(), 1e-12)


def last_layer_methods(net: Backbone, taps, grid: Grid, tau: float | None) -> dict[str, np.ndarray]:
    """What TokenCut, LOST and the thresholded CLS attention give; tau None: choose it by choose_tau."""
    shape, out = (grid.rows, grid.cols), {}
    a = out["key_affinity"] = key_affinity(net, taps)
    tau = choose_tau(a) if tau is None else np.float32(tau)
    out["tokencut_tau"] = np.array([tau])
    out["tokencut_eigenvalues"], y = spectrum(a, tau)
    y, mask = cut_by_seed(y, grid)
    out["tokencut_objectness"], out["tokencut_mask"] = minmax(y).reshape(shape), mask
    seed, similarity, mask = lost(keys(net, taps), grid)
    out["lost_seed"] = np.array([seed], np.int32)
    out["lost_objectness"], out["lost_mask"] = minmax(similarity).reshape(shape), mask
    # Of the keys as they are, nearly every product is positive; less their mean, half of them are.
    centred = keys(net, taps) - keys(net, taps).mean(0)
    seed, similarity, mask = lost(centred, grid, len(centred) // 4)
    out["lost_centred_seed"] = np.array([seed], np.int32)
    out["lost_centred_objectness"] = minmax(similarity).reshape(shape)
    out["lost_centred_mask"] = mask.astype(np.uint8)
    n = minmax(cls_attention(net, taps, layers=1)).astype(np.float32)
    out["cls_objectness"], out["cls_mask"] = n.reshape(shape), main_object(n, otsu(n), grid)
    for name in ("tokencut", "lost", "cls"):
        out[f"{name}_box"] = box_of(out[f"{name}_mask"], grid)
        out[f"{name}_mask"] = out[f"{name}_mask"].astype(np.uint8)
    return out


# ---- all of it ------------------------------------------------------------------------------------------------


def after_backbone(net: Backbone, taps, grid: Grid, tau: float | None, key_tau: float | None) -> dict[str, np.ndarray]:
    """Every tensor that follows from the taps; tau, key_tau None: chosen by choose_tau, each on its own graph."""
    shape, out = (grid.rows, grid.cols), {}
    attention = cls_attention(net, taps)
    out["cls_attention"] = attention
    for name, x in (("exact", descriptors_exact(net, taps)), ("linear", descriptors_linear(net, taps))):
        out[f"descriptors_{name}"] = x
        out[f"standardised_{name}"] = standardise(x)
        out[f"labels_{name}"] = cluster(out[f"standardised_{name}"]).labels_.astype(np.int32)
        out[f"heads_{name}"] = choose_heads(out[f"labels_{name}"], net.heads)
    published = objectness_published(out["descriptors_exact"], out["heads_exact"], net.heads)
    out["objectness_published"] = published.reshape(shape)
    preset = np.array([(i, h) for i in (net.layers - 2, net.layers - 1) for h in range(net.heads)])
    for suffix, chosen in (("", out["heads_linear"]), ("_preset", preset)):
        n = objectness_anchored(net, taps, chosen, grid).astype(np.float32)
        threshold = otsu(n)
        mask = main_object(n, threshold, grid)
        out["objectness" + suffix], out["otsu_threshold" + suffix] = n.reshape(shape), np.array([threshold])
        out["mask" + suffix], out["box" + suffix] = mask.astype(np.uint8), box_of(mask, grid)
    masks, out["object_scores"] = objects(out["objectness"], grid)
    out["object_masks"] = masks.astype(np.uint8)
    a = out["affinity"] = affinity(net, taps, out["heads_exact"])
    out["affinity_linear"] = affinity(net, taps, out["heads_linear"])
    tau = choose_tau(a) if tau is None else np.float32(tau)
    out["tau"] = np.array([tau])
    out["eigenvalues"], y = spectrum(a, tau)
    out["fiedler"], by_seed = cut_by_seed(y, grid)
    for rule, mask in (("seed", by_seed), ("cls", cut_by_cls(y, attention, grid))):
        out[f"cut_mask_{rule}"], out[f"cut_box_{rule}"] = mask.astype(np.uint8), box_of(mask, grid)
    out |= last_layer_methods(net, taps, grid, key_tau)
    return {k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in out.items()}
