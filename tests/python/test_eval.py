# SPDX-License-Identifier: Apache-2.0
"""objectdino-eval as its users run it, on small made-up data sets and the tiny model; figures against pycocotools."""
import contextlib
import io
import json
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn.metrics import roc_auc_score

from conftest import BIN, ROOT, TINY_MODEL

PHOTOS = {"a.jpg": ROOT / "examples/astronaut.jpg", "b.png": ROOT / "examples/coffee.png",
          "c.png": ROOT / "tests/golden/images/scene_480x640.png"}
# Whole pixels, (class, x1, y1, x2, y2).
OBJECTS = {"a.jpg": [("person", 60, 20, 400, 500), ("hat", 10, 300, 90, 420)], "b.png": [("cup", 150, 60, 450, 350)],
           "c.png": [("thing", 40, 40, 200, 300), ("thing", 300, 100, 620, 460)]}
METHODS = "object_dino,object_dino_cut"


def size(name):
    with Image.open(PHOTOS[name]) as image:
        return image.size


@pytest.fixture
def folder(tmp_path):
    """The photographs, and their boxes in every layout."""
    for layout in ("voc/JPEGImages", "yolo/images"):
        (tmp_path / layout).mkdir(parents=True)
        for name, path in PHOTOS.items():
            shutil.copy(path, tmp_path / layout / name)
    for part in ("voc/Annotations", "voc/ImageSets/Main", "yolo/boxes", "yolo/polygons"):
        (tmp_path / part).mkdir(parents=True)
    for name, objects in OBJECTS.items():
        stem, (w, h) = name.split(".")[0], size(name)
        (tmp_path / "voc/Annotations" / f"{stem}.xml").write_text("<annotation>" + "".join(
            f"<object><name>{label}</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax>"
            f"<ymax>{y2}</ymax></bndbox></object>\n" for label, x1, y1, x2, y2 in objects) + "</annotation>")
        (tmp_path / "yolo/boxes" / f"{stem}.txt").write_text("".join(
            f"0 {(x1 + x2) / 2 / w:.9f} {(y1 + y2) / 2 / h:.9f} {(x2 - x1) / w:.9f} {(y2 - y1) / h:.9f}\n"
            for _, x1, y1, x2, y2 in objects))
        (tmp_path / "yolo/polygons" / f"{stem}.txt").write_text("".join(
            "0 " + " ".join(f"{x / w:.9f} {y / h:.9f}" for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))) + "\n"
            for _, x1, y1, x2, y2 in objects))
    (tmp_path / "voc/ImageSets/Main/val.txt").write_text("c\na\n")
    write_coco(tmp_path / "coco.json", {name: [o[1:] for o in objects] for name, objects in OBJECTS.items()})
    return tmp_path


def write_coco(path, boxes, masks=None):
    """COCO instances; `masks` are segmentations in the order of the boxes."""
    images, annotations = [], []
    for number, name in enumerate(sorted(boxes), 1):
        w, h = size(name)
        images.append({"id": number, "file_name": name, "width": w, "height": h})
        for i, (x1, y1, x2, y2) in enumerate(boxes[name]):
            annotations.append({
                "id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0,
                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1),
                "segmentation": masks[name][i] if masks else [[x1, y1, x2, y1, x2, y2, x1, y2]]})
    path.write_text(json.dumps({"images": images, "annotations": annotations,
                                "categories": [{"id": 1, "name": "thing"}]}))


def start(*arguments):
    return [BIN / "objectdino-eval", *map(str, arguments)]


def run(*arguments, model=TINY_MODEL, code=0):
    done = subprocess.run(start(*arguments, *(["--model", model] if model else [])), capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode == code, done.stderr
    return done


def table(*arguments, **options):
    return {row["method"]: row for row in json.loads(run(*arguments, "--json", **options).stdout)}


def records(journal):
    return [json.loads(line) for line in journal.read_text().splitlines()]


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    overlap = max(w, 0) * max(h, 0)
    return overlap / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap)


# ---------------------------------------------------------------- data sets, corloc, output

def test_every_layout_gives_the_same_figures(folder):
    rows = table("corloc", "--data", f"voc:{folder / 'voc'}", "--methods", METHODS)
    assert list(rows) == ["whole_image", "centre_box", *METHODS.split(",")]
    for data in (["--data", f"yolo:{folder / 'yolo'}"], ["--data", f"yolo-seg:{folder / 'yolo'}"],
                 ["--data", f"coco:{folder / 'coco.json'}", "--images", folder / "yolo/images"]):
        others = table("corloc", *data, "--methods", METHODS)
        for name, row in rows.items():
            assert {k: pytest.approx(v, abs=1e-5) for k, v in row.items() if k != "method"} == {
                k: v for k, v in others[name].items() if k != "method"}, data


