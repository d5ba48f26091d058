"""verify against the real client's own cache, and against each kind of damage."""

import os
import pathlib

import pytest

from rig.agent import agent, verify, volume_options, warm
from rig.stores import FileStore
from rig.tree import cached_blocks, contents, write_awkward_files
from rig.volume import Volume


@pytest.fixture(scope="module")
def volume(module_folder, redis):
    volume = Volume(module_folder / "volume", redis.new_database(), FileStore(module_folder / "store"))
    with volume.mount() as root:
        write_awkward_files(root / "files", 6)
        volume.expected = contents(root / "files")
    yield volume
    volume.close()


@pytest.fixture
def cache(volume, folder):
    """A warmed cache directory, as the folder that --cache-dir names."""
    warm(volume, folder / "nvme")
    return folder / "nvme"


def largest(cache, index=0):
    return sorted(cached_blocks(cache), key=lambda path: (-data_size(path), path))[index]


def data_size(path):
    return int(path.name.rsplit("_", 1)[1])


@pytest.mark.parametrize("checksum", ["none", "full", "shrink", "extend"])
@pytest.mark.parametrize("version", ["1.3.1", "1.4.2"])
def test_blocks_that_the_client_cached_itself_are_whole(volume, folder, version, checksum):
    with volume.mount(folder / "nvme", "--verify-cache-checksum", checksum, version=version) as root:
        assert contents(root / "files") == volume.expected
    # The client may also cache blocks whose bytes no file shows any more; those nobody asks for.
    code = verify_code(volume, folder / "nvme")
    report = verify(volume, folder / "nvme", "--against-store", expect=code)
    blocks = report["blocks"]
    whole = blocks["whole_without_trailer" if checksum == "none" else "whole"]
    assert {finding["finding"] for finding in report["findings"]} <= {"absent"}
    assert whole + blocks["absent"] == blocks["planned"] and whole > blocks["planned"] / 2


def verify_code(volume, cache):
    """0 if the client cached every block that the files need, 3 if it left some out."""
    answer = agent("verify", "--json", *volume_options(volume, cache))
    return 3 if answer.json["blocks"]["absent"] else 0


def test_a_warmed_cache_equals_the_store(volume, cache):
    report = verify(volume, cache, "--against-store")
    assert report["status"] == "done"
    assert report["blocks"]["whole"] == report["blocks"]["planned"] == len(cached_blocks(cache))


def test_what_is_not_cached_is_reported_absent(volume, folder):
    (folder / "empty").mkdir()
    report = verify(volume, folder / "empty", expect=1)
    assert report["blocks"]["absent"] == report["blocks"]["planned"]


def shorten(path):
    os.truncate(path, path.stat().st_size - 1)


def lengthen(count):
    def damage(path):
        with open(path, "ab") as file:
            file.write(b"\0" * count)
    return damage


def flip(offset_of):
    def damage(path):
        with open(path, "r+b") as file:
            file.seek(offset_of(path))
            byte = file.read(1)[0]
            file.seek(offset_of(path))
            file.write(bytes([byte ^ 0xFF]))
    return damage


def add_name(path):
    os.link(path, path.with_name("a second name"))


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


DAMAGES = {
    "short by one byte": (shorten, "too_short"),
    "long by 1": (lengthen(1), "too_long"),
    "long by 4": (lengthen(4), "too_long"),
    "long by 512": (lengthen(512), "too_long"),
    "first data byte flipped": (flip(lambda path: 0), "data_damaged"),
    "last data byte flipped": (flip(lambda path: data_size(path) - 1), "data_damaged"),
    "trailer byte flipped": (flip(data_size), "trailer_damaged"),
    "two names": (add_name, "link_count"),
    "a folder under the name": (replace_by_folder, "not_a_file"),
    "empty": (lambda path: os.truncate(path, 0), "too_short"),
    "gone": (pathlib.Path.unlink, "absent"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_planted_damage_is_reported_as_exactly_that(volume, cache, name):
    damage, finding = DAMAGES[name]
    victim = largest(cache)
    damage(victim)
    report = verify(volume, cache, expect=3)
    assert report["status"] == "partial"
    assert [found["finding"] for found in report["findings"]] == [finding]
    found = report["findings"][0]
    assert str(victim).endswith(found["key"]) and str(victim).startswith(found["directory"])
    assert report["blocks"][finding] == 1
    assert report["blocks"]["whole"] == report["blocks"]["planned"] - 1


def test_another_blocks_bytes_under_a_name_need_the_store_to_be_found(volume, cache):
    """Both are whole by themselves: only the store knows which bytes belong under which name."""
    one, other = two_of_equal_size(cache)
    bytes_of_other = other.read_bytes()
    one.write_bytes(bytes_of_other)
    assert verify(volume, cache)["status"] == "done"
    report = verify(volume, cache, "--against-store", expect=3)
    assert [found["finding"] for found in report["findings"]] == ["other_bytes"]
    assert str(one).endswith(report["findings"][0]["key"])


def two_of_equal_size(cache):
    by_size = {}
    for path in cached_blocks(cache):
        twin = by_size.setdefault(data_size(path), path)
        if twin != path and twin.read_bytes() != path.read_bytes():
            return twin, path
    raise AssertionError("no two blocks of equal size")


def test_warm_brings_back_what_is_gone_and_names_what_stands_in_the_way(volume, cache):
    """A short block may be another program's: it is reported and left alone."""
    in_the_way, gone = largest(cache, 0), largest(cache, 1)
    shorten(in_the_way)
    gone.unlink()
    report = warm(volume, cache, expect=3)
    assert report["status"] == "partial"
    assert report["blocks"]["fetched"] == 1 and report["blocks"]["failed_by_reason"] == {"foreign_file": 1}
    assert str(in_the_way) in report["errors"][0]
    assert [found["finding"] for found in verify(volume, cache, expect=3)["findings"]] == ["too_short"]


def test_a_store_that_does_not_answer_is_no_proof(volume, cache):
    volume.store.cut_off()
    try:
        answer = agent("verify", "--json", *volume_options(volume, cache), "--against-store")
        assert answer.code != 0, answer
        assert verify(volume, cache)["status"] == "done"
    finally:
        volume.store.bring_back()
