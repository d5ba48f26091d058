"""Objects that are not what their key says: nothing wrong is ever published, each kind is counted, the rest of
the volume is warmed, and the exit code says that it is not all.

The last word is the real client's: after a second warm from the good store it reads every byte with the store
cut off, so a wrong block left behind by the first one would show.
"""

import pathlib
import random

import pytest

from conftest import PASSPHRASE
from rig.agent import verify, warm
from rig.fake_s3 import FakeS3
from rig.stores import FileStore
from rig.tree import MIB, cached_blocks, contents, half_compressible
from rig.volume import Volume

# What the agent must call each fault. A fault that HTTP itself reveals is an interrupted transfer.
PLAIN_FAULTS = {
    "flip": "checksum_mismatch",
    "shorter": "wrong_length",
    "longer": "wrong_length",
    "html": "not_an_object",
    "gzip": "not_an_object",
    "not-http": "not_an_object",
}


def write_model(root, megabytes=6):
    root = pathlib.Path(root)
    root.mkdir()
    (root / "weights").write_bytes(half_compressible(megabytes * MIB + 12345, 11))
    (root / "config.json").write_text('{"layers": 6}\n')


def make_volume(folder, redis, closing, *options, env=None):
    store = FileStore(folder / "store")
    volume = Volume(folder / "volume", redis.new_database(), store,
                    options=["--block-size", 256, *options], env=env)
    closing.append(volume)
    with volume.mount() as root:
        write_model(root / "model")
    return store, volume


def pick_blocks(store, count):
    """Some blocks by the end of their keys, each a whole one."""
    names = [path.name for path in store.objects() if path.name.endswith("_262144")]
    return random.Random(5).sample(names, count)


def read_with_the_store_cut_off(volume, store, cache, truth):
    store.cut_off()
    reader = volume.mount(cache)
    assert contents(reader.path / "model") == contents(truth)
    counters = reader.counters()
    assert counters["blockcache_miss"] == 0 and counters["object_request_errors"] == 0


@pytest.mark.parametrize("fault", PLAIN_FAULTS)
def test_a_damaged_object_is_never_published(fault, folder, redis, closing):
    store, volume = make_volume(folder, redis, closing)
    victims = pick_blocks(store, 3)
    fake = FakeS3(store, folder / "fake.log", *(f"{fault}:1:{name}" for name in victims))
    closing.append(fake)
    cache = folder / "nvme"
    report = warm(volume, cache, *fake.options, env=fake.environment, expect=3)
    fired = fake.finish()["fired"]

    assert fired == {fault: 6}  # each damaged answer is asked for once more, on another connection
    assert report["status"] == "partial"
    assert report["blocks"]["failed"] == 3
    assert report["blocks"]["failed_by_reason"] == {PLAIN_FAULTS[fault]: 3}
    assert report["errors_by_reason"] == {PLAIN_FAULTS[fault]: 6}
    assert report["blocks"]["unverified_source"] == 0
    assert all(any(name in error for error in report["errors"]) for name in victims)

    published = cached_blocks(cache)
    assert len(published) == report["blocks"]["planned"] - 3
    by_name = {path.name: path for path in store.objects()}
    for path in published:
        truth = by_name[path.name].read_bytes()
        assert path.read_bytes()[:len(truth)] == truth and path.name not in victims

    assert warm(volume, cache)["blocks"]["fetched"] == 3
    write_model(folder / "truth")
    read_with_the_store_cut_off(volume, store, cache, folder / "truth")


# Without a checksum beside the object, damage shows only when it is opened.
PACKED = [
    ("encrypted", "flip", "decryption"),
    ("encrypted", "shorter", "wrong_length"),
    ("encrypted", "longer", "wrong_length"),
    ("lz4", "shorter", "decompression"),
    ("lz4", "longer", "decompression"),
    ("zstd", "shorter", "decompression"),
    ("zstd", "longer", "decompression"),
    ("zstd", "xml200", "not_an_object"),
]


@pytest.mark.parametrize(("kind", "fault", "reason"), PACKED)
def test_damage_inside_an_envelope_is_never_published(kind, fault, reason, folder, redis, closing, private_key):
    options = {"encrypted": ["--encrypt-rsa-key", private_key]}.get(kind, ["--compress", kind])
    env = {"JFS_RSA_PASSPHRASE": PASSPHRASE} if kind == "encrypted" else None
    store, volume = make_volume(folder, redis, closing, *options, env=env)
    victims = pick_blocks(store, 2)
    fake = FakeS3(store, folder / "fake.log", *(f"{fault}:1:{name}" for name in victims), checksums=False)
    closing.append(fake)
    cache = folder / "nvme"
    report = warm(volume, cache, *fake.options, env=fake.environment, expect=3)

    assert fake.finish()["fired"] == {fault: 4}
    assert report["blocks"]["failed_by_reason"] == {reason: 2}
    assert not set(victims) & {path.name for path in cached_blocks(cache)}
    assert warm(volume, cache)["blocks"]["fetched"] == 2
    write_model(folder / "truth")
    read_with_the_store_cut_off(volume, store, cache, folder / "truth")


def test_a_flip_that_a_second_request_heals_costs_a_retry_and_nothing_else(folder, redis, closing):
    store, volume = make_volume(folder, redis, closing)
    fake = FakeS3(store, folder / "fake.log", "flip:first1:/chunks/")
    closing.append(fake)
    report = warm(volume, folder / "nvme", *fake.options, env=fake.environment)
    assert fake.finish()["fired"] == {"flip": 1}
    assert report["retries"] == 1 and report["errors_by_reason"] == {"checksum_mismatch": 1}
    assert verify(volume, folder / "nvme", "--against-store")["blocks"]["whole"] == report["blocks"]["planned"]


def test_blocks_without_a_checksum_are_counted_and_can_be_refused(folder, redis, closing):
    store, volume = make_volume(folder, redis, closing)
    fake = FakeS3(store, folder / "fake.log", checksums=False)
    closing.append(fake)
    report = warm(volume, folder / "refused", "--require-checksum", *fake.options, env=fake.environment, expect=1)
    assert report["blocks"]["failed_by_reason"] == {"no_checksum": report["blocks"]["planned"]}
    assert not cached_blocks(folder / "refused")
    report = warm(volume, folder / "accepted", *fake.options, env=fake.environment)
    assert report["blocks"]["unverified_source"] == report["blocks"]["planned"]
    fake.finish()


def test_an_authenticated_volume_needs_no_checksum_of_the_store(folder, redis, closing, private_key):
    store, volume = make_volume(folder, redis, closing, "--encrypt-rsa-key", private_key,
                                env={"JFS_RSA_PASSPHRASE": PASSPHRASE})
    fake = FakeS3(store, folder / "fake.log", checksums=False)
    closing.append(fake)
    report = warm(volume, folder / "nvme", "--require-checksum", *fake.options, env=fake.environment)
    assert report["blocks"]["unverified_source"] == 0
    fake.finish()