def test_corloc_follows_from_the_predictions(folder):
    path = folder / "predictions.json"
    rows = table("corloc", "--data", f"voc:{folder / 'voc'}", "--methods", "object_dino", "--predictions", path)
    predictions = {p["file"]: p for p in json.loads(path.read_text())}
    assert set(predictions) == set(OBJECTS)
    best = [max(iou(predictions[name]["box"], o[1:]) for o in OBJECTS[name]) for name in OBJECTS]
    assert [predictions[name]["iou"] for name in OBJECTS] == pytest.approx(best, abs=1e-5)
    whole = [max(iou((0, 0, *size(name)), o[1:]) for o in OBJECTS[name]) for name in OBJECTS]
    for method, ious in (("object_dino", best), ("whole_image", whole)):
        assert rows[method]["n"] == 3
        assert rows[method]["mean_iou"] == pytest.approx(np.mean(ious), abs=1e-5)
        assert rows[method]["corloc"] == pytest.approx(100 * np.mean(np.array(ious) >= 0.5))
        low, high = rows[method]["mean_iou_ci95"]
        assert min(ious) - 1e-5 <= low <= np.mean(ious) <= high <= max(ious) + 1e-5
        assert low < high


def test_split_ids_and_limit_choose_images(folder):
    voc = ["corloc", "--methods", "object_dino", "--data", f"voc:{folder / 'voc'}"]
    assert table(*voc, "--split", "val")["object_dino"]["n"] == 2
    assert table(*voc, "--limit", 1)["object_dino"]["n"] == 1
    (folder / "ids.txt").write_text("2\n3\n")
    assert table("corloc", "--methods", "object_dino", "--data", f"coco:{folder / 'coco.json'}", "--images",
                 folder / "yolo/images", "--image-ids", folder / "ids.txt")["object_dino"]["n"] == 2


def test_formats_hold_the_same_figures(folder):
    data = ["corloc", "--data", f"voc:{folder / 'voc'}", "--methods", "object_dino"]
    rows = json.loads(run(*data, "--json").stdout)
    assert run(*data, "--format", "json").stdout == run(*data, "--json").stdout
    lines = run(*data, "--format", "markdown").stdout.splitlines()
    assert lines[0] == "| method | n | CorLoc | mean IoU | IoU>=0.7 |"
    assert lines[1] == "|---|---:|---:|---:|---:|"
    text = run(*data).stdout.splitlines()
    for row, markdown, plain in zip(rows, lines[2:], text[1:], strict=True):
        low, high = row["mean_iou_ci95"]
        cell = f"{row['mean_iou']:.3f} [{low:.3f}, {high:.3f}]"
        assert markdown.split(" | ")[0] == f"| {row['method']}" and cell in markdown
        assert plain.split()[0] == row["method"] and cell in plain


def test_method_options_change_the_answer(folder):
    data = ["corloc", "--data", f"voc:{folder / 'voc'}", "--methods", "object_dino"]

    def boxes(*flags):
        journal = folder / f"options{len(list(folder.glob('*.jsonl')))}.jsonl"
        run(*data, *flags, "--resume", journal)
        return {r["file"]: r["result"]["boxes"] for r in records(journal)}

    default = boxes()
    assert boxes("--clusters", "5") == default
    for flags in (["--heads", "preset"], ["--clusters", "3"], ["--components", "q"], ["--temperature", "30"],
                  ["--input-size", "280"], ["--resize-mode", "aspect"]):
        assert boxes(*flags) != default, flags
    assert boxes("--heads", "preset", "--layer-scope", "last_layer") != boxes("--heads", "preset")
    assert boxes("--max-objects", "1") == {name: found[:1] for name, found in default.items()} != default
    assert boxes("--min-score", "1") == {name: [] for name in default}
    assert "affinity_threshold" in run(*data, "--tau", "0.5", code=1).stderr


