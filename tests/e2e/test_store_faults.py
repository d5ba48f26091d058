"""A store in trouble: a run finishes, or fails with the reason, and its retries stay within the budget."""

import pytest

from rig.agent import verify, warm
from rig.fake_s3 import FakeS3
from rig.stores import FileStore
from rig.tree import MIB, random_bytes
from rig.volume import Volume

BLOCK_KIB, BLOCKS = 64, 320


@pytest.fixture(scope="module")
def store(module_folder):
    return FileStore(module_folder / "store")


@pytest.fixture(scope="module")
def volume(module_folder, redis, store):
    made = Volume(module_folder / "volume", redis.new_database(), store, options=["--block-size", BLOCK_KIB])
    with made.mount() as root:
        (root / "weights").write_bytes(random_bytes(BLOCKS * BLOCK_KIB * 1024, 21))
    yield made
    made.close()


def warm_through(folder, volume, store, closing, *faults, expect=0, options=()):
    fake = FakeS3(store, folder / "fake.log", *faults)
    closing.append(fake)
    report = warm(volume, folder / "nvme", *fake.options, *options, env=fake.environment, expect=expect)
    return report, fake.finish()


# What heals with a retry, and how often it must have happened for the test to mean something.
TRANSIENT = [
    ("503:first40:/chunks/", "503", 40, "throttled"),
    ("429:first10:/chunks/", "429", 10, "throttled"),
    ("500:0.05:/chunks/", "500", 3, "server_error"),
    ("reset:0.05:/chunks/", "reset", 3, "connection"),
    ("close:0.05:/chunks/", "close", 3, "connection"),
    ("no-answer:first5:/chunks/", "no-answer", 5, "connection"),
    ("stall:first2:/chunks/", "stall", 2, "timeout"),
]


@pytest.mark.parametrize(("fault", "name", "at_least", "reason"), TRANSIENT)
def test_a_run_gets_over_it(fault, name, at_least, reason, folder, volume, store, closing):
    report, seen = warm_through(folder, volume, store, closing, fault)
    assert seen["fired"][name] >= at_least
    assert report["blocks"]["fetched"] == BLOCKS and report["blocks"]["failed"] == 0
    assert report["errors_by_reason"] == {reason: seen["fired"][name]}
    # One retry for each fault, and no request beyond them (two are for juicefs_uuid at most).
    assert report["retries"] == seen["fired"][name]
    assert seen["requests"] <= BLOCKS + seen["fired"][name] + 2
    assert verify(volume, folder / "nvme", "--against-store")["blocks"]["whole"] == BLOCKS


def test_slow_answers_are_waited_for_as_long_as_bytes_come(folder, volume, store, closing):
    report, seen = warm_through(folder, volume, store, closing, "slow:0.02:/chunks/")
    assert seen["fired"]["slow"] >= 1
    assert report["blocks"]["fetched"] == BLOCKS and report["retries"] == 0


def test_a_hung_up_connection_is_replaced_without_a_retry(folder, volume, store, closing):
    report, seen = warm_through(folder, volume, store, closing, "hang-up:0.1:/chunks/")
    assert seen["fired"]["hang-up"] >= 5
    assert report["blocks"]["fetched"] == BLOCKS and report["retries"] == 0


def test_a_store_that_stays_down_fails_the_run_with_the_reason_and_is_not_hammered(folder, volume, store, closing):
    report, seen = warm_through(folder, volume, store, closing, "503:1:/chunks/", expect=1,
                                options=["--retry-timeout", "3s"])
    assert report["status"] == "failed"
    assert report["blocks"]["failed_by_reason"] == {"throttled": report["blocks"]["failed"]}
    assert report["blocks"]["failed"] + report["blocks"]["not_attempted"] == BLOCKS
    # What was in flight when it began, what the budget held, and the trickle.
    assert report["retries"] <= 10 + 3
    assert seen["requests"] < BLOCKS


@pytest.mark.parametrize("answer", ["403", "401"])
def test_a_refusal_ends_the_run_early_and_says_so(answer, folder, volume, store, closing):
    report, seen = warm_through(folder, volume, store, closing, f"{answer}:1:/chunks/", expect=1)
    assert seen["fired"][answer] < BLOCKS / 2
    assert report["blocks"]["failed_by_reason"] == {"access_denied": report["blocks"]["failed"]}
    assert report["blocks"]["not_attempted"] > 0
    assert any(answer in error for error in report["errors"])


def test_objects_that_stay_missing_are_named(folder, volume, store, closing):
    victim = store.objects()[7].name
    report, seen = warm_through(folder, volume, store, closing, f"404:1:{victim}", expect=3)
    assert seen["fired"]["404"] == 2  # once more after the paths were resolved again
    assert report["blocks"]["failed_by_reason"] == {"not_found": 1}
    assert report["blocks"]["fetched"] == BLOCKS - 1
    assert any(victim in error for error in report["errors"])


def test_memory_stays_within_the_budget(folder, volume, store, closing):
    report, _ = warm_through(folder, volume, store, closing, options=["--buffer-size", "2MiB"])
    assert report["blocks"]["fetched"] == BLOCKS
    assert report["peak_memory_bytes"] < 64 * MIB
