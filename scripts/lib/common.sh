# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts share: checks of the machine, installation, build, and supervision of child processes.
# Sourced after `set -euo pipefail`. Every failure ends in one line `objectdino: error: ...` and exit code 1.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VENV=$ROOT/.venv
LOGS=$ROOT/build/log
REQUIREMENTS=$ROOT/scripts/requirements

step() { printf '==> %s\n' "$*"; }

fail() {
  printf 'objectdino: error: %s\n' "$*" >&2
  exit 1
}

# ---- children -------------------------------------------------------------------------------------------------
# Long commands run in the background, each in its own session, while the shell waits: only so does a signal reach
# the script at once, and only so can the whole tree below a child be stopped, whatever stops the script.

CHILDREN=()

launch() { # COMMAND...: starts it; its process id is in $CHILD. The kernel ends it should the script be killed.
  setpriv --pdeathsig TERM setsid "$@" &
  CHILD=$!
  CHILDREN+=("$CHILD")
}

stop() { # PID...: ends these children and all they started; asks first, and insists after ten seconds
  local pid tries
  for pid in "$@"; do
    kill -TERM "$pid" 2>/dev/null || true
    kill -TERM -- "-$pid" 2>/dev/null || true
  done
  for pid in "$@"; do
    for ((tries = 0; tries < 100; tries++)); do
      kill -0 -- "-$pid" 2>/dev/null || kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}

forget() { # PID: a child that has ended by itself; its number may go to a stranger
  local pid kept=()
  for pid in "${CHILDREN[@]}"; do [[ $pid == "$1" ]] || kept+=("$pid"); done
  CHILDREN=("${kept[@]}")
}

supervise() { # COMMAND...: runs it to its end and returns its exit code
  local code=0
  launch "$@"
  wait "$CHILD" || code=$?
  forget "$CHILD"
  return "$code"
}

trap 'stop "${CHILDREN[@]}"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- the machine ----------------------------------------------------------------------------------------------

check_machine() {
  local machine free_gb
  machine=$(uname -m)
  [[ $machine == x86_64 || $machine == aarch64 ]] ||
    fail "unsupported architecture $machine (x86_64 or aarch64 is needed)"
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    fail "this is no Debian-like system (apt-get is needed to install the dependencies)"
  fi
  [[ -w $ROOT ]] || fail "$ROOT is not writable"
  if [[ ! -e $VENV/.created ]]; then
    free_gb=$(($(df -Pk "$ROOT" | awk 'NR == 2 { print $4 }') / 1024 / 1024))
    ((free_gb >= 6)) || fail "not enough disk space for the set-up: 6 GB are needed, $ROOT has $free_gb GB free"
  fi
  mkdir -p "$LOGS"
}