def test_every_method_can_be_a_row(folder):
    journal = folder / "methods.jsonl"
    names = ["tokencut", "lost", "cls_attention", "object_dino_proposals"]
    rows = table("recall", "--data", f"voc:{folder / 'voc'}", "--methods", ",".join(["object_dino", *names]),
                 "--resume", journal)
    assert list(rows) == ["whole_image", "centre_box", "object_dino", *names]
    assert all(row["n"] == 3 for row in rows.values())
    boxes = {}
    for record in records(journal):
        boxes.setdefault(record["method"], []).append(record["result"]["boxes"])
    assert all(all(found) for found in boxes.values()), "an image without a box"
    assert len(set(map(str, boxes.values()))) == 5, "two methods are the same"
    counts = {method: sum(map(len, found)) for method, found in boxes.items()}
    assert counts["object_dino_proposals"] > counts["object_dino"]
    assert "object_dino_proposals" not in table("corloc", "--data", f"voc:{folder / 'voc'}", "--limit", 1)


@pytest.mark.parametrize("arguments, word", [
    (["corloc"], "--data"), (["corloc", "--data", "x", "--methods", "magic"], "magic"),
    (["corloc", "--data", "x", "--format", "html"], "html"), ([], "subcommand"),
    (["recall", "--data", "x", "--sheet", "a.png"], "--sheet"),
    (["corloc", "--data", "x", "--components", "qx"], "--components"),
    (["corloc", "--data", "x", "--components", "kk"], "--components"),
    (["corloc", "--data", "x", "--layer-scope", "first"], "--layer-scope")])
def test_wrong_usage_is_exit_code_2_and_one_line(arguments, word):
    done = run(*arguments, model=None, code=2)
    assert len(done.stderr.splitlines()) == 1 and word in done.stderr


def test_failures_are_exit_code_1_and_one_line(folder):
    (folder / "yolo/boxes/b.txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.5 0.5\n")
    (folder / "voc/JPEGImages/b.png").write_bytes(b"not an image")
    for arguments, word in ((["corloc", "--data", f"yolo:{folder / 'yolo'}"], "b.txt:2"),
                            (["corloc", "--data", f"voc:{folder / 'voc'}"], "b.png"),
                            (["corloc", "--data", "yolo:/nowhere"], "/nowhere"),
                            (["masks", "--data", f"voc:{folder / 'voc'}"], "without a mask"),
                            (["corloc", "--data", f"voc:{folder / 'voc'}", "--server", "127.0.0.1:1"], "127.0.0.1:1")):
        done = run(*arguments, model=None if "--server" in arguments else TINY_MODEL, code=1)
        assert len(done.stderr.splitlines()) == 1 and word in done.stderr, done.stderr


# ---------------------------------------------------------------- recall, masks, verify

def random_boxes(random, name, count):
    """Whole pixels, at least 30 each way."""
    (w, h), boxes = size(name), []
    for _ in range(count):
        x1, y1 = random.randint(w - 60), random.randint(h - 60)
        boxes.append([x1, y1, random.randint(x1 + 30, w), random.randint(y1 + 30, h)])
    return boxes


def jittered(random, name, box):
    (w, h), (x1, y1, x2, y2) = size(name), np.array(box) + np.rint(random.normal(size=4) * 0.05 * (box[2] - box[0] + 20))
    return [max(0, x1), max(0, y1), max(x1 + 5, min(w, x2)), max(y1 + 5, min(h, y2))]


