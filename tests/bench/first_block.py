#!/usr/bin/env python3
"""From a submission over REST to the first block under its name on an idle agent: an upper bound of the time to
the first byte. A real controller, agent, Redis and S3 server on this machine; prints median and slowest of 50.

Needs build/bin and tests/deps/install.sh. Usage: tests/bench/first_block.py
"""

import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from rig.fleet import AgentDaemon, Controller  # noqa: E402
from rig.stores import S3Store  # noqa: E402
from rig.volume import Redis, Volume, detach_everything_below  # noqa: E402

COUNT = 50


def main():
    closing = []
    with tempfile.TemporaryDirectory(prefix="prewarm-bench-") as name:
        folder = pathlib.Path(name).resolve()
        try:
            redis = Redis(folder / "redis")
            closing.append(redis)
            store = S3Store(folder / "s3")
            closing.append(store)
            volume = Volume(folder / "volume", redis.new_database(), store)
            closing.append(volume)
            with volume.mount() as root:
                for number in range(COUNT):
                    (root / f"small-{number}").write_bytes(bytes([number]) * 10_000)
            controller = Controller(folder / "controller", {"models": {"meta": volume.meta}})
            closing.append(controller)
            agent = AgentDaemon(folder / "node", "node-a", [controller], env=store.env)
            closing.append(agent)
            controller.wait_for_nodes(1)
            print(summary([measure(controller, agent, number) for number in range(COUNT)]))
        finally:
            for thing in reversed(closing):
                thing.close()
            detach_everything_below(folder)


def measure(controller, agent, number):
    begin = time.monotonic()
    prewarm = controller.create({"volume": "models", "paths": [f"small-{number}"]})
    answered = time.monotonic()
    while sum(1 for _ in agent.cache_dir.glob("*/raw/chunks/*/*/*")) <= number:
        assert time.monotonic() < begin + 20, "no block came"
    stored = time.monotonic()
    controller.wait(prewarm["id"])
    return answered - begin, stored - begin, time.monotonic() - begin


def summary(samples):
    names = ("submission answered", "first block stored", "seen to have succeeded")
    return "\n".join(
        f"{name:24} median {1000 * statistics.median(times):6.1f} ms   slowest {1000 * max(times):6.1f} ms"
        for name, times in zip(names, zip(*samples)))


if __name__ == "__main__":
    main()
