"""Kept prewarms: the real client overwrites, appends, compacts and moves a symlink while the controller
follows; when it is quiet again everything is warm, and Redis was only read."""

import os
import time

import pytest

from rig.fleet import AgentDaemon, Controller
from rig.process import wait_for
from rig.stores import S3Store
from rig.tree import MIB, contents, random_bytes
from rig.volume import Volume

WRITES = ("set", "del", "hset", "hdel", "sadd", "srem", "zadd", "zrem", "rpush", "lpush", "incr", "incrby",
          "eval", "evalsha", "keys")


@pytest.fixture
def kept(folder, store_folder, redis, closing):
    store = S3Store(store_folder)
    closing.append(store)
    volume = Volume(folder / "volume", redis.new_database(), store)
    closing.append(volume)
    writer = volume.mount()
    root = writer.path
    (root / "v1").mkdir()
    (root / "v1" / "weights").write_bytes(random_bytes(9 * MIB, 1))
    (root / "v1" / "log").write_bytes(b"begin\n")
    os.symlink("v1", root / "current")
    controller = Controller(folder / "controller", {"models": {"meta": volume.meta}})
    closing.append(controller)
    agent = AgentDaemon(folder / "node", "node-a", [controller], env=store.env)
    closing.append(agent)
    controller.wait_for_nodes(1)
    prewarm = controller.create({"volume": "models", "paths": ["current"], "keep": True})
    controller.wait(prewarm["id"], ("warm",))
    return store, volume, writer, controller, agent, prewarm["id"]


def wait_until_warm_again(controller, prewarm_id, generation, what, seconds=10):
    def warm():
        prewarm = controller.get(prewarm_id)
        return prewarm["state"] == "warm" and prewarm["generation"] > generation and prewarm
    return wait_for(warm, what, seconds)


def test_every_change_is_warm_soon_and_all_reads_are_hits_in_the_end(kept, redis):
    store, volume, writer, controller, agent, prewarm_id = kept
    root = writer.path
    changes = [
        ("overwritten", lambda: overwrite(root / "v1" / "weights")),
        ("appended", lambda: append(root / "v1" / "log")),
        ("new file", lambda: (root / "v1" / "tokenizer.json").write_text('{"t": 1}' * 1000)),
        ("symlink moved", lambda: move(root)),
    ]
    for what, change in changes:
        generation = controller.get(prewarm_id)["generation"]
        change()
        begin = time.monotonic()
        wait_until_warm_again(controller, prewarm_id, generation, what)
        assert time.monotonic() - begin < 5 + 1, what
    for number in range(30):
        append(root / "v2" / "log", f"line {number}\n".encode() * 100)
    volume.juicefs("compact", root / "v2")
    quiet_since = time.monotonic()
    generation = [controller.get(prewarm_id)["generation"], quiet_since]

    def quiet():
        now = controller.get(prewarm_id)
        if now["generation"] != generation[0] or now["state"] != "warm":
            generation[:] = now["generation"], time.monotonic()
        return time.monotonic() - generation[1] > 3
    wait_for(quiet, "the controller to have followed everything", 60)
    truth = contents(root / "v2")
    writer.unmount()
    store.cut_off()
    reader = volume.mount(agent.cache_dir)
    assert contents(reader.path / "v2") == truth
    counters = reader.counters()
    assert counters["blockcache_miss"] == 0
    assert counters["object_request_errors"] == 0


def test_following_only_reads(kept, redis):
    _, _, writer, controller, _, prewarm_id = kept
    writer.unmount()
    redis.cli("CONFIG", "RESETSTAT")
    time.sleep(3)  # some rounds of nothing
    seen = {line.split(":")[0].removeprefix("cmdstat_") for line in
            redis.cli("INFO", "commandstats").splitlines() if line.startswith("cmdstat_")}
    assert not seen & set(WRITES), seen
    assert controller.get(prewarm_id)["state"] == "warm"


def overwrite(path):
    with open(path, "r+b") as file:
        file.seek(3 * MIB + 5)
        file.write(random_bytes(2 * MIB, 7))


def append(path, data=b"more\n"):
    with open(path, "ab") as file:
        file.write(data)


def move(root):
    (root / "v2").mkdir()
    (root / "v2" / "weights").write_bytes(random_bytes(5 * MIB + 9, 2))
    (root / "v2" / "log").write_bytes(b"v2\n")
    os.symlink("v2", root / "next")
    os.rename(root / "next", root / "current")
