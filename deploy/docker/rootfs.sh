#!/bin/bash
# Puts a program and all that it needs at run time into a folder, which is then the whole file system of an image: no
# shell, no package manager, nothing that is setuid. The Dockerfile and tests/e2e/test_images.py run it.
# Usage: deploy/docker/rootfs.sh PROGRAM TARGET_FOLDER      (Debian; the folder must be absent or empty)
set -euo pipefail
umask 022

if (($# != 2)); then
  sed -n 's/^# Usage: /usage: /p' "$0" >&2
  exit 2
fi
program=$(realpath -e "$1")
target=$2
mkdir -p "$target"
target=$(realpath -e "$target")
if [[ -n $(ls -A "$target") ]]; then
  echo "rootfs.sh: $target is not empty" >&2
  exit 2
fi

taken=()

# take FILE: the file itself, also where this machine has a link to it.
take() {
  taken+=("$(realpath -e "$1")")
  install -D -m 644 "$1" "$target$1"
}

# ---- the program and its libraries ---------------------------------------------------------------------------

mkdir -p "$target"/{dev,etc,proc,sys,tmp,usr/bin,usr/lib64,"usr/lib/$(uname -m)-linux-gnu"}
chmod 1777 "$target/tmp"
ln -s usr/bin "$target/bin"
ln -s usr/lib "$target/lib"
ln -s usr/lib64 "$target/lib64"
install -m 755 "$program" "$target/usr/bin/"
strip "$target/usr/bin/$(basename "$program")"

libraries=$(ldd "$program")
if grep -q 'not found' <<<"$libraries"; then
  grep 'not found' <<<"$libraries" >&2
  exit 1
fi
while read -r library; do
  [[ $library != /lib* ]] || library=/usr$library
  take "$library"
  # The loader is a program, too.
  [[ $library != */ld-linux* ]] || chmod 755 "$target$library"
done < <(sed -nE 's/^\s*(\S+ => )?(\/\S+) \(0x.*/\2/p' <<<"$libraries" | sort -u)

# ---- what they look for ---------------------------------------------------------------------------------------

take /etc/ssl/openssl.cnf
# Made by the scripts of its package, so no package owns it.
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$target/etc/ssl/certs/ca-certificates.crt"
mkdir -p "$target/usr/lib/ssl"
ln -s /etc/ssl/certs/ca-certificates.crt "$target/usr/lib/ssl/cert.pem"
ln -s /etc/ssl/certs "$target/usr/lib/ssl/certs"
ln -s /etc/ssl/openssl.cnf "$target/usr/lib/ssl/openssl.cnf"
cat >"$target/etc/passwd" <<'TEXT'
root:x:0:0:root:/:/sbin/nologin
prewarm:x:65532:65532:prewarm:/:/sbin/nologin
TEXT
cat >"$target/etc/group" <<'TEXT'
root:x:0:
prewarm:x:65532:
TEXT
echo 'hosts: files dns' >"$target/etc/nsswitch.conf"

# ---- what it is made of ---------------------------------------------------------------------------------------

# The packages that files are from, one a line. Debian 12 knows some of them by their names without /usr.
packages_of() {
  dpkg-query -S "$@" "${@#/usr}" 2>/dev/null | awk -v files="$*" '
    BEGIN { for (count = split(files, file, " "); count > 0; --count) missing[file[count]] = 1 }
    / \// && !/^diversion / {
      package = $1; sub(/:$/, "", package); sub(/,.*/, "", package); print package
      delete missing[$NF]; delete missing["/usr" $NF]
    }
    END { for (name in missing) { print "rootfs.sh: no package owns " name >"/dev/stderr"; exit 1 } }'
}

# One copy of texts that several packages share.
keep_copyright() {
  local text=/usr/share/doc/${1%%:*}/copyright same
  same=$(find "$target/usr/share/doc" -name copyright -type f -size "$(stat -Lc %s "$text")c" \
    -exec cmp -s "$text" {} \; -print -quit)
  mkdir -p "$target$(dirname "$text")"
  if [[ -n $same ]]; then
    ln -sr "$same" "$target$text"
  else
    install -m 644 "$text" "$target$text"
  fi
}

# Scanners for known flaws read status.d, as in other images without a package manager.
install -D -m 644 /usr/lib/os-release "$target/usr/lib/os-release"
ln -s ../usr/lib/os-release "$target/etc/os-release"
install -D -m 644 "$(dirname "${BASH_SOURCE[0]}")/../../LICENSE" "$target/usr/share/doc/prewarm/copyright"
mkdir -p "$target/var/lib/dpkg/status.d"
# dpkg-query fails because half of the names are not its own; awk says whether a file is missing.
packages=$(set +o pipefail; packages_of "${taken[@]}")
while read -r package; do
  dpkg-query -s "$package" >"$target/var/lib/dpkg/status.d/${package%%:*}"
  keep_copyright "$package"
done < <(printf '%s\n' "$packages" base-files ca-certificates | sort -u)
