# SPDX-License-Identifier: Apache-2.0
"""Tables of the methods and their ablations, as Markdown; scripts/ablations runs this."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

DINO, CUT = "object_dino", "object_dino_cut"
METHODS = [DINO, CUT, "object_dino_cut_seed", "object_dino_paper", "tokencut", "lost", "cls_attention"]
# What is changed -> flags of objectdino-eval. Defaults: q, k, v; 5 clusters; all layers; no temperature; τ = 0.6.
BOTH = {
    "defaults": [],
    "q": ["--components", "q"],
    "k": ["--components", "k"],
    "v": ["--components", "v"],
    "q, k": ["--components", "qk"],
    "last layer only": ["--layer-scope", "last_layer"],
    "K = 3": ["--clusters", "3"],
    "K = 8": ["--clusters", "8"],
    "K = 12": ["--clusters", "12"],
    "temperature 1/8": ["--temperature", "0.125"],
    "temperature 1/60": ["--temperature", "0.016666667"],
    "preset heads": ["--heads", "preset"],
}
CUT_ONLY = {"τ = 0.5": ["--tau", "0.5"], "τ = 0.7": ["--tau", "0.7"]}
# The cut's components, each at several thresholds: one threshold is not fair to all.
COMPONENTS, TAUS = ("q", "k", "v", "qkv"), ("0.4", "0.5", "0.6", "0.7", "0.8")


def measure(args, data: str, methods: list[str], flags: list[str]) -> dict[str, dict]:
    command = [args.eval, "corloc", "--json", "--model", args.model, "--data", data, "--methods", ",".join(methods)]
    command += flags
    if args.lanes:
        command += ["--lanes", str(args.lanes)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {row["method"]: row for row in json.loads(done.stdout)}


def cell(row: dict) -> str:
    mean = f"{row['mean_iou']:.3f}".removeprefix("0")
    return f"{row['corloc']:.1f} / {mean} / {row['iou70']:.1f}"


def line(cells: list[str]):
    print("| " + " | ".join(cells) + " |", flush=True)


def methods_table(args):
    tables = [measure(args, data, METHODS, []) for data in args.data]
    names = [f"{data.rsplit('/', 1)[-1]} (n = {table[DINO]['n']})" for data, table in zip(args.data, tables)]
    line(["method", *names])
    line(["---"] * (len(names) + 1))
    for method in tables[0]:
        line([method, *(cell(table[method]) for table in tables)])
    print()
    return names


def options_table(args, names: list[str]):
    line(["option", *(f"{method} {name}" for method in (DINO, CUT) for name in names)])
    line(["---"] * (2 * len(names) + 1))
    for option, flags in (BOTH | CUT_ONLY).items():
        methods = [CUT] if option in CUT_ONLY else [DINO, CUT]
        tables = [measure(args, data, methods, flags) for data in args.data]
        line([option, *(cell(t[method]) if method in t else "" for method in (DINO, CUT) for t in tables)])


def threshold_table(args, names: list[str]):
    for data, name in zip(args.data, names):
        print()
        line([f"{CUT} {name}", *(f"τ = {tau}" for tau in TAUS)])
        line(["---"] * (len(TAUS) + 1))
        for components in COMPONENTS:
            flags = [["--components", components, "--tau", tau] for tau in TAUS]
            line([", ".join(components), *(cell(measure(args, data, [CUT], f)[CUT]) for f in flags)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval", required=True, help="the program objectdino-eval")
    parser.add_argument("--model", required=True, help="the model's folder")
    parser.add_argument("--lanes", type=int, default=0, help="images in flight; 0 = one a core")
    parser.add_argument("data", nargs="+", metavar="voc:FOLDER|yolo:FOLDER")
    args = parser.parse_args()
    try:
        names = methods_table(args)
        options_table(args, names)
        threshold_table(args, names)
    except subprocess.CalledProcessError as error:  # it has said why
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
