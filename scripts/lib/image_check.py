# SPDX-License-Identifier: Apache-2.0
"""Builds a stage of the Dockerfile without Docker, in chroots that debootstrap begins, and proves that it serves.

Every instruction of the stages that the target needs is replayed as written. Then the image's entry point starts as its
user, on a read-only root, without capabilities, in a network of its own; the health check must turn good, the image's client
must ground examples/astronaut.jpg, and SIGTERM must end it with exit code 0. Prints what the image weighs, writes its SBOM
(SPDX) and list of licences. A stage whose instructions and files have not changed is not built again.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / "build" / "image"
OUT = ROOT / "out" / "image"
START_SECONDS = 60
# What Debian's slim images leave out.
SLIM = ["usr/share/doc/*/*", "usr/share/man/*", "usr/share/info/*", "usr/share/locale/*", "usr/share/lintian/*",
        "usr/share/groff/*", "var/cache/apt/*", "var/lib/apt/lists/*", "var/log/*.log"]


def say(text):
    print(f"==> {text}", flush=True)


def run(command, **options):
    subprocess.run([str(word) for word in command], check=True, **options)


# ---- the Dockerfile


def substitute(text, values):
    """$NAME and ${NAME}; what is not known is empty, as Docker has it."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda match: values.get(match[1] or match[2], ""), text)


def parse(arguments):
    """{stage: (what it is from, its instructions)}, in order, with the build's arguments put in."""
    with open(ROOT / "Dockerfile", "rb") as file:
        steps = DockerfileParser(fileobj=file).structure
    values, stages, current = {}, {}, None
    for step in steps:
        name, value = step["instruction"], step["value"]
        if name == "COMMENT":
            continue
        if name == "ARG" and current is None:
            key, _, default = value.partition("=")
            values[key] = arguments.get(key, default)
        elif name == "FROM":
            source, _, stage = substitute(value, values).partition(" AS ")
            current = stages[stage] = (source, [])
        else:
            current[1].append((name, value))
    return stages


def flags_of(value):
    """The --flag=value words before an instruction's arguments, and the rest."""
    flags = []
    while match := re.match(r"--(\w+)=(\S+)\s+", value):
        flags.append((match[1], match[2]))
        value = value[match.end():]
    return flags, value


# ---- files


def context():
    """The files that Docker would be sent: those of the checkout that .dockerignore does not name."""
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    ignored = [pattern.removeprefix("**/") for pattern in ignored]
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0")
    return [path for path in sorted(set(filter(None, listed))) if (ROOT / path).is_file()
            and not any(fnmatch.fnmatch(part, pattern) for pattern in ignored for part in Path(path).parts)]


def sources_of(pattern):
    return [path for path in context() if pattern == "." or path == pattern or path.startswith(pattern + "/")]


def digest_of(stages, stage):
    """Of everything that makes the stage what it is."""
    source, steps = stages[stage]
    digest = hashlib.sha256(repr((source, steps)).encode())
    if source in stages:
        digest.update(digest_of(stages, source).encode())
    for name, value in steps:
        flags, rest = flags_of(value)
        for _, text in flags:
            if match := re.search(r"from=(\w[\w-]*)", text) or re.fullmatch(r"(\w[\w-]*)", text):
                if match[1] in stages:
                    digest.update(digest_of(stages, match[1]).encode())
        if name == "COPY" and not flags:
            for path in (path for source in rest.split()[:-1] for path in sources_of(source)):
                digest.update(path.encode() + (ROOT / path).read_bytes())
    return digest.hexdigest()


