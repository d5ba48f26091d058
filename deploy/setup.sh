#!/bin/bash
# Installs the packages that building needs on Debian 12, and with options what the tests and the
# quickstart need. Looks first and calls apt-get only for what is missing, so a second run is instant.
set -euo pipefail

build_packages=(
  clang-19 clang-tidy-19 clang-format-19 lld-19 libclang-rt-19-dev ccache cmake ninja-build
  pkg-config git ca-certificates
  libexpected-dev libboost1.81-dev libboost-url1.81-dev libboost-json1.81-dev libhiredis-dev
  libisal-dev libzstd-dev liblz4-dev libssl-dev libspdlog-dev libfmt-dev libcli11-dev
  libyaml-cpp-dev libsqlite3-dev prometheus-cpp-dev
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
)
quickstart_packages=(curl python3 python3-venv redis-server redis-tools fuse3 procps)
test_packages=(
  "${quickstart_packages[@]}"
  libgtest-dev libgmock-dev libbenchmark-dev redis-sentinel nginx-light
  xfsprogs e2fsprogs dosfstools shellcheck openssl strace prometheus
  llvm-19  # llvm-symbolizer: without it ThreadSanitizer knows no function and suppresses none
)
# Packages that come with a service. Tests start servers of their own, in their own folders and on
# free ports, so a service that this script brought in is neither started nor left enabled.
service_packages=(redis-server redis-sentinel nginx-light prometheus)

usage() {
  cat <<'TEXT'
usage: deploy/setup.sh [--tests] [--quickstart] [--list]

Installs on Debian 12 what building Prewarm needs.
  --tests       also what tests/run.sh and .ci/run need
  --quickstart  also what deploy/quickstart.sh needs
  --list        print the packages and change nothing
Needs root or sudo, and only if something is missing.
TEXT
}

refuse_other_system() {
  cat >&2 <<TEXT
setup.sh: this is ${1}, and only the package names of Debian 12 are known here.
Building needs: clang 19 (or g++ 13) with clang-tidy, clang-format and lld, CMake 3.25, Ninja, ccache,
tl::expected, Boost 1.81 (headers, json, url), hiredis, ISA-L, zstd, lz4, OpenSSL 3, spdlog, fmt, CLI11, yaml-cpp,
SQLite 3, prometheus-cpp 1.0, gRPC 1.51 and protobuf 3.21 with their compilers.
Quickstart and tests also need: Python 3.11 with venv, Redis 7, fuse3; the tests GoogleTest, Google
Benchmark, nginx, Prometheus, mkfs for ext4, xfs and vfat, shellcheck, and the openssl program.
On Debian 12 these are: ${packages[*]}
TEXT
  exit 2
}

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Abbrev}|${Package}\n' "${packages[@]}" 2>/dev/null |
    sed -n 's/^ii *|//p' || true)
  comm -23 <(printf '%s\n' "${packages[@]}" | sort -u) <(sort -u <<<"$installed")
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Keeps new services from starting while apt-get runs: under systemd by masking their units for the
# moment, elsewhere by a policy file that exists only meanwhile (and only if the machine has none).
hold_services() {
  if [[ -d /run/systemd/system ]]; then
    for service in "${new_services[@]}"; do as_root systemctl --runtime --quiet mask "$service"; done
  elif [[ ! -e /usr/sbin/policy-rc.d ]]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
    as_root chmod 755 /usr/sbin/policy-rc.d
    policy_is_ours=yes
  fi
}

release_services() {
  if [[ -d /run/systemd/system ]]; then
    for service in "${new_services[@]}"; do
      as_root systemctl --runtime --quiet unmask "$service"
      as_root systemctl --quiet disable "$service" 2>/dev/null || true
    done
  elif [[ $policy_is_ours == yes ]]; then
    as_root rm -f /usr/sbin/policy-rc.d
  fi
}

packages=("${build_packages[@]}")
list_only=no
for argument in "$@"; do
  case $argument in
    --tests) packages+=("${test_packages[@]}") ;;
    --quickstart) packages+=("${quickstart_packages[@]}") ;;
    --list) list_only=yes ;;
    -h | --help) usage; exit 0 ;;
    *) echo "setup.sh: unknown option $argument" >&2; usage >&2; exit 2 ;;
  esac
done
if [[ $list_only == yes ]]; then
  printf '%s\n' "${packages[@]}" | sort -u
  exit 0
fi

system=$(sed -n 's/^\(ID\|VERSION_ID\)="\?\([^"]*\)"\?$/\1 \2/p' /etc/os-release 2>/dev/null |
  sort | cut -d' ' -f2 | paste -sd' ')
[[ $system == "debian 12" ]] || refuse_other_system "${system:-an unknown system}"

mapfile -t missing < <(missing_packages)
if ((${#missing[@]} == 0)); then
  echo "setup.sh: all packages are installed"
  exit 0
fi
echo "setup.sh: installing ${missing[*]}"
if ((EUID != 0)) && ! command -v sudo >/dev/null; then
  echo "setup.sh: not root and there is no sudo; run as root: apt-get install ${missing[*]}" >&2
  exit 2
fi

new_services=()
for package in "${service_packages[@]}"; do
  if [[ " ${missing[*]} " == *" $package "* ]]; then new_services+=("${package%-light}"); fi
done
policy_is_ours=no
trap release_services EXIT
hold_services
as_root apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
