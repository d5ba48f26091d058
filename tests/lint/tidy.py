"""Runs clang-tidy over the product's sources on all cores and remembers clean files.

A file's result is remembered under a hash of everything of ours that it depends on (its own text, our
headers that it reaches, its compile command, the configuration and the tool's version), in the user's
cache folder beside ccache's. Findings inside libraries' headers are not ours and are dropped.
Usage: tidy.py BUILD_FOLDER [PATH_PREFIX...]; tidy.py --check-list [--write] for the list of checks.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import sources

TOOL = "clang-tidy-19"
CONFIG = sources.ROOT / ".clang-tidy"
SAVED_LIST = sources.ROOT / "tests/lint/clang_tidy_checks.txt"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "prewarm-clang-tidy"
PRODUCT = ("common/", "agent/", "controller/")
OWN_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
FINDING = re.compile(r"^(/[^:\n]+):\d+:\d+: (?:warning|error): ", re.MULTILINE)


def run(*arguments):
    return subprocess.run([TOOL, *arguments], cwd=sources.ROOT, capture_output=True, text=True)


def dependencies(path):
    """The file and all our headers that it reaches, sorted."""
    waiting, seen = [path], set()
    while waiting:
        current = waiting.pop()
        if current in seen or not (sources.ROOT / current).is_file():
            continue
        seen.add(current)
        waiting += OWN_INCLUDE.findall(sources.text(current))
    return sorted(seen)


def key(path, command, common):
    digest = hashlib.sha256(common)
    for name in dependencies(path):
        digest.update(f"\0{name}\0".encode())
        digest.update((sources.ROOT / name).read_bytes())
    # Where the checkout and its build folder lie changes no finding.
    words = [word.replace(str(sources.ROOT), "") for word in command.split() if not word.endswith(".o")]
    digest.update(" ".join(words).encode())
    return digest.hexdigest()


def findings(output):
    """Clang-tidy's output without what it found outside the checkout."""
    starts = [match.start() for match in FINDING.finditer(output)] + [len(output)]
    pieces = [output[begin:end] for begin, end in zip(starts, starts[1:])]
    return "".join(piece for piece in pieces if piece.startswith(str(sources.ROOT) + "/"))


def check(path, database, mark):
    if mark.exists():
        return path, 0.0, "", ""
    started = time.monotonic()
    result = run("-p", str(database), "--quiet", str(sources.ROOT / path))
    found = findings(result.stdout)
    broken = result.stderr if result.returncode != 0 and not FINDING.search(result.stdout) else ""
    if not found and not broken:
        mark.touch()
    return path, time.monotonic() - started, found, broken


def once_each(build, prefixes):
    """One compile command for each source: a test program may compile some of them a second time."""
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = os.path.relpath(entry["file"], sources.ROOT)
        if path.startswith(prefixes):
            entries.setdefault(path, entry)
    return entries


def check_sources(build, prefixes):
    entries = once_each(build, prefixes)
    commands = {path: entry["command"] for path, entry in entries.items()}
    database = build / "clang-tidy"
    database.mkdir(exist_ok=True)
    (database / "compile_commands.json").write_text(json.dumps(list(entries.values())))
    CACHE.mkdir(parents=True, exist_ok=True)
    common = CONFIG.read_bytes() + run("--version").stdout.encode()
    failed, work, started = 0, 0.0, time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        jobs = [pool.submit(check, path, database, CACHE / key(path, command, common))
                for path, command in sorted(commands.items())]
        for job in concurrent.futures.as_completed(jobs):
            path, seconds, found, broken = job.result()
            work += seconds
            failed += bool(found or broken)
            print(found + broken, end="", flush=True)
            if seconds > 0:
                print(f"clang-tidy {path}: {'FAILED' if found or broken else 'clean'}, {seconds:.0f} s", flush=True)
    print(f"clang-tidy: {len(commands)} files, {failed} with findings, "
          f"{time.monotonic() - started:.0f} s ({work:.0f} s of work)")
    if not commands:
        print(f"clang-tidy: no sources under {', '.join(prefixes)} in {build}", file=sys.stderr)
    return 1 if failed or not commands else 0


def check_list(write):
    """The checks in force are saved, so that a new clang or a typing error cannot drop one unseen."""
    listed = "".join(sorted(
        line.strip() + "\n" for line in run("--list-checks").stdout.splitlines() if line.startswith("  ")))
    if write:
        SAVED_LIST.write_text(listed)
    if listed and listed == SAVED_LIST.read_text():
        return 0
    print(f"the checks in force differ from {SAVED_LIST.relative_to(sources.ROOT)}; "
          "if that is wanted: tests/lint/tidy.py --check-list --write")
    return 1


def main(arguments):
    if arguments[:1] == ["--check-list"]:
        return check_list("--write" in arguments)
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    return check_sources(pathlib.Path(arguments[0]).resolve(), tuple(arguments[1:]) or PRODUCT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