def test_recall_and_ar_equal_pycocotools(folder):
    """Random predictions near random truth: put in the place of the model's through the journal."""
    random = np.random.RandomState(5)
    totals = np.zeros(6)
    for trial in range(4):
        path, journal = folder / f"truth{trial}.json", folder / f"journal{trial}.jsonl"
        truth = {name: random_boxes(random, name, 8) for name in PHOTOS}
        write_coco(path, truth)
        command = ["recall", "--data", f"coco:{path}", "--images", folder / "yolo/images", "--methods", "object_dino",
                   "--resume", journal]
        run(*command)
        boxes = {name: [jittered(random, name, near[i]) for i in random.randint(len(near), size=12)]
                 for name, near in truth.items()}
        lines = records(journal)
        for line in lines:
            line["result"]["boxes"] = boxes[line["file"]]
        journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
        row = table(*command)["object_dino"]
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(str(path))
            numbers = {image["file_name"]: number for number, image in coco.imgs.items()}
            found = coco.loadRes([{"image_id": numbers[name], "category_id": 1, "score": 1 - 0.01 * rank,
                                   "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]]}
                                  for name, predicted in boxes.items() for rank, b in enumerate(predicted)])
            evaluation = COCOeval(coco, found, "bbox")
            evaluation.params.maxDets = [1, 3, 10]
            evaluation.evaluate()
            evaluation.accumulate()
        recall = 100 * evaluation.eval["recall"][:, 0, 0, :]  # [thresholds, depths], all areas
        actual = [row[key] for key in ("recall_1", "recall_3", "recall_10", "ar_1", "ar_3", "ar_10")]
        assert actual == pytest.approx([*recall[0], *recall.mean(0)], abs=1e-6), trial
        assert (row["n"], row["boxes"]) == (3, 24)
        totals += actual
    assert totals[2] > totals[1] > totals[0] > totals[3] > 0


def random_segmentations(name, count, seed):
    """Of blobs: compressed and uncompressed run lengths, and polygons; with the pixels that are meant."""
    random, (w, h) = np.random.RandomState(seed), size(name)
    segmentations, pixels = [], []
    y, x = np.mgrid[:h, :w] + 0.5
    for i in range(count):
        cx, cy, rx, ry = random.uniform(0.2, 0.8) * w, random.uniform(0.2, 0.8) * h, *random.uniform(60, 200, 2)
        if i % 3 < 2:
            mask = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
            rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
            counts = rle["counts"].decode()
            if i % 3 == 1:
                flat = mask.ravel(order="F").astype(int)
                edges = np.flatnonzero(np.diff(np.concatenate([[0], flat])))
                counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
            segmentations.append({"size": [h, w], "counts": counts})
        else:  # two triangles
            triangles = [[cx, cy, cx + rx, cy + ry / 2, cx, cy + ry], [cx, cy, cx - rx, cy - ry / 3, cx - rx, cy + ry]]
            segmentations.append(triangles)
            mask = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(triangles, h, w))).astype(bool)
        pixels.append(mask)
    return segmentations, pixels


def test_masks_equal_pycocotools(folder, server, ground, stubs):
    pb, _ = stubs
    truth = {name: random_segmentations(name, 6, seed) for seed, name in enumerate(PHOTOS)}
    path = folder / "masks.json"
    write_coco(path, {name: [(0, 0, 10, 10)] * 6 for name in PHOTOS}, {name: t[0] for name, t in truth.items()})
    rows = table("masks", "--data", f"coco:{path}", "--images", folder / "yolo/images", "--methods", "object_dino")
    every, largest, whole = [], [], []
    for name, photo in PHOTOS.items():
        answer = ground(server, photo.read_bytes(), outputs=[pb.OUTPUT_PIXEL_MASKS])
        masks = [coco_mask.decode({"size": [o.pixel_mask.height, o.pixel_mask.width], "counts": o.pixel_mask.coco_rle})
                 .astype(bool) for o in answer.objects]
        ious = [max((p & t).sum() / (p | t).sum() for p in masks) for t in truth[name][1]]
        every += ious
        largest.append(ious[int(np.argmax([t.sum() for t in truth[name][1]]))])
        whole += [t.mean() for t in truth[name][1]]
    row = rows["object_dino"]
    assert (row["n"], row["instances"]) == (3, 18)
    # Polygons: pycocotools' pixels touch the outline, ours have their centres inside.
    assert row["miou"] == pytest.approx(np.mean(every), abs=0.003)
    assert row["largest_miou"] == pytest.approx(np.mean(largest), abs=0.003)
    assert rows["whole_image"]["miou"] == pytest.approx(np.mean(whole), abs=0.003)
    assert row["miou"] > 0.05, "nothing overlaps"


def test_verify_figures_follow_from_the_scores(folder):
    journal = folder / "verify.jsonl"
    command = ["verify", "--data", f"voc:{folder / 'voc'}", "--methods", "object_dino"]
    rows = table(*command, "--resume", journal)
    scores = [r["result"]["verify"] for r in records(journal)]
    true, moved = (np.concatenate([s[key] for s in scores]) for key in ("true", "moved"))
    row = rows["object_dino"]
    assert (row["true"], row["moved"]) == (len(true), len(moved))
    assert 2 <= len(true) <= 5 and len(true) < len(moved) <= 5 * len(true)
    labels = [1] * len(true) + [0] * len(moved)
    assert row["auroc"] == pytest.approx(roc_auc_score(labels, np.concatenate([true, moved])))
    assert row["true_kept"] == pytest.approx(100 * np.mean(true >= 0.15))
    assert row["moved_kept"] == pytest.approx(100 * np.mean(moved >= 0.15))
    assert rows["centre_box"]["true_kept"] is None and 0 <= rows["centre_box"]["auroc"] <= 1
    assert table(*command) == rows, "the moved places are the same in every run"


