#!/bin/bash
# Sets up what tests need, builds, runs the tests and ends with ctest's summary, or with what the
# failed ones said.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat <<'TEXT'
usage: tests/run.sh [options]

  --group NAME     only this group: unit, integration, e2e, faults or lint; may be repeated
  --preset NAME    release (default, in build/), dev, asan or tsan (in build/NAME)
  -R REGEX         only tests whose name matches
  --jobs N         tests run at the same time (default: the number of cores)
  --list           list the tests that would run, after building them
  --no-setup       do not look for missing packages and test dependencies
  -h, --help

Works as root, and as a normal user with sudo for missing packages and for tests that need root.
TEXT
}

fail_usage() {
  echo "run.sh: $1" >&2
  usage >&2
  exit 2
}

# A group is a prefix of the labels that CMake gives to tests.
label_of() {
  case $1 in
    unit) echo '^unit_' ;;
    integration) echo '^integration_' ;;
    e2e) echo '^e2e$' ;;
    faults) echo '^faults' ;;
    lint) echo '^lint$' ;;
    *) fail_usage "unknown group $1" ;;
  esac
}

# What the failed tests said last, once more: nobody finds it among a thousand that passed.
print_failures() {
  awk -v most=60 '
    /^[0-9]+\/[0-9]+ Testing: / { name = $NF; count = 0 }
    { said[count++] = $0 }
    /^Test Failed\.$/ {
      print "::: " name
      for (n = count > most ? count - most : 0; n < count; ++n) print said[n]
    }' "$1" || true
}

preset=release
jobs=$(nproc)
labels=()
ctest_options=()
setup=yes
while (($# > 0)); do
  case $1 in
    --group | --preset | --jobs | -R) (($# > 1)) || fail_usage "$1 needs a value" ;;&
    --group) label=$(label_of "$2") || exit 2; labels+=("$label"); shift ;;
    --preset) preset=$2; shift ;;
    --jobs) jobs=$2; shift ;;
    -R) ctest_options+=(-R "$2"); shift ;;
    --list) ctest_options+=(--show-only) ;;
    --no-setup) setup=no ;;
    -h | --help) usage; exit 0 ;;
    *) fail_usage "unknown option $1" ;;
  esac
  shift
done
case $preset in
  release) build=$root/build ;;
  dev | asan | tsan) build=$root/build/$preset ;;
  *) fail_usage "unknown preset $preset" ;;
esac
if ((${#labels[@]} > 0)); then
  ctest_options+=(-L "$(IFS='|'; echo "${labels[*]}")")
fi

cd "$root"
if [[ $setup == yes ]]; then
  deploy/setup.sh --tests
  tests/deps/install.sh
fi
[[ $preset != tsan ]] || export TSAN_OPTIONS=suppressions=$root/tests/tsan_suppressions.txt
cmake --preset "$preset" -DPREWARM_TESTS=ON >/dev/null
cmake --build "$build"
if ! ctest --test-dir "$build" --parallel "$jobs" --output-on-failure "${ctest_options[@]}"; then
  print_failures "$build/Testing/Temporary/LastTest.log"
  exit 1
fi
