"""Who gets the bandwidth, how much of it there is, and whether what is foretold comes true; measured on
two real agents and a real S3 server."""

import datetime
import time

import pytest

import conftest
from rig.fleet import AgentDaemon, Controller, Problem
from rig.stores import S3Store
from rig.tree import MIB, random_bytes
from rig.volume import Volume

MEGABIT = 1_000_000 / 8
CAP_MEGABITS = 160  # 20 MB/s for the whole fleet


@pytest.fixture
def fleet(folder, store_folder, redis, closing):
    store = S3Store(store_folder)
    closing.append(store)
    volume = Volume(folder / "volume", redis.new_database(), store, options=("--block-size", "1M"))
    closing.append(volume)
    with volume.mount() as root:
        for name, megabytes in (("large", 240), ("urgent", 40), ("small", 60)):
            (root / name).write_bytes(random_bytes(megabytes * MIB, len(name)))
    controller = Controller(folder / "controller", {"models": {"meta": volume.meta}},
                            fleet={"origin-limit": str(CAP_MEGABITS)})
    closing.append(controller)
    for name in ("node-a", "node-b"):
        closing.append(AgentDaemon(folder / name, name, [controller], env=store.env))
    controller.wait_for_nodes(2)
    return controller


def fetched(controller, prewarm):
    return controller.get(prewarm["id"])["progress"]["fetched_bytes"]


def wait_until_fetching(controller, prewarm, seconds=20):
    deadline = time.monotonic() + seconds
    while fetched(controller, prewarm) == 0:
        assert time.monotonic() < deadline, controller.get(prewarm["id"])
        time.sleep(0.02)


def test_a_higher_priority_has_the_bandwidth_within_a_second(fleet):
    low = fleet.create({"volume": "models", "paths": ["large"]})
    wait_until_fetching(fleet, low)
    high = fleet.create({"volume": "models", "paths": ["urgent"], "priority": 500})
    submitted = time.monotonic()
    time.sleep(1)  # the second that is allowed
    before, begin = fetched(fleet, low), time.monotonic()
    assert fleet.wait(high["id"])["state"] == "succeeded"
    after, end = fetched(fleet, low), time.monotonic()
    # Each node reports once a second: what the low one got until then may be told late.
    share = (after - before) / (end - begin) / (CAP_MEGABITS * MEGABIT)
    high_rate = 2 * 40 * MIB / (end - submitted) / (CAP_MEGABITS * MEGABIT)
    conftest.SUMMARY.append(f"priority: the urgent prewarm got {high_rate:.0%} of the bandwidth from its "
                            f"submission on, the other one {share:.1%} after the first second")
    assert end - begin > 2, "too short to have shown anything"
    assert share < 0.15
    assert high_rate > 0.75
    assert fleet.wait(low["id"])["state"] == "succeeded"


def test_the_cap_of_the_fleet_is_held_and_used(fleet):
    prewarm = fleet.create({"volume": "models", "paths": ["large"]})
    wait_until_fetching(fleet, prewarm)
    time.sleep(2)  # past the buckets' first burst
    before, begin = fetched(fleet, prewarm), time.monotonic()
    time.sleep(10)  # the time over which the cap is promised
    after, end = fetched(fleet, prewarm), time.monotonic()
    share = (after - before) / (end - begin) / (CAP_MEGABITS * MEGABIT)
    conftest.SUMMARY.append(f"budget: {share:.1%} of the fleet's cap over {end - begin:.1f} s")
    assert 0.90 < share < 1.05


def test_a_new_cap_is_in_force_at_once(fleet):
    prewarm = fleet.create({"volume": "models", "paths": ["large"]})
    wait_until_fetching(fleet, prewarm)
    fleet.settings["fleet"]["origin-limit"] = "40"
    fleet.reload()
    time.sleep(3)
    before, begin = fetched(fleet, prewarm), time.monotonic()
    time.sleep(5)
    after, end = fetched(fleet, prewarm), time.monotonic()
    assert (after - before) / (end - begin) < 1.25 * 40 * MEGABIT


def at(seconds):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_forecasts_come_true_and_impossible_deadlines_are_told(fleet):
    # The first one shows what the link gives.
    assert fleet.wait(fleet.create({"volume": "models", "paths": ["small"]})["id"])["state"] == "succeeded"
    begin = datetime.datetime.now(datetime.timezone.utc)
    with pytest.raises(Problem) as refused:
        fleet.create({"volume": "models", "paths": ["large"], "deadline": at(5), "refuse_if_late": True})
    assert refused.value.status == 422
    assert "late" in refused.value.document["detail"]
    prewarm = fleet.create({"volume": "models", "paths": ["large"], "deadline": at(5)})
    forecast = prewarm["forecast"]
    assert "late" in forecast["words"], forecast
    foretold = (when(forecast["finish"]) - begin).total_seconds()
    ended = fleet.wait(prewarm["id"], seconds=120)
    took = (when(ended["ended_at"]) - begin).total_seconds()
    conftest.SUMMARY.append(f"deadline: foretold {foretold:.1f} s, took {took:.1f} s")
    assert ended["state"] == "succeeded"
    assert abs(foretold - took) < 0.15 * took
