"""Warming reads the metadata and nothing else: by the server's own count, and with a user who may only read."""

import re

import pytest

from rig.agent import LITTLE_FLOOR, agent, verify, warm
from rig.stores import FileStore
from rig.tree import write_awkward_files
from rig.volume import Volume

READ_ONLY = {"auth", "hello", "select", "ping", "info", "get", "mget", "hget", "hmget", "hscan", "lrange",
             "cluster", "cluster|info", "cluster|slots", "cluster|shards", "client|setname", "client"}


@pytest.fixture
def volume(folder, redis, closing):
    volume = Volume(folder / "volume", redis.new_database(), FileStore(folder / "store"))
    closing.append(volume)
    with volume.mount() as root:
        write_awkward_files(root / "files", 1)
    return volume


def test_only_reading_commands_are_sent(volume, redis, folder):
    redis.cli("config", "resetstat")
    warm(volume, folder / "nvme")
    warm(volume, folder / "nvme", "files/model", "files/symlink")
    verify(volume, folder / "nvme", "--against-store")
    used = commands_used(redis)
    assert used - {"config|resetstat"} <= READ_ONLY
    assert {"get", "lrange"} <= used, "the count itself must work"


def commands_used(redis):
    return set(re.findall(r"^cmdstat_([^:]+):", redis.cli("info", "commandstats"), re.MULTILINE))


def test_a_user_with_reading_rights_is_enough(volume, redis, folder):
    redis.cli("acl", "setuser", "reader", "on", ">look", "~*", "+@read", "+@connection")
    meta = volume.meta.replace("redis://", "redis://reader@")
    answer = agent("warm", "--json", "--meta", meta, "--cache-dir", folder / "nvme", *LITTLE_FLOOR,
                   env={"META_PASSWORD": "look"})
    assert answer.code == 0, answer
    assert "look" not in answer.stdout + answer.stderr
    assert answer.json["blocks"]["fetched"] == answer.json["blocks"]["planned"] > 0
