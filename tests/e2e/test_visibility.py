"""A task is visible when the clients of its node say that they find every block, and not before:
whatever the clock says."""

import os
import re
import signal
import time

import pytest

from rig.agent import report_of, start, volume_options, warm
from rig.fleet import FINAL, AgentDaemon, Controller
from rig.process import wait_for
from rig.stores import FileStore
from rig.tree import MIB, contents, random_bytes
from rig.volume import Volume

VERSIONS = ("1.3.1", "1.4.2")
BYTES = 20 * MIB
BLOCKS = BYTES // (4 * MIB)
SLOWLY = {"node-download-limit": "100M"}  # bits per second: more than a second for all of it


class Node:
    """A volume with one model, a controller, and one agent whose cache a client has mounted."""

    def __init__(self, folder, redis, closing, version, *options, fleet=None, warm_before_mount=False):
        self.store = FileStore(folder / "store")
        self.volume = Volume(folder / "volume", redis.new_database(), self.store, version=version)
        closing.append(self.volume)
        with self.volume.mount() as root:
            (root / "model").mkdir()
            (root / "model" / "weights").write_bytes(random_bytes(BYTES, 1))
            (root / "current").symlink_to("model")
            self.truth = contents(root / "model")
        self.cache = folder / "cache"
        if warm_before_mount:
            warm(self.volume, self.cache)
        self.reader = self.volume.mount(self.cache, *options)
        self.controller = Controller(folder / "controller", {"models": {"meta": self.volume.meta}}, fleet=fleet)
        closing.append(self.controller)
        self.agent = AgentDaemon(folder / "agent", "node-a", [self.controller], self.cache)
        closing.append(self.agent)
        self.controller.wait_for_nodes(1)

    def warm(self, path="model"):
        return self.controller.create({"volume": "models", "paths": [path]})["id"]

    def states(self, prewarm_id, seconds=60):
        """What the task was, in this order, until the prewarm ended."""
        seen = []
        deadline = time.monotonic() + seconds
        while True:
            prewarm = self.controller.get(prewarm_id)
            state = prewarm["tasks"][0]["state"]
            if not seen or seen[-1] != state:
                seen.append(state)
            if prewarm["state"] in FINAL:
                return prewarm, seen
            assert time.monotonic() < deadline, f"{seen}: {prewarm}"
            time.sleep(0.02)

    def blocks(self):
        return [path for path in self.cache.glob("*/raw/chunks/**/*") if re.fullmatch(r"\d+_\d+_\d+", path.name)]

    def lose_a_block_before_all_are_stored(self):
        """Takes the first one away as soon as it is there: the others are still to come."""
        deadline = time.monotonic() + 30
        while not (there := self.blocks()):
            assert time.monotonic() < deadline, "no block was stored"
            time.sleep(0.005)
        os.unlink(there[0])
        assert len(self.blocks()) < BLOCKS - 1, "the test was too slow: all blocks were there already"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_rescans_sees_everything_at_the_moment_it_is_said(folder, redis, closing, version):
    node = Node(folder, redis, closing, version, "--cache-scan-interval=10s")
    ended, states = node.states(node.warm())
    assert ended["state"] == "succeeded", ended
    node.store.cut_off()
    before = node.reader.counters()
    assert contents(node.reader.path / "model") == node.truth
    after = node.reader.counters()
    assert after["blockcache_miss"] == before["blockcache_miss"]
    assert after["blockcache_hits"] > before["blockcache_hits"]
    assert after["object_request_errors"] == 0
    assert states[-2:] == ["stored", "visible"], states
    assert "the client finds all 20.0 MiB" in ended["tasks"][0]["message"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_misses_a_block_is_believed_and_not_the_clock(folder, redis, closing, version):
    """The clock alone would call it visible eight seconds after the last block was stored."""
    node = Node(folder, redis, closing, version, "--cache-scan-interval=3s", fleet=SLOWLY)
    prewarm_id = node.warm()
    node.lose_a_block_before_all_are_stored()
    ended, states = node.states(prewarm_id, 90)
    assert ended["state"] == "failed", ended
    assert "visible" not in states and "stored" in states, states
    task = ended["tasks"][0]
    assert task["reason"] == "not_visible"
    assert "the client misses 4.00 MiB of 20.0 MiB" in task["message"], task


@pytest.mark.parametrize("version", VERSIONS)
def test_a_live_client_that_misses_a_block_is_believed_too(folder, redis, closing, version):
    node = Node(folder, redis, closing, version, "--cache-scan-interval=-1", fleet=SLOWLY)
    prewarm_id = node.warm()
    node.lose_a_block_before_all_are_stored()
    ended, states = node.states(prewarm_id)
    assert ended["state"] == "failed" and "visible" not in states, (states, ended)
    assert "the client misses 4.00 MiB of 20.0 MiB" in ended["tasks"][0]["message"]

    again, _ = node.states(node.warm())
    assert again["state"] == "succeeded", again
    assert "the client finds all 20.0 MiB" in again["tasks"][0]["message"]


def test_a_client_that_does_not_answer_at_once_is_looked_at_again(folder, redis, closing):
    node = Node(folder, redis, closing, VERSIONS[-1], "--cache-scan-interval=-1")
    serving = node.reader.serving_pid()
    os.kill(serving, signal.SIGSTOP)
    try:
        prewarm_id = node.warm()
        task = wait_for(lambda: next((one for one in node.controller.get(prewarm_id)["tasks"]
                                      if one["state"] not in ("waiting", "queued", "running")), None), "its end", 60)
        assert task["state"] == "stored" and "its settings could not be read" in task["message"], task
    finally:
        os.kill(serving, signal.SIGCONT)
    ended, _ = node.states(prewarm_id)
    assert ended["state"] == "succeeded", ended["tasks"]
    assert "the client finds all 20.0 MiB" in ended["tasks"][0]["message"]


def test_what_a_client_sees_already_does_not_wait_for_its_next_scan(folder, redis, closing):
    node = Node(folder, redis, closing, VERSIONS[-1], "--cache-scan-interval=1h", warm_before_mount=True)
    ended, _ = node.states(node.warm())
    assert ended["state"] == "succeeded", ended
    assert ended["progress"]["fetched_bytes"] == 0
    assert "the client finds all 20.0 MiB" in ended["tasks"][0]["message"]


def test_a_path_that_is_a_symlink_and_a_mount_of_a_subdirectory_are_asked_too(folder, redis, closing):
    node = Node(folder, redis, closing, VERSIONS[-1], "--cache-scan-interval=-1", "--subdir", "/model")
    inside, _ = node.states(node.warm("model/weights"))
    assert inside["state"] == "succeeded", inside
    assert "the client finds all 20.0 MiB" in inside["tasks"][0]["message"]
    outside, _ = node.states(node.warm("current"))
    assert outside["state"] == "succeeded", outside
    assert "could not be asked: it shows only /model" in outside["tasks"][0]["message"]


def test_warm_asks_a_live_client_for_its_last_word(folder, redis, closing):
    node = Node(folder, redis, closing, VERSIONS[-1], "--cache-scan-interval=-1")
    words = warm(node.volume, node.cache, "current")["visibility"][0]
    assert words["visible"] == "now"
    assert "the client finds all 20.0 MiB" in words["words"]


def test_warm_does_not_call_visible_what_a_live_client_misses(folder, redis, closing):
    node = Node(folder, redis, closing, VERSIONS[-1], "--cache-scan-interval=-1")
    run = start(folder / "warm.log", "warm", "--json", *volume_options(node.volume, node.cache),
                "--download-limit", "100M", "model")
    node.lose_a_block_before_all_are_stored()
    assert run.stop(how=0, seconds=60) == 0, run.output()
    seen = report_of(run)["visibility"][0]
    assert seen["visible"] == "missing", seen
    assert "stored, but not visible" in seen["words"]
    assert "the client misses 4.00 MiB of 20.0 MiB" in seen["words"]


def test_data_that_no_file_shows_any_more_is_not_held_against_a_task(folder, redis, closing):
    """The client counts whole slices, of which a plan leaves out what was overwritten since."""
    node = Node(folder, redis, closing, VERSIONS[-1], "--cache-scan-interval=-1")
    with node.volume.mount() as root, open(root / "model" / "weights", "r+b") as weights:
        weights.seek(8 * MIB)
        weights.write(random_bytes(4 * MIB, 2))
    ended, _ = node.states(node.warm())
    assert ended["state"] == "succeeded", ended
    assert ended["progress"]["planned_bytes"] == BYTES
    assert "which need not be of the 20.0 MiB planned" in ended["tasks"][0]["message"]
    node.store.cut_off()
    contents(node.reader.path / "model")
    assert node.reader.counters()["blockcache_miss"] == 0