def copy_into(source, target):
    """As COPY: a folder's contents, or a file."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        run(["cp", "-a", "--no-preserve=ownership", f"{source}/.", target])
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        run(["cp", "-a", "--no-preserve=ownership", source, target])


# ---- stages


class Builder:
    def __init__(self, stages, mirror):
        self.stages, self.mirror, self.built = stages, mirror, {}

    def root(self, stage):
        """The stage's file system, built if need be, and its settings."""
        if stage not in self.built:
            self.built[stage] = self.build(stage) if stage in self.stages else self.base(stage)
        return self.built[stage]

    def base(self, image):
        """debian:SUITE-slim, by debootstrap."""
        match = re.fullmatch(r"debian:(\w+)-slim", image)
        if not match:
            sys.exit(f"image-check: only debian:SUITE-slim can be made here, not {image}")
        root = STATE / f"base-{match[1]}"
        if not (STATE / f"{root.name}.key").exists():
            say(f"debootstrap {match[1]}")
            shutil.rmtree(root, ignore_errors=True)
            run(["debootstrap", "--variant=minbase", match[1], root, self.mirror], stdout=subprocess.DEVNULL)
            for path in (path for pattern in SLIM for path in root.glob(pattern) if path.name != "copyright"):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            (root / "etc/dpkg/dpkg.cfg.d/docker-apt-speedup").write_text("force-unsafe-io\n")  # they have it too
            (STATE / f"{root.name}.key").touch()
        return root, {"env": {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, "shell": ["/bin/sh", "-c"],
                      "workdir": "/", "user": "0:0"}

    def build(self, stage):
        source, steps = self.stages[stage]
        lower, settings = self.root(source)
        settings = {**settings, "env": dict(settings["env"]), "args": {}}
        root, key = STATE / stage, STATE / f"{stage}.key"
        digest = digest_of(self.stages, stage)
        fresh = key.exists() and key.read_text() == digest
        if not fresh:
            say(f"stage {stage}")
            key.unlink(missing_ok=True)
            shutil.rmtree(root, ignore_errors=True)
            run(["cp", "-a", "--reflink=auto", lower, root])
        for name, value in steps:
            self.step(root, settings, name, value, fresh)
        key.write_text(digest)
        return root, settings

    def step(self, root, settings, name, value, fresh):
        flags, rest = flags_of(value)
        if name == "ENV":
            settings["env"].update(word.split("=", 1) for word in shlex.split(rest))
        elif name == "ARG":
            key, _, default = rest.partition("=")
            settings["args"][key] = os.environ.get(key, default)
        elif name in ("ENTRYPOINT", "SHELL"):
            settings[name.lower()] = json.loads(rest)
        elif name == "HEALTHCHECK":
            settings["health"] = json.loads(rest[rest.index("CMD ") + 4:])
        elif name in ("USER", "WORKDIR", "STOPSIGNAL"):
            settings[name.lower()] = rest
            if name == "WORKDIR":
                (root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif name == "COPY" and not fresh:
            self.copy(root, settings, dict(flags), *rest.split())
        elif name == "COPY":
            if "from" in dict(flags):
                self.root(dict(flags)["from"])
        elif name == "RUN" and not fresh:
            self.run(root, settings, flags, rest)
        elif name not in ("EXPOSE", "RUN"):
            sys.exit(f"image-check: {name} is not known here")

    def copy(self, root, settings, flags, *arguments):
        *sources, into = arguments
        for source in sources:
            path = into + Path(source).name if into.endswith("/") and (ROOT / source).is_file() else into
            self.copy_one(root / os.path.join(settings["workdir"], path).lstrip("/"), flags, source)

    def copy_one(self, target, flags, source):
        if "from" in flags:
            copy_into(self.root(flags["from"])[0] / source.lstrip("/"), target)
            return
        paths = sources_of(source)
        if not paths:
            sys.exit(f"image-check: COPY {source}: no such file in the context")
        for path in paths:
            into = target if path == source else target / Path(path).relative_to(source)
            copy_into(ROOT / path, into)

    def run(self, root, settings, flags, command):
        binds = []
        for _, mount in flags:
            field = dict(part.split("=", 1) for part in mount.split(","))
            if field["type"] == "cache":
                outside = STATE / "cache" / field["target"].strip("/").replace("/", "_")
                outside.mkdir(parents=True, exist_ok=True)
            else:
                outside = self.root(field["from"])[0] / field["source"].lstrip("/")
            binds.append((outside, field["target"]))
        # An argument without a value would hide what this machine's own configuration says.
        given = {key: value for key, value in settings["args"].items() if value}
        variables = {"HOME": "/root", **settings["env"], **given}
        script = Sandbox(root, binds).prepare(machine=True)
        inside = f"cd {settings['workdir']} && exec \"$@\""
        run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-euc", script + ' exec chroot "$0" env -i "$@"',
             root, *(f"{key}={value}" for key, value in {**variables, **of_this_machine()}.items()), "/bin/sh", "-c", inside,
             "sh", *settings["shell"], command])


# ---- chroots


CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
CERTIFICATES_INSIDE = "/run/machine-certificates.crt"


def of_this_machine():
    """How this machine reaches its package registries is told inside too."""
    told = {key: value for key, value in os.environ.items() if re.match(r"PIP_|https?_proxy$|no_proxy$", key, re.I)}
    # By another name, since the package ca-certificates writes its own file.
    return {**told, "PIP_CERT": CERTIFICATES_INSIDE} if CERTIFICATES.exists() else told