reason() { # LOG PATTERN: the first line of the log that matches, shortened, as ": ..."
  local line
  line=$(grep -m1 -E "$2" "$1" | sed -E 's/^(E|ERROR): //' | cut -c1-160) || true
  printf '%s' "${line:+: $line}"
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

ensure_apt() { # build|dev|node|image: installs what is missing of scripts/apt-packages.txt: untagged, and with this tag
  local name tag log=$LOGS/apt.log wanted=() missing=()
  while read -r name tag; do
    [[ -z $name || $name == \#* || (-n $tag && $tag != "$1") ]] || wanted+=("$name")
  done <"$ROOT/scripts/apt-packages.txt"
  mapfile -t missing < <(comm -23 <(printf '%s\n' "${wanted[@]}" | sort) \
    <(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/^.i //p' | sort -u))
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || command -v sudo >/dev/null || fail "root or sudo is needed to install: ${missing[*]}"
  step "installing apt packages (${#missing[@]})"
  # In the foreground: sudo may ask for a password, and dpkg is better not interrupted. A failed update alone is no
  # failure, the lists may be good enough.
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=2 -o DPkg::Lock::Timeout=300)
  as_root "${apt[@]}" update >"$log" 2>&1 </dev/null || true
  forbid_services
  local code=0
  as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null || code=$?
  allow_services
  ((code == 0)) || fail "apt-get cannot install ${#missing[@]} packages (no network?)$(reason "$log" '^E:'), see $log"
}

POLICY=/usr/sbin/policy-rc.d

forbid_services() { # some packages start a service when they are installed; here nobody wants it
  [[ ! -e $POLICY ]] || return 0
  printf '#!/bin/sh\n# of objectdino\nexit 101\n' | as_root tee "$POLICY" >/dev/null
  as_root chmod 755 "$POLICY"
}

allow_services() {
  if grep -qs '^# of objectdino' "$POLICY"; then as_root rm -f "$POLICY"; fi
}

# ---- Python ---------------------------------------------------------------------------------------------------

find_python() { # a Python that the pinned wheels exist for, and that can make virtual environments
  local candidate
  for candidate in python3 python3.11 python3.12 python3.13 /usr/bin/python3; do
    if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
      >/dev/null 2>&1; then
      printf '%s' "$candidate"
      return
    fi
  done
  fail "no Python 3.11, 3.12 or 3.13 with the venv module was found (Debian package python3-venv)"
}

is_installed() { # NAME: is scripts/requirements/NAME.txt, as it is now, in the environment?
  [[ -f $VENV/.installed-$1 && $(<"$VENV/.installed-$1") == "$(sha256sum <"$REQUIREMENTS/$1.txt")" ]]
}

pip_install() { # NAME: installs scripts/requirements/NAME.txt
  # The files list every dependency, hence --no-deps; no package is ever compiled here, hence --only-binary.
  supervise "$VENV/bin/python" -m pip install --disable-pip-version-check --retries 2 --no-deps --only-binary :all: \
    --require-hashes --requirement "$REQUIREMENTS/$1.txt" >"$LOGS/pip-$1.log" 2>&1 &&
    sha256sum <"$REQUIREMENTS/$1.txt" >"$VENV/.installed-$1"
}

install_requirements() { # NAME: likewise, unless it is there already
  is_installed "$1" && return
  step "installing Python packages ($1)"
  pip_install "$1" ||
    fail "pip cannot install $1.txt (no network?)$(reason "$LOGS/pip-$1.log" '^ERROR:'), see $LOGS/pip-$1.log"
}

ensure_python() { # the environment, with what scripts/fetch_model needs
  local python
  mkdir -p "$LOGS"
  if [[ ! -e $VENV/.created || ! -x $VENV/bin/python ]]; then
    python=$(find_python)
    step "making a Python environment"
    rm -rf "$VENV"
    supervise "$python" -m venv "$VENV" >"$LOGS/venv.log" 2>&1 || fail "no Python environment, see $LOGS/venv.log"
    touch "$VENV/.created"
  fi
  install_requirements build
}

ensure_venv() { # the environment, with LibTorch
  local cuda
  ensure_python
  if ! is_installed torch-cpu && ! is_installed torch; then
    step "installing LibTorch"
    pip_install torch-cpu || install_requirements torch
  fi
  cuda=("$VENV"/lib/python*/site-packages/torch/lib/libtorch_cuda.so)
  if [[ -e ${cuda[0]} ]]; then install_requirements torch-cuda; fi
}

ensure_test_venv() {
  ensure_venv
  install_requirements test
  install_requirements client
  install_requirements mllm
  ensure_client
}

ensure_client() { # client/python in the environment, editable, with the messages of the proto as it is now
  local client=$ROOT/client/python
  local stamp=$VENV/.installed-objectdino digest
  digest=$(cat "$ROOT"/proto/{objectdino/v1,google/rpc}/*.proto "$client"/{pyproject.toml,hatch_build.py} | sha256sum)
  [[ ! -f $stamp || $(<"$stamp") != "$digest" || ! -f $client/src/objectdino/_proto/__init__.py ]] || return 0
  step "installing the Python client"
  logged "$LOGS/pip-objectdino.log" "pip install client/python" "$VENV/bin/python" -m pip install \
    --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable "$client"
  printf '%s\n' "$digest" >"$stamp"
}

ensure_bulk_venv() { # the environment, with the engine of examples/bulk
  ensure_test_venv
  install_requirements bulk
}

ensure_deploy_venv() { # the environment, with what checks the deployment
  ensure_python
  install_requirements deploy
}

ensure_interop() { # the clients of others that tests/interop pins
  local folder=$ROOT/tests/interop
  local installed=$folder/node_modules/.installed
  # Only where npm is missing: Node.js packages of other origin bring it along, and conflict with Debian's.
  command -v npm >/dev/null || ensure_apt node
  [[ ! -f $installed || $(<"$installed") != "$(sha256sum <"$folder/package-lock.json")" ]] || return 0
  step "installing the clients of tests/interop"
  logged "$LOGS/npm.log" "npm (no network?)" \
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --no-update-notifier
  sha256sum <"$folder/package-lock.json" >"$installed"
}

ensure_model() {
  supervise "$VENV/bin/python" "$ROOT/scripts/lib/fetch_model.py" || exit 1
}

# ---- build ----------------------------------------------------------------------------------------------------

build_jobs() { # one per core, but no more than memory allows at 2 GB for each compiler
  local cores memory
  cores=$(nproc)
  memory=$(($(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo) / 2 / 1024 / 1024))
  printf '%s' $((memory < 1 ? 1 : memory < cores ? memory : cores))
}

logged() { # LOG WHAT COMMAND...: runs it with its output in the log, or fails with the end of that
  local log=$1 what=$2
  shift 2
  mkdir -p "$LOGS"
  supervise "$@" >"$log" 2>&1 || {
    tail -n 25 "$log" >&2
    fail "$what failed, see $log"
  }
}

configure() { # PRESET [OPTION...]
  local preset=$1
  shift
  logged "$LOGS/configure-$preset.log" "configuring $preset" \
    cmake -S "$ROOT" --preset "$preset" "-DOBJECTDINO_TORCH_PYTHON=$VENV/bin/python" "$@"
}

build() { # PRESET [TARGET...]: all presets use Ninja; called directly, it hears the signals
  local preset=$1 log=$LOGS/build-$1.log
  shift
  step "building $preset (minutes the first time; progress in $log)"
  logged "$log" "the $preset build" ninja -C "$ROOT/build/$preset" -j "$(build_jobs)" "$@"
}

configure_and_build() { # PRESET [TARGET...]
  configure "$1"
  build "$@"
}
