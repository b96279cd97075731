#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Usage: closure.sh PACKAGES TARGET
#
# A step of the Dockerfile, run as root in a base image that is thrown away. Installs the server's and the client's Debian
# packages out of the folder PACKAGES and copies to TARGET what the programs load and the base did not have: their files
# and the shared libraries, as ldd sees them, which is half of what the packages' dependencies bring. Of every package that
# a file came from, TARGET has the copyright and, in /var/lib/dpkg/status.d, the entry by which scanners know it.
set -euo pipefail

packages=$1 target=$2
programs=(/usr/bin/objectdino-server /usr/bin/objectdino-inspect /usr/bin/objectdino)

mapfile -t before < <(dpkg-query -W -f '${Package}\n')
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends \
  "$packages"/objectdino-server_*.deb "$packages"/objectdino-client_*.deb >/dev/null
rm -rf /var/lib/apt/lists/*

copy() { # PATH: a file, and what a chain of links to it goes through
  local path=$1 next
  [[ ! -e $target$path && ! -L $target$path ]] || return 0
  mkdir -p "$target$(dirname "$path")"
  cp -a "$path" "$target$path"
  [[ -L $path ]] || return 0
  next=$(readlink "$path")
  [[ $next == /* ]] || next=$(dirname "$path")/$next
  copy "$(realpath -s "$next")"
}

owner() { # PATH: the package that a file came with; dpkg may know it by its path before /lib became /usr/lib
  local real
  real=$(realpath "$1")
  { dpkg-query -S "$real" || dpkg-query -S "${real#/usr}"; } 2>/dev/null | head -n 1 | cut -d: -f1
}

declare -A taken
for name in "${before[@]}"; do taken[$name]=base; done
mapfile -t libraries < <(ldd "${programs[@]}" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u)
if ldd "${programs[@]}" | grep 'not found'; then exit 1; fi
for path in "${programs[@]}" "${libraries[@]}"; do
  name=$(owner "$path")
  [[ -n $name ]] || { echo "closure: no package owns $path" >&2; exit 1; }
  [[ ${taken[$name]:-} != base ]] || continue
  copy "$(realpath -s "$(realpath "$(dirname "$path")")/$(basename "$path")")"
  [[ -z ${taken[$name]:-} ]] || continue
  taken[$name]=closure
  if [[ -e /usr/share/doc/$name/copyright ]]; then copy "/usr/share/doc/$name/copyright"; fi
  mkdir -p "$target/var/lib/dpkg/status.d"
  dpkg-query -s "$name" >"$target/var/lib/dpkg/status.d/$name"
done
# Of LibTorch nothing but the dynamic loader knows what the server takes: all of the package belongs to the closure.
for name in objectdino-server objectdino-client; do
  while read -r path; do [[ -d $path ]] || copy "$path"; done < <(dpkg-query -L "$name")
done
rm -rf "$target/lib/systemd" "$target/usr/lib/systemd"
