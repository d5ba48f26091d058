"""A volume of the real client on Google Cloud Storage: from a bucket of its own API to hits with the bucket cut off."""

import time

import pytest

from rig.agent import agent, verify, volume_options, warm
from rig.fleet import AgentDaemon, Controller
from rig.process import free_port
from rig.stores import GcsStore
from rig.tree import MIB, contents, random_bytes
from rig.volume import Volume


@pytest.fixture
def volume(folder, redis, closing):
    store = GcsStore(folder)
    closing.append(store)
    volume = Volume(folder / "volume", redis.new_database(), store, env=store.env)
    closing.append(volume)
    with volume.mount() as root:
        (root / "llama").mkdir()
        (root / "llama" / "config.json").write_text('{"layers": 3}')
        (root / "llama" / "weights.safetensors").write_bytes(random_bytes(23 * MIB + 7, 1))
        volume.truth = {"llama": contents(root / "llama")}
    assert store.objects(), "the client's blocks lie in the bucket"
    return volume


def test_warm_from_a_bucket_of_google(volume, folder):
    cache = folder / "nvme"
    report = warm(volume, cache)
    assert report["blocks"]["fetched"] == len(volume.store.objects()), report
    verify(volume, cache, "--against-store")
    volume.store.cut_off()
    volume.reads_are_hits(cache, volume.truth)


def test_a_prewarm_of_the_fleet_from_a_bucket_of_google(volume, folder, closing):
    controller = Controller(folder / "controller", {"models": {"meta": volume.meta}})
    closing.append(controller)
    node = AgentDaemon(folder / "node", "node", [controller], env=volume.store.env)
    closing.append(node)
    controller.wait_for_nodes(1)
    controller.ctl("warm", "models:llama", "--wait")
    volume.store.cut_off()
    volume.reads_are_hits(node.cache_dir, volume.truth)


def test_without_credentials_it_says_so_and_does_not_wait(volume, folder):
    nobody = {"HOME": str(folder), "STORAGE_EMULATOR_HOST": "", "GCE_METADATA_HOST": f"127.0.0.1:{free_port()}"}
    began = time.monotonic()
    answer = agent("warm", *volume_options(volume, folder / "nvme"), env=nobody)
    assert answer.code == 1 and time.monotonic() - began < 30, answer
    for word in ("GOOGLE_APPLICATION_CREDENTIALS", "metadata server"):
        assert word in answer.stderr, answer
    wrong = folder / "adc.json"
    wrong.write_text('{"type": "authorized_user", "refresh_token": "very-secret"}')
    answer = agent("warm", *volume_options(volume, folder / "nvme"),
                   env={**nobody, "GOOGLE_APPLICATION_CREDENTIALS": str(wrong)})
    assert answer.code == 2 and "authorized_user" in answer.stderr and "very-secret" not in answer.stderr, answer
