"""Redis, JuiceFS volumes on it, and mounts of the real client with their own counters."""

import itertools
import json
import os
import pathlib
import signal
import subprocess

from rig.process import Child, accepts, free_port, juicefs, wait_for
from rig.tree import contents

NEWEST = "1.4.2"


class Redis:
    def __init__(self, folder, *options):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.next_database = 0
        self.server = Child(
            ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--appendonly",
             "no", "--databases", "256", "--dir", self.folder, *options], self.folder / "redis.log")
        self.server.wait_until(lambda: accepts(self.port), "redis-server")

    def new_database(self):
        """The URL of a database that no volume uses yet."""
        self.next_database += 1
        return f"redis://127.0.0.1:{self.port}/{self.next_database}"

    def cli(self, *words):
        return subprocess.run(
            ["redis-cli", "-p", str(self.port), *map(str, words)], check=True, capture_output=True,
            text=True, timeout=20).stdout

    def close(self):
        self.server.stop()


class Volume:
    """A volume formatted by the real client."""

    def __init__(self, folder, meta, store, *, version=NEWEST, options=(), env=None):
        self.folder, self.meta, self.store, self.version = pathlib.Path(folder), meta, store, version
        self.env = env or {}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.mounts = []
        self.numbers = itertools.count(1)
        self.juicefs("format", *store.format_options, "--trash-days", "0", *options, meta, "models")

    def juicefs(self, command, *words, version=None):
        done = subprocess.run(
            [juicefs(version or self.version), command, *map(str, words)], capture_output=True, text=True,
            timeout=120, env={**os.environ, **self.env})
        assert done.returncode == 0, f"juicefs {command}: {done.stdout}{done.stderr}"
        return done.stdout

    def mount(self, cache_dir=None, *options, version=None):
        """`cache_dir` as for --cache-dir; a private one if none is given."""
        number = next(self.numbers)
        mount = Mount(self, self.folder / f"mount-{number}", cache_dir or self.folder / f"own-cache-{number}",
                      options, version or self.version)
        self.mounts.append(mount)
        return mount

    def reads_are_hits(self, cache_dir, truth):
        """The proof: with the store cut off, the real client on this cache reads everything in `truth` (what contents()
        gives, by paths from the root) and misses nothing."""
        mount = self.mount(cache_dir)
        try:
            for path, wanted in truth.items():
                assert contents(mount.path / path) == wanted, (cache_dir, path)
            counters = mount.counters()
        finally:
            mount.unmount()
        assert counters["blockcache_hits"] > 0, cache_dir
        assert counters["blockcache_miss"] == 0 and counters["object_request_errors"] == 0, (cache_dir, counters)

    def close(self):
        for mount in self.mounts:
            mount.unmount()


class Mount:
    def __init__(self, volume, path, cache_dir, options, version):
        self.path = pathlib.Path(path)
        self.path.mkdir()
        # One retry: with the store cut off, a miss shall be an error at once and not in minutes. The URL
        # comes first: the client shows only the first 255 bytes of its arguments to other programs.
        self.client = Child(
            [juicefs(version), "mount", volume.meta, self.path, "--no-usage-report", "--backup-meta", "0",
             "--io-retries", "1", "--free-space-ratio", "0.01", "--cache-dir", cache_dir, *options],
            f"{path}.log", volume.env)
        self.client.wait_until(self.is_mounted, f"the mount at {path}")

    def is_mounted(self):
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            return any(line.split(" ")[4] == str(self.path) for line in mounts)

    def counters(self):
        """The client's own counters, without the common prefix."""
        values = {}
        for line in (self.path / ".stats").read_text().splitlines():
            name, _, value = line.partition(" ")
            try:
                values[name.removeprefix("juicefs_")] = float(value)
            except ValueError:
                continue
        return values

    def serving_pid(self):
        """Of the process that answers; the one that was started only watches over it."""
        return json.loads((self.path / ".config").read_text())["Pid"]

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        self.unmount()

    def unmount(self):
        """Waits for the client to end: what it wrote is in the store then."""
        if self.is_mounted():
            unmount(self.path)
        try:
            wait_for(lambda: not self.client.running(), "the client to end", 30)
        finally:
            self.client.stop(signal.SIGKILL)


def unmount(path):
    command = ["umount"] if os.geteuid() == 0 else ["fusermount3", "-u"]

    def succeeded():
        return subprocess.run([*command, str(path)], capture_output=True, timeout=30).returncode == 0

    wait_for(succeeded, f"umount {path}", 10)


def detach_everything_below(folder):
    """The last resort at the end of a test: no mount of ours survives it."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        points = [line.split(" ")[4] for line in mounts]
    for point in reversed(points):
        if point.startswith(f"{folder}/"):
            lazy = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-uz"]
            subprocess.run([*lazy, point], capture_output=True, timeout=30, check=False)
