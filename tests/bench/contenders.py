"""The programs that are compared. Each warms one fresh, empty directory and reports what it cost."""

import dataclasses
import os
import pathlib
import random
import subprocess
import time

from peers import BenchError, wait_for

TRAILER_PIECE = 32 << 10


@dataclasses.dataclass
class Cost:
    """Until the bytes are durable: wall and CPU seconds, and the most memory held."""

    wall: float
    cpu: float
    peak_bytes: int


@dataclasses.dataclass
class Bench:
    """What every contender needs to know."""

    volume: object
    keys: list
    nginx_port: int
    scheme: str
    folder: pathlib.Path
    programs: dict
    environment: dict

    def endpoint(self):
        return f"{self.scheme}://127.0.0.1:{self.nginx_port}"


def size_of(key):
    return int(key.rsplit("_", 1)[1])


def trailer_bytes(size):
    return (size + TRAILER_PIECE - 1) // TRAILER_PIECE * 4


def measure(command, environment=None, stdin=None):
    """Runs a program to its end: its Cost. Errors carry the end of its output."""
    started = time.monotonic()
    with subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) as process:
        if stdin:
            process.stdin.write(stdin.encode())
            process.stdin.close()
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - started
    if process.returncode != 0:
        raise BenchError(f"{command[0]} ended with {process.returncode}: {output[-2000:].decode(errors='replace')}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10)


def make_durable(folder):
    return measure(["sync", "-f", folder])


class Contender:
    """`warm(bench, target)` fills `target`; `check(bench, target)` raises unless the result is right."""

    name = ""
    plain_only = False  # cannot decompress, decrypt or speak TLS: no part of those benches

    def warm(self, bench, target):
        raise NotImplementedError

    def check(self, bench, target):
        check_cache(bench, target)


def check_cache(bench, target):
    """Every block is there with exactly data and trailer, and nothing else is; of a plain volume some
    blocks are compared byte for byte with their objects."""
    raw = target / bench.volume.uuid / "raw"
    found = {str(path.relative_to(raw)): path.stat().st_size for path in (raw / "chunks").rglob("*") if path.is_file()}
    wanted = {key: size_of(key) + trailer_bytes(size_of(key)) for key in bench.keys}
    if found != wanted:
        wrong = [key for key in wanted if found.get(key) != wanted[key]]
        extra = [key for key in found if key not in wanted]
        raise BenchError(f"{len(wrong)} blocks missing or of a wrong size, {len(extra)} too many, such as "
                         f"{(wrong + extra)[0]}")
    setting = bench.volume.setting()
    if setting.get("EncryptKey") or setting.get("Compression") not in (None, "", "none"):
        return
    for key in random.Random(len(bench.keys)).sample(bench.keys, min(16, len(bench.keys))):
        source = (bench.volume.objects / bench.volume.NAME / key).read_bytes()
        if (raw / key).read_bytes()[: size_of(key)] != source:
            raise BenchError(f"block {key} differs from its object")


class Prewarm(Contender):
    name = "prewarm"

    def warm(self, bench, target):
        # Durable when it returns: that is its promise.
        return measure([bench.programs["agent"], "warm", "--meta", bench.volume.meta, "--cache-dir", target, "--json"],
                       bench.environment)

    def check(self, bench, target):
        check_cache(bench, target)
        measure([bench.programs["agent"], "verify", "--meta", bench.volume.meta, "--cache-dir", target, "--json"],
                bench.environment)


class JuiceFsWarmup(Contender):
    def __init__(self, threads):
        self.name = f"juicefs-{threads}"
        self.threads = threads

    def warm(self, bench, target):
        mount = bench.volume.mount(bench.folder / "mnt", target)
        try:
            before = mount.cpu_seconds()
            started = time.monotonic()
            command = measure([bench.programs["juicefs"], "warmup", "-p", self.threads, mount.point],
                              bench.environment)
            # The command may return while blocks are still in the queue of the mount's writer.
            raw = target / bench.volume.uuid / "raw"
            wait_for(lambda: all((raw / key).exists() for key in bench.keys), "the last block", 300)
            sync = make_durable(target)
            return Cost(time.monotonic() - started, command.cpu + sync.cpu + mount.cpu_seconds() - before,
                        mount.peak_bytes() + command.peak_bytes)
        finally:
            mount.unmount()


class S5cmd(Contender):
    name = "s5cmd"
    plain_only = True

    def warm(self, bench, target):
        copies = "".join(f"cp s3://bench/{bench.volume.NAME}/{key} {target}/{key.rsplit('/', 1)[1]}\n"
                         for key in bench.keys)
        command = [bench.programs["s5cmd"], "--no-sign-request", "--endpoint-url", bench.endpoint(), "--log", "error",
                   "run"]
        copied = measure(command, bench.environment, copies)
        sync = make_durable(target)
        return Cost(copied.wall + sync.wall, copied.cpu + sync.cpu, copied.peak_bytes)

    def check(self, bench, target):
        for key in bench.keys:
            if (target / key.rsplit("/", 1)[1]).stat().st_size != size_of(key):
                raise BenchError(f"s5cmd copied {key} with a wrong size")


class Floor(Contender):
    name = "floor"
    plain_only = True

    def warm(self, bench, target):
        cache = target / bench.volume.uuid
        cache.mkdir()
        return measure([bench.programs["floor"], bench.nginx_port, f"/bench/{bench.volume.NAME}", cache],
                       stdin="\n".join(bench.keys) + "\n")


def all_contenders():
    return [Prewarm(), JuiceFsWarmup(50), JuiceFsWarmup(200), S5cmd(), Floor()]
