# SPDX-License-Identifier: Apache-2.0
"""The score of a claimed box (core/objects/box_check), the plain way, on random maps."""

from __future__ import annotations

import numpy as np

RING = 0.3  # of the box's size, each way
SEED = 4


def coverage(box, grid, size):
    """[rows, cols]: the share of each patch that `box` (x1, y1, x2, y2 in pixels, cut off at the image) covers."""
    shares = []
    for low, high, cells, pixels in ((box[1], box[3], grid[0], size[0]), (box[0], box[2], grid[1], size[1])):
        low, high = max(0, low) * cells / pixels, min(pixels, high) * cells / pixels
        edges = np.arange(cells)
        shares.append(np.clip(np.minimum(edges + 1, high) - np.maximum(edges, low), 0, 1))
    return np.outer(*shares)


def score(objectness, attention, size, box):
    """Maps are [rows, cols], `size` is (height, width)."""
    width, height = box[2] - box[0], box[3] - box[1]
    grown = (box[0] - RING * width, box[1] - RING * height, box[2] + RING * width, box[3] + RING * height)
    inside = coverage(box, objectness.shape, size)
    ring = np.maximum(coverage(grown, objectness.shape, size) - inside, 0)
    log = np.log(attention + 1e-9)
    log = (log - log.min()) / max(np.ptp(log), 1e-12)

    def mean(values, weights):
        return (values * weights).sum() / max(weights.sum(), 1e-9)

    around = mean(objectness, ring) if ring.sum() > 0 else objectness.mean()
    return mean(objectness, inside) - around + mean(log, inside) - mean(log, 1 - inside)


def cases():
    rng = np.random.RandomState(SEED)
    for rows, cols, height, width in ((16, 16, 480, 640), (10, 14, 333, 500), (5, 3, 50, 30), (1, 1, 40, 60), (32, 24, 640, 480)):
        objectness = np.round(rng.uniform(size=(rows, cols)), 4)
        attention = np.round(rng.dirichlet(np.full(rows * cols, 0.3)), 6).reshape(rows, cols)  # zeros among them
        boxes = [[0, 0, width, height], [0, 0, 1, 1], [width * 0.25, height * 0.5, width * 0.75, height]]
        for _ in range(7):
            x, y = np.sort(rng.uniform(0, width, 2)), np.sort(rng.uniform(0, height, 2))
            boxes.append([float(np.float32(v)) for v in (x[0], y[0], x[1], y[1])])
        boxes.append([-5.5, -3, width / 2, height / 2])  # off the image, as annotations sometimes are
        yield {"size": [height, width], "objectness": objectness.tolist(), "attention": attention.tolist(), "boxes": boxes,
               "scores": [round(float(score(objectness, attention, (height, width), b)), 9) for b in boxes]}
