# SPDX-License-Identifier: Apache-2.0
"""Best boxes of photographs with ground truth, by the plain stages: what objectdino-eval is compared with."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import stages
from PIL import Image, ImageFile

ImageFile.LOAD_TRUNCATED_IMAGES = True  # one of them is cut short


def voc_truth(annotation: Path, _size) -> list[list[float]]:
    boxes = [o.find("bndbox") for o in ET.parse(annotation).getroot().findall("object")]
    sides = [[float(b.find(side).text) for side in ("xmin", "ymin", "xmax", "ymax")] for b in boxes]
    return [[x1 - 1, y1 - 1, x2, y2] for x1, y1, x2, y2 in sides]  # VOC counts pixels from 1


def yolo_truth(annotation: Path, size) -> list[list[float]]:
    rows = np.loadtxt(annotation, ndmin=2)
    return [[(x - w / 2) * size[0], (y - h / 2) * size[1], (x + w / 2) * size[0], (y + h / 2) * size[1]]
            for _, x, y, w, h in rows]


SETS = {"raccoon": ("annotations", ".xml", voc_truth), "coco128": ("boxes", ".txt", yolo_truth)}


def heads_of(net: stages.Backbone, taps, selection: str) -> np.ndarray:
    if selection == "preset":
        return np.array([(layer, h) for layer in (net.layers - 2, net.layers - 1) for h in range(net.heads)])
    labels = stages.cluster(stages.standardise(stages.descriptors_linear(net, taps))).labels_
    return stages.choose_heads(labels, net.heads)


def measure(net: stages.Backbone, folder: Path) -> dict:
    """Per head selection: each image's best box, and CorLoc and mean IoU of all."""
    annotations, suffix, truth_of = SETS[folder.name]
    found = {selection: {"boxes": {}, "ious": []} for selection in ("clustered", "preset")}
    for path in sorted((folder / "images").iterdir()):
        annotation = folder / annotations / (path.stem + suffix)
        rgb = np.asarray(Image.open(path).convert("RGB"))
        truth = truth_of(annotation, (rgb.shape[1], rgb.shape[0])) if annotation.exists() else []
        if not truth:
            continue
        grid = stages.grid_for(*rgb.shape[:2], "square", 224, net.patch)
        taps = net(stages.preprocess(rgb, grid, net.patch))
        for selection, result in found.items():
            n = stages.objectness_anchored(net, taps, heads_of(net, taps, selection), grid).astype(np.float32)
            box = stages.box_of(stages.objects(n, grid)[0][0], grid)
            result["boxes"][path.name] = [round(float(side), 3) for side in box]
            result["ious"].append(max(stages.box_iou(box, t) for t in truth))
    for result in found.values():
        ious = np.array(result.pop("ious"))
        result |= {"n": len(ious), "corloc": 100 * float((ious >= 0.5).mean()), "mean_iou": float(ious.mean())}
    return found


def write(path: Path, model: Path, data: Path):
    net = stages.Backbone(model)
    document = {"grid": [16, 16], "sets": {name: measure(net, data / name) for name in SETS}}
    path.write_text(json.dumps(document, separators=(",", ":")).replace('],"', '],\n"') + "\n")
