"""When a mounted client sees stored blocks, and that the report says neither more nor less."""

import json
import re
import time

import pytest

from rig.agent import agent, warm
from rig.stores import FileStore
from rig.tree import MIB, contents, random_bytes
from rig.volume import Volume


@pytest.fixture
def volume(folder, redis, closing):
    volume = Volume(folder / "volume", redis.new_database(), FileStore(folder / "store"))
    closing.append(volume)
    with volume.mount() as root:
        (root / "model").mkdir()
        (root / "model" / "weights").write_bytes(random_bytes(20 * MIB, 1))
        volume.expected = contents(root / "model")
    return volume


def only(visibility):
    assert len(visibility) == 1, visibility
    return visibility[0]


def test_blocks_stored_before_the_mount_are_seen_at_the_next_mount(volume, folder):
    report = warm(volume, folder / "nvme")
    seen = only(report["visibility"])
    assert seen["visible"] == "next_mount" and f"--cache-dir={folder}/nvme" in seen["words"]
    volume.store.cut_off()
    reader = volume.mount(folder / "nvme")
    assert contents(reader.path / "model") == volume.expected
    assert reader.counters()["blockcache_miss"] == 0


def test_a_mount_with_default_options_does_not_see_later_blocks_and_the_report_says_so(volume, folder):
    """Also proves that cutting the store off bites: this read must fail."""
    reader = volume.mount(folder / "nvme", "--verbose")  # says when its first scan is over
    reader.client.wait_until(
        lambda: "Found 0 cached blocks" in reader.client.log.read_text(), "the client's first scan")
    time_of_scan = time.time()
    seen = only(warm(volume, folder / "nvme")["visibility"])
    assert seen["visible"] == "after_rescan"
    assert seen["mount_point"] == str(reader.path)
    assert re.search(r"will not see it before .*\(scan every 1 h\)", seen["words"]), seen["words"]
    assert "--cache-scan-interval=-1" in seen["words"]
    assert time_of_scan + 3500 < seen["latest_scan"] < time.time() + 3700
    volume.store.cut_off()
    with pytest.raises(OSError):
        contents(reader.path / "model")
    assert reader.counters()["blockcache_hits"] == 0


def test_a_mount_that_never_scans_sees_the_blocks_at_once(volume, folder):
    reader = volume.mount(folder / "nvme", "--cache-scan-interval=-1")
    seen = only(warm(volume, folder / "nvme")["visibility"])
    assert seen["visible"] == "now" and seen["mount_point"] == str(reader.path)
    volume.store.cut_off()
    assert contents(reader.path / "model") == volume.expected
    counters = reader.counters()
    assert counters["blockcache_miss"] == 0 and counters["object_request_errors"] == 0


def test_a_mount_with_other_cache_directories_is_named_as_such(volume, folder):
    volume.mount(folder / "elsewhere", "--cache-scan-interval=-1")
    seen = only(warm(volume, folder / "nvme")["visibility"])
    assert seen["visible"] != "now"
    assert f"{folder}/elsewhere" in seen["words"]


def test_warm_takes_everything_from_a_live_mount(volume, folder):
    reader = volume.mount(f"{folder}/nvme0:{folder}/nvme1", "--cache-scan-interval=-1")
    answer = agent("warm", "--json", "--mount", reader.path, "model")
    assert answer.code == 0, answer
    report = json.loads(answer.stdout)
    assert report["blocks"]["fetched"] == report["blocks"]["planned"] > 0
    assert only(report["visibility"])["visible"] == "now"
    volume.store.cut_off()
    assert contents(reader.path / "model") == volume.expected
    assert reader.counters()["blockcache_miss"] == 0


def test_probe_says_how_each_mount_adopts_blocks(volume, folder):
    live = volume.mount(folder / "nvme", "--cache-scan-interval=-1")
    default = volume.mount(folder / "other")
    answer = agent("probe", "--json", "--mount", live.path)
    assert answer.code == 0, answer
    assert str(live.path) in answer.stdout and str(default.path) not in answer.stdout
    assert "now" in answer.stdout
