# SPDX-License-Identifier: Apache-2.0
"""Makes objectdino/_proto when the package is built: the messages of the service, and the descriptors of its errors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SERVICE = "objectdino/v1/grounding_service.proto"
ERRORS = ("google/rpc/status.proto", "google/rpc/error_details.proto")
GENERATED = "grounding_service_pb2.py", "grounding_service_pb2.pyi"


class GenerateMessages(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        # A source distribution carries the proto; in the repository it stands two folders up.
        base = root if (root / "proto").is_dir() else root.parents[1]
        folder = root / "src" / "objectdino" / "_proto"
        generate(base / "proto", folder)
        needed = re.search(
            r"^# Protobuf Python Version: (\d+)\.(\d+)\.(\d+)", (folder / GENERATED[0]).read_text(), re.M
        )
        assert needed, "protoc does not say which protobuf it is for"
        # Generated code runs with the protobuf of its own major version, and with the next.
        build_data["dependencies"].append(f"protobuf>={'.'.join(needed.groups())},<{int(needed[1]) + 2}")
        if version == "standard" and base != root:  # a source distribution has it where the backend looks
            licenses = f"{self.metadata.core.name}-{self.metadata.version}.dist-info/licenses"
            build_data["force_include"][str(base / "LICENSE")] = f"{licenses}/LICENSE"


def generate(proto: Path, folder: Path) -> None:
    import grpc_tools
    from grpc_tools import protoc

    own = Path(grpc_tools.__file__).parent / "_proto"  # google.protobuf
    folder.mkdir(exist_ok=True)
    # The file keeps its name within protobuf, so that stubs of a user's own making can live in the same process.
    compile_(protoc, "-I", proto, f"--python_out={folder}", f"--pyi_out={folder}", SERVICE)
    for name in GENERATED:
        text = (folder / "objectdino" / "v1" / name).read_text()
        (folder / name).write_text(text.replace("'objectdino.v1.", "'objectdino._proto."))
        (folder / "objectdino" / "v1" / name).unlink()
    (folder / "objectdino" / "v1").rmdir()
    (folder / "objectdino").rmdir()
    compile_(
        protoc, "-I", proto, "-I", own, "--include_imports", f"--descriptor_set_out={folder / 'errors.binpb'}", *ERRORS
    )
    (folder / "__init__.py").write_text('"""Generated from the proto when the package was built."""\n')


def compile_(protoc: Any, *arguments: object) -> None:
    code = protoc.main(["protoc", *map(str, arguments)])
    if code != 0:
        raise RuntimeError(f"protoc ended with exit code {code}")
