"""kill -9 and Ctrl-C in the middle of a run: what is stored stays, nothing is fetched twice, nothing is left."""

import os
import random
import signal
import time

import pytest

from rig.agent import agent, report_of, start, verify, volume_options
from rig.process import wait_for
from rig.stores import FileStore, NginxStore
from rig.tree import MIB, cached_blocks, random_bytes
from rig.volume import Volume

BLOCKS = 96
KILLS = 5
SEED = int(os.environ.get("PREWARM_TEST_SEED", random.SystemRandom().randrange(1 << 32)))


@pytest.fixture
def volume(folder, redis, closing):
    volume = Volume(folder / "volume", redis.new_database(), FileStore(folder / "store"),
                    options=["--block-size", "1M"])
    closing.append(volume)
    with volume.mount() as root:
        (root / "weights").write_bytes(random_bytes(BLOCKS * MIB, 1))
    return volume


@pytest.fixture
def nginx(folder, volume, closing):
    server = NginxStore(folder / "nginx", volume.store.folder)
    closing.append(server)
    return server


def words(volume, nginx, folder, *more):
    return ["warm", "--json", *volume_options(volume, folder / "nvme"), *nginx.options, *more]


def visible(folder):
    return cached_blocks(folder / "nvme")


def other_files(folder):
    """Everything below the cache directory that is neither a block nor the client's own mark."""
    return [path for path in (folder / "nvme").rglob("*")
            if path.is_file() and "/raw/chunks/" not in str(path) and path.name != ".lock"]


def test_a_killed_run_is_resumed_without_fetching_a_stored_block_again(volume, nginx, folder):
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    for cycle in range(KILLS):
        before = len(visible(folder))
        run = start(folder / f"warm-{cycle}.log",
                    *words(volume, nginx, folder, "--download-limit", "400", "--max-downloads", "8"),
                    env=nginx.environment)
        wanted = before + chance.randint(1, BLOCKS // KILLS - 3)
        run.wait_until(lambda: len(visible(folder)) >= wanted, f"{wanted} blocks")
        run.stop(signal.SIGKILL)
        assert_whole(volume, folder)
    in_flight_at_most = 8 + 8  # requested, and fetched but not named yet
    fetched_before_the_end = sum(nginx.gets().values())
    assert fetched_before_the_end <= len(visible(folder)) + KILLS * in_flight_at_most

    missing = BLOCKS - len(visible(folder))
    assert missing > 0, "the kills came too late to prove anything"
    answer = agent(*words(volume, nginx, folder), env=nginx.environment)
    assert answer.code == 0, answer
    assert answer.json["blocks"]["fetched"] == missing
    wait_for(lambda: sum(nginx.gets().values()) == fetched_before_the_end + missing, "nginx to write its log", 5)
    assert other_files(folder) == []
    served(volume, folder)


def assert_whole(volume, folder):
    """Every name that is visible stands for a whole block, right after the kill."""
    report = verify(volume, folder / "nvme", "--against-store", expect=3)
    assert {found["finding"] for found in report["findings"]} <= {"absent"}
    assert report["blocks"]["whole"] == len(visible(folder))
    assert all(path.stat().st_nlink == 1 for path in visible(folder))


def served(volume, folder):
    volume.store.cut_off()
    reader = volume.mount(folder / "nvme")
    with open(reader.path / "weights", "rb") as file:
        assert file.read() == random_bytes(BLOCKS * MIB, 1)
    assert reader.counters()["blockcache_miss"] == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_stopped_run_ends_within_a_second_and_leaves_only_whole_blocks(volume, nginx, folder, how):
    run = start(folder / "warm.log",
                *words(volume, nginx, folder, "--download-limit", "100", "--max-downloads", "8"),
                env=nginx.environment)
    run.wait_until(lambda: len(visible(folder)) >= 3, "the first blocks")
    asked = time.monotonic()
    code = run.stop(how)
    assert time.monotonic() - asked < 1
    assert code == 3, run.output()
    report = report_of(run)
    assert report["status"] == "interrupted"
    assert report["blocks"]["fetched"] == len(visible(folder)) < BLOCKS
    assert_whole(volume, folder)
    assert other_files(folder) == []