# ---------------------------------------------------------------- server, resume, interrupt

@pytest.mark.parametrize("command, data", [("corloc", "voc"), ("recall", "voc"), ("masks", "yolo-seg"),
                                           ("verify", "voc")])
def test_server_gives_the_figures_of_the_process(folder, server, command, data):
    arguments = [command, "--data", f"{data}:{folder / data.split('-')[0]}", "--methods",
                 f"{METHODS},tokencut,object_dino_proposals", "--max-objects", 4]
    assert table(*arguments, "--server", server.grpc, model=None) == table(*arguments)


def test_server_cannot_do_what_is_not_on_the_wire(folder, server):
    data = ["--data", f"voc:{folder / 'voc'}", "--server", server.grpc]
    assert "seed rule" in run("corloc", *data, "--methods", "object_dino_cut_seed", model=None, code=1).stderr
    assert "object_dino_cut_seed" not in table("corloc", *data, model=None), "left out where not asked for"


def test_resume_skips_what_is_there_and_refuses_another_run(folder):
    journal = folder / "run.jsonl"
    command = ["corloc", "--data", f"voc:{folder / 'voc'}", "--methods", METHODS, "--resume", journal]
    run(*command, "--limit", 1)
    assert len(records(journal)) == 2
    first = journal.read_bytes()
    whole = table(*command)
    assert journal.read_bytes().startswith(first) and len(records(journal)) == 6
    journal.write_bytes(journal.read_bytes()[:-30])  # torn
    assert table(*command) == whole == table(*command[:-2])
    assert len(records(journal)) == 6
    # What is there is believed, not measured again.
    lines = records(journal)
    for line in lines:
        line["result"]["boxes"] = [list(o[1:]) for o in OBJECTS[line["file"]][:1]]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert table(*command)["object_dino"]["mean_iou"] == pytest.approx(1)
    for flags, word in ((["--input-size", 280], "options"), (["--model", TINY_MODEL.with_name("tiny-registers")], "model")):
        done = run(*command, *flags, model=None if "--model" in flags else TINY_MODEL, code=1)
        assert f"{journal}:1" in done.stderr and word in done.stderr
    assert "command" in run("recall", *command[1:], code=1).stderr
    assert len(records(journal)) == 6


def test_interrupted_run_stops_cleanly_and_goes_on(folder):
    images = folder / "many/images"
    images.mkdir(parents=True)
    (folder / "many/boxes").mkdir()
    for i in range(300):
        (images / f"{i:03}.png").hardlink_to(folder / "yolo/images/b.png")
        (folder / f"many/boxes/{i:03}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    journal = folder / "many.jsonl"
    command = ["corloc", "--data", f"yolo:{folder / 'many'}", "--methods", "object_dino", "--resume", journal,
               "--lanes", 2]
    with subprocess.Popen(start(*command, "--model", TINY_MODEL), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        deadline = time.monotonic() + 120
        while not journal.exists() or journal.read_bytes().count(b"\n") < 5:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out == ""
    assert len(err.splitlines()) == 1 and "interrupted after" in err and str(journal) in err
    done = len(records(journal))
    assert 5 <= done < 300
    assert table(*command)["object_dino"]["n"] == 300
    names = [r["file"] for r in records(journal)]
    assert len(names) == len(set(names)) == 300


# ---------------------------------------------------------------- sheet

@pytest.mark.parametrize("order", ["best-worst", "first"])
def test_sheet_shows_photographs_boxes_and_masks(folder, order):
    path = folder / "sheet.png"
    run("corloc", "--data", f"voc:{folder / 'voc'}", "--methods", "object_dino", "--sheet", path, "--sheet-count", 3,
        "--sheet-order", order)
    with Image.open(path) as image:
        sheet = np.asarray(image.convert("RGB")).astype(int)
    assert sheet.shape == (328, 1870, 3)
    truth, first = (40, 255, 40), (255, 150, 0)
    for tile in range(3):
        cell = sheet[34:274, 10 + 310 * tile:310 + 310 * tile]
        for colour in (truth, first):
            assert (cell == colour).all(-1).sum() > 100, f"tile {tile} has no box of colour {colour}"
    assert (sheet[34:274, 960:] == 255).all(), "three tiles, not four"
    assert (sheet[276:328, :940] != 255).any(), "no caption"
