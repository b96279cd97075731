# SPDX-License-Identifier: Apache-2.0
"""The layers hold in the includes too, not only in the link graph; cmake/Layering.cmake is the one place of truth."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = (ROOT / "cmake" / "Layering.cmake").read_text()
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.MULTILINE)


def rule(name):
    return [v for v in re.search(rf'set\({name} "([^"]*)"\)', RULES).group(1).split(";") if v]


def libraries():
    return re.findall(r"set\(OBJECTDINO_ALLOWED_(\w+) ", RULES)


# Of the client's folder, what a program links that only calls a server.
GROUNDING_CLIENT = ("grounding_client", "push_back", "security")


def folder(library):
    return {"grounding_client": ROOT / "client", "proto": ROOT / "proto", "server": ROOT / "server", "client": ROOT / "client"}.get(
        library, ROOT / "core" / library)


def includes(path):
    return INCLUDE.findall(path.read_text())


def sources(library):
    return [p for p in sorted(folder(library).rglob("*")) if p.suffix in (".h", ".cc")
            and (folder(library).name != "client" or (p.stem in GROUNDING_CLIENT) == (library == "grounding_client"))]


def library_of(include):
    if re.fullmatch(rf"client/cpp/({'|'.join(GROUNDING_CLIENT)})\.h", include):
        return "grounding_client"
    match = re.match(r"core/(\w+)/|(server|client)/", include)
    return match and (match.group(1) or match.group(2))


@pytest.mark.parametrize("library", [name for name in libraries() if name != "proto"])
def test_includes_follow_the_layers(library):
    files = sources(library)
    assert files, f"no sources in {folder(library)}"
    # What an allowed library allows may be seen through its public headers.
    allowed, todo = {library}, list(rule(f"OBJECTDINO_ALLOWED_{library}"))
    while todo:
        name = todo.pop()
        if name not in allowed:
            allowed.add(name)
            todo += rule(f"OBJECTDINO_ALLOWED_{name}")
    wrong = [f"{p.relative_to(ROOT)}: {i}" for p in files for i in includes(p)
             if library_of(i) and library_of(i) not in allowed]
    assert not wrong


@pytest.mark.parametrize("what, pattern, allowed", [
    ("Torch", r"^(ATen|c10|torch)/", "OBJECTDINO_TORCH_ALLOWED"),
    ("OpenCV", r"^opencv2/", "OBJECTDINO_OPENCV_ALLOWED"),
    ("gRPC or protobuf", r"^(grpcpp|grpc|google/protobuf)/|\.pb\.h$", "OBJECTDINO_GRPC_ALLOWED"),
    ("Prometheus", r"^prometheus/", ["server"]),
    ("flags or logs", r"^(CLI|spdlog)/", ["server", "client"]),
])
def test_third_party_walls(what, pattern, allowed):
    allowed = rule(allowed) if isinstance(allowed, str) else allowed
    wrong = [f"{p.relative_to(ROOT)}: {i}" for library in libraries() if library not in allowed
             for p in sources(library) for i in includes(p) if re.search(pattern, i)]
    assert not wrong, f"{what} behind its wall"


def test_public_pipeline_headers_are_torch_free():
    """What the server sees of the core carries no Torch type."""
    seen, todo = set(), ["core/pipeline/grounder.h", "core/pipeline/torch_runtime.h"]
    while todo:
        header = todo.pop()
        if header not in seen:
            seen.add(header)
            todo += [i for i in includes(ROOT / header) if i.startswith("core/")]
    wrong = [f"{h}: {i}" for h in seen for i in includes(ROOT / h) if re.match(r"(ATen|c10|torch)/", i)]
    assert not wrong


@pytest.mark.parametrize("stage", ["prepare", "finish"])
def test_stages_around_the_engine_are_torch_free(stage):
    """Nor does what they call: a thread that touched Torch would get OpenMP threads of its own."""
    seen, todo = set(), [f"core/pipeline/{stage}.cc"]
    while todo:
        path = todo.pop()
        if path not in seen and (ROOT / path).exists():
            seen.add(path)
            todo += [i for i in includes(ROOT / path) if i.startswith("core/")]
            todo.append(re.sub(r"\.h$", ".cc", path))
    assert f"core/{dict(prepare='image/preprocess', finish='objects/normalized_cut')[stage]}.cc" in seen
    wrong = [f"{p}: {i}" for p in seen for i in includes(ROOT / p) if re.match(r"(ATen|c10|torch)/", i)]
    assert not wrong


def test_headers_are_guarded_by_their_path():
    for library in libraries():
        for path in sources(library):
            if path.suffix == ".h":
                guard = "OBJECTDINO_" + re.sub(r"\W", "_", str(path.relative_to(ROOT))).upper() + "_"
                assert f"#ifndef {guard}" in path.read_text(), path


def test_core_does_not_print_or_abort():
    pattern = re.compile(r"std::(cout|cerr|clog)|\b(f?printf|f?puts|perror|getenv|_?exit|abort)\(")
    wrong = [str(p.relative_to(ROOT)) for library in libraries() if library not in ("proto", "server", "client", "grounding_client")
             for p in sources(library) if pattern.search(p.read_text()) and p.name != "status_macros.h"]
    assert not wrong
