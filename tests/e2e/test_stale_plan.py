"""The real client replaces slices while we fetch: the plan goes stale, is made again, and the run finishes."""

import os

import pytest

from rig.agent import LITTLE_FLOOR, start, verify
from rig.process import wait_for
from rig.stores import FileStore
from rig.tree import contents, random_bytes
from rig.volume import Volume

MIB = 1 << 20
SHARDS = 12
SLOWLY = ("--download-limit", "160", "--max-downloads", "2")  # 20 MB/s


@pytest.fixture
def volume(folder, redis, closing):
    store = FileStore(folder / "store")
    volume = Volume(folder / "volume", redis.new_database(), store, options=["--block-size", "1M"])
    closing.append(volume)
    volume.writer = volume.mount()
    (volume.writer.path / "model").mkdir()
    for number in range(SHARDS):
        write_in_pieces(volume.writer.path / "model" / f"shard-{number:02}", number)
    return volume


def write_in_pieces(path, seed):
    """Each piece is a slice of its own, so that compaction has something to join."""
    with open(path, "wb") as file:
        for piece in range(4):
            file.write(random_bytes(MIB, 100 * seed + piece))
            file.flush()
            os.fsync(file.fileno())


def start_slow_warm(volume, folder):
    return start(folder / "warm.log", "warm", "--json", "--meta", volume.meta, "--cache-dir", folder / "nvme",
                 *LITTLE_FLOOR, *SLOWLY, "model")


def stored(folder):
    return sum(1 for path in (folder / "nvme").glob("*/raw/chunks/**/*") if path.is_file())


def finish(warming, folder):
    code = warming.stop(how=0, seconds=60)
    return code, warming.output()


def test_compaction_between_plan_and_fetch_is_followed(volume, folder):
    warming = start_slow_warm(volume, folder)
    wait_for(lambda: stored(folder) >= 2, "the first blocks")
    before = objects(volume)
    volume.juicefs("compact", volume.writer.path / "model")
    wait_for(lambda: before - objects(volume), "compaction to delete objects", 30)
    assert stored(folder) < 4 * SHARDS, "the run was over before the plan went stale"
    code, output = finish(warming, folder)
    assert code == 0, output
    everything_is_served(volume, folder)


def objects(volume):
    return {path.name for path in volume.store.objects()}


def test_files_rewritten_between_plan_and_fetch_are_followed(volume, folder):
    warming = start_slow_warm(volume, folder)
    wait_for(lambda: stored(folder) >= 2, "the first blocks")
    for number in range(SHARDS):
        path = volume.writer.path / "model" / f"shard-{number:02}"
        path.unlink()
        write_in_pieces(path, 1000 + number)
    assert stored(folder) < 4 * SHARDS, "the run was over before the plan went stale"
    code, output = finish(warming, folder)
    assert code == 0, output
    everything_is_served(volume, folder)


def everything_is_served(volume, folder):
    expected = contents(volume.writer.path / "model")
    verify(volume, folder / "nvme", "model")
    volume.writer.unmount()
    volume.store.cut_off()
    reader = volume.mount(folder / "nvme", "--read-only")
    assert contents(reader.path / "model") == expected
    assert reader.counters()["blockcache_miss"] == 0
