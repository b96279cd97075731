# SPDX-License-Identifier: Apache-2.0
"""The parts of an image: SBOM and list of licences.

    sbom.py ROOT OUT

ROOT is the image's file system. Syft reads its packages; what no package manager knows, LibTorch and the default model, is
added with the digests that scripts/requirements and scripts/lib/fetch_model.py pin. Writes OUT/sbom.spdx.json, checked by
SPDX's own library, and OUT/licences.tsv: name, version, licence.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

ROOT = Path(__file__).resolve().parents[2]


def requirement(name):
    """Version and first digest that scripts/requirements/NAME.txt pins."""
    text = (ROOT / "scripts/requirements" / f"{name}.txt").read_text()
    return re.search(r"==(\S+)", text)[1], re.search(r"sha256:(\w+)", text)[1]


def package(name, version, licence, copyright_text, supplier, sha256=None):
    added = {"SPDXID": f"SPDXRef-Package-{name}", "name": name, "versionInfo": version, "supplier": f"Organization: {supplier}",
             "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
             "licenseDeclared": licence, "copyrightText": copyright_text}
    return {**added, "checksums": [{"algorithm": "SHA256", "checksumValue": sha256}]} if sha256 else added


def without_package_manager(image):
    """LibTorch, and the model where it is baked in."""
    found = []
    library = image / "usr/lib/objectdino/libtorch_cpu.so"
    if library.exists():
        digest = hashlib.sha256(library.read_bytes()).hexdigest()
        version, _ = requirement("torch")
        found.append(package("libtorch", version, "BSD-3-Clause", "Copyright (c) the PyTorch contributors", "PyTorch", digest))
    weights = image / "model/model.safetensors"
    if weights.exists():
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        found.append(package("dinov2-small", "1", "Apache-2.0", "Copyright (c) Meta Platforms, Inc. and affiliates", "Meta", digest))
    return found


def main():
    image, out = Path(sys.argv[1]), Path(sys.argv[2])
    version = (ROOT / "VERSION").read_text().strip()
    file = out / "sbom.spdx.json"
    environment = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    subprocess.run([Path(sys.executable).parent / "syft", "scan", f"dir:{image}", "--quiet", "--source-name", "objectdino",
                    "--source-version", version, "--override-default-catalogers", "dpkg-db-cataloger", "--output",
                    f"spdx-json={file}"], check=True, env=environment)
    document = json.loads(file.read_text())
    document["packages"] += (added := without_package_manager(image))
    root = document["relationships"][-1]["relatedSpdxElement"]
    for relation in document["relationships"]:
        if relation["relationshipType"] == "DESCRIBES":
            root = relation["relatedSpdxElement"]
    document["relationships"] += [{"spdxElementId": root, "relatedSpdxElement": part["SPDXID"],
                                   "relationshipType": "CONTAINS"} for part in added]
    file.write_text(json.dumps(document, indent=1) + "\n")

    faults = validate_full_spdx_document(parse_file(str(file)))
    for fault in faults[:5]:
        print(f"sbom: {fault.validation_message}", file=sys.stderr)
    parts = sorted((part["name"], part.get("versionInfo", ""), part.get("licenseDeclared", "NOASSERTION"))
                   for part in document["packages"] if part["SPDXID"] != root)
    (out / "licences.tsv").write_text("".join("\t".join(part) + "\n" for part in parts))
    unknown = sum(licence == "NOASSERTION" for _, _, licence in parts)
    print(f"{file.name}: {len(parts)} parts, {unknown} without a licence that a scanner can name; {len(faults)} faults")
    sys.exit(bool(faults))


main()