def pip_files():
    """pip's configuration, and the folders that it names."""
    files = [path for path in (Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf") if path.exists()]
    text = " ".join(path.read_text() for path in files) + " ".join(of_this_machine().values())
    folders = {"/" + match.split("/")[1] for match in re.findall(r"(?:file://|[\s=])(/[\w./-]+)", " " + text)}
    return files, [Path(folder) for folder in folders if folder not in ("/etc", "/run", "/usr", "/root") and Path(folder).is_dir()]


class Sandbox:
    """The mounts of a chroot, as a script for the inside of a mount namespace; $0 is the root."""

    def __init__(self, root, binds=()):
        self.root, self.binds = root, list(binds)

    def prepare(self, machine):
        lines = ["mount --make-rprivate /"]
        if machine:
            for path in ("/etc/resolv.conf", "/etc/hosts"):
                lines.append(f"cp --remove-destination {path} $0{path}")
            for path in Path("/etc/apt").glob("sources.list.d/debian.sources"):
                lines.append(f"rm -f $0/etc/apt/sources.list; cp {path} $0/etc/apt/sources.list.d/")
            if CERTIFICATES.exists():
                lines.append(f"cp {CERTIFICATES} $0{CERTIFICATES_INSIDE}")
            files, folders = pip_files()
            for path in files:
                lines.append(f"mkdir -p $0{path.parent}; cp {path} $0{path}")
            self.binds += [(folder, str(folder)) for folder in folders]
        for outside, inside in self.binds:
            lines.append(f"mkdir -p $0{inside}; mount --bind {shlex.quote(str(outside))} $0{inside}")
        lines += ["mount -t proc proc $0/proc", "mount --rbind /dev $0/dev", ""]
        return "; ".join(lines)


# ---- proof


SERVE = """
mount -t proc proc /proc
python3 -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, struct.pack("16sH14s", b"lo", 1, b""))'
mount --rbind $0 $0
mount -t tmpfs tmpfs $0/tmp
mkdir $0/tmp/examples
mount --bind EXAMPLES $0/tmp/examples
mount -o remount,ro,bind $0
as_user() { chroot $0 setpriv --reuid=UID --regid=GID --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \\
  env -i ENVIRONMENT "$@"; }
! as_user touch /written 2>/dev/null || { echo "the root file system can be written to" >&2; exit 1; }
as_user ENTRYPOINT >$0/tmp/log 2>&1 &
server=$!
for i in $(seq TRIES); do
  as_user HEALTH >/dev/null 2>&1 && break
  kill -0 $server || { cat $0/tmp/log >&2; exit 1; }
  sleep 0.2
done
as_user HEALTH
as_user id -u
as_user /usr/bin/objectdino ground /tmp/examples/astronaut.jpg --server 127.0.0.1:50051
grep -h -E 'VmRSS|CapEff|NoNewPrivs|^Uid' /proc/$(pgrep -f -n '^ENTRYPOINT')/status
pkill -TERM -f -n '^ENTRYPOINT'
wait $server
echo "stopped with exit code $?"
"""


def prove(root, settings):
    uid, _, gid = settings["user"].partition(":")
    environment = " ".join(f"{key}={shlex.quote(value)}" for key, value in settings["env"].items())
    script = SERVE
    for key, value in {"EXAMPLES": ROOT / "examples", "UID": uid, "GID": gid, "ENVIRONMENT": environment,
                       "ENTRYPOINT": shlex.join(settings["entrypoint"]), "HEALTH": shlex.join(settings["health"]),
                       "TRIES": 5 * START_SECONDS}.items():
        script = re.sub(rf"\b{key}\b", lambda _, value=value: str(value), script)
    say(f"serving as {settings['user']}, root read-only")
    run(["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "bash", "-euc",
         Sandbox(root).prepare(machine=False) + script, root])


def size_of(paths):
    """Bytes of the files, each once."""
    seen = {}
    for path in paths:
        for file in [path] if path.is_file() or path.is_symlink() else path.rglob("*"):
            status = file.lstat()
            if not file.is_dir() or file.is_symlink():
                seen[status.st_ino] = status.st_size
    return sum(seen.values())


def weigh(builder, stage):
    steps = {}  # the stage's own COPY lines say what it is made of
    for name, value in builder.stages[stage][1]:
        flags, rest = flags_of(value)
        if name == "COPY":
            source, target = rest.split()
            steps[target] = builder.root(dict(flags)["from"])[0] / source.lstrip("/")
    base = builder.root(builder.stages[builder.stages[stage][0]][0])[0]
    mib = 1024 * 1024
    say("size, MiB")
    rows = [("Debian slim", size_of([base]))] + [(f"COPY to {target}", size_of([path])) for target, path in steps.items()]
    for label, size in [*rows, ("together", sum(size for _, size in rows))]:
        print(f"{size / mib:8.1f}  {label}")
    files = sorted((path for path in steps["/"].rglob("*") if path.is_file() and not path.is_symlink()),
                   key=lambda path: -path.stat().st_size)
    print(f"the largest of {len(files)} files:")
    for path in files[:12]:
        print(f"{path.stat().st_size / mib:8.1f}  /{path.relative_to(steps['/'])}")


def main():
    parser = argparse.ArgumentParser(prog="scripts/image-check", description=__doc__)
    parser.add_argument("--target", default="cpu", help="stage of the Dockerfile")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--mirror", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--build-only", action="store_true", help="do not start the server")
    options = parser.parse_args()
    STATE.mkdir(parents=True, exist_ok=True)
    builder = Builder(parse(dict(pair.split("=", 1) for pair in options.build_arg)), options.mirror)
    root, settings = builder.root(options.target)
    if not options.build_only:
        prove(root, settings)
    weigh(builder, options.target)
    OUT.mkdir(parents=True, exist_ok=True)
    run([sys.executable, ROOT / "scripts/lib/sbom.py", root, OUT])


if __name__ == "__main__":
    main()
