"""The real client replaces slices while we fetch: the plan goes stale, is made again, and the run finishes."""

import os
import signal

import pytest

from rig.agent import report_of, start, verify, volume_options
from rig.process import wait_for
from rig.stores import FileStore
from rig.tree import MIB, cached_blocks, contents, random_bytes
from rig.volume import Volume

SHARDS, PIECES = 12, 8
SLOWLY = ("--download-limit", "160", "--max-downloads", "2")  # 20 MB/s


@pytest.fixture
def volume(folder, redis, closing):
    volume = Volume(folder / "volume", redis.new_database(), FileStore(folder / "store"),
                    options=["--block-size", "1M"])
    closing.append(volume)
    volume.writer = volume.mount()
    (volume.writer.path / "model").mkdir()
    write_shards(volume.writer.path / "model", 0)
    return volume


def write_shards(model, seed):
    for number in range(SHARDS):
        path = model / f"shard-{number:02}"
        path.unlink(missing_ok=True)
        write_in_pieces(path, seed + number)


def write_in_pieces(path, seed):
    """Slices that overlap backwards, so that compaction has something to join and to throw away."""
    with open(path, "wb") as file:
        for piece in reversed(range(PIECES)):
            file.seek(piece * MIB // 2)
            file.write(random_bytes(MIB, 100 * seed + piece))
            file.flush()
            os.fsync(file.fileno())


def start_slow_warm(volume, folder):
    return start(folder / "warm.log", "warm", "--json", *volume_options(volume, folder / "nvme"), *SLOWLY, "model")


def stored(folder):
    return len(cached_blocks(folder / "nvme"))


def finishes_over_a_stale_plan(warming):
    """Waits for the run's own end; some blocks of its first plan must have been gone."""
    code = warming.stop(how=0, seconds=60)
    assert code == 0, warming.output()
    report = report_of(warming)
    assert report["errors_by_reason"]["not_found"] > 0, report
    assert report["blocks"]["failed"] == 0


def test_compaction_between_plan_and_fetch_is_followed(volume, folder):
    warming = start_slow_warm(volume, folder)
    wait_for(lambda: stored(folder) >= 2, "the first blocks")
    before = objects(volume)
    volume.juicefs("compact", volume.writer.path / "model")
    wait_for(lambda: before - objects(volume), "compaction to delete objects", 30)
    assert stored(folder) < SHARDS * PIECES / 2, "the run was over before the plan went stale"
    finishes_over_a_stale_plan(warming)
    everything_is_served(volume, folder, 0)


def objects(volume):
    return {path.name for path in volume.store.objects()}


def test_files_rewritten_between_plan_and_fetch_are_followed(volume, folder):
    warming = start_slow_warm(volume, folder)
    wait_for(lambda: stored(folder) >= 2, "the first blocks")
    # Held meanwhile: on a busy machine it could plan anew while the last files are still being written.
    warming.process.send_signal(signal.SIGSTOP)
    write_shards(volume.writer.path / "model", 1000)
    warming.process.send_signal(signal.SIGCONT)
    assert stored(folder) < SHARDS * PIECES / 2, "the run was over before the plan went stale"
    finishes_over_a_stale_plan(warming)
    everything_is_served(volume, folder, 1000)


def everything_is_served(volume, folder, seed):
    """Read-only: a reader that may write would compact the files that no one compacted yet."""
    (folder / "truth").mkdir()
    write_shards(folder / "truth", seed)
    verify(volume, folder / "nvme", "model")
    volume.writer.unmount()
    volume.store.cut_off()
    reader = volume.mount(folder / "nvme", "--read-only")
    assert contents(reader.path / "model") == contents(folder / "truth")
    assert reader.counters()["blockcache_miss"] == 0
