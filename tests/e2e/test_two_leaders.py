"""Two controllers on one job store: the leader is stopped for longer than its lease and continued. Its
successor works meanwhile, and nothing that the old one still wants has any effect."""

import signal
import urllib.error

import pytest

from rig.fleet import AgentDaemon, Controller, Problem
from rig.process import wait_for
from rig.stores import FileStore
from rig.tree import random_bytes
from rig.volume import Volume

ROUNDS = 5


@pytest.fixture
def fleet(folder, redis, closing):
    store = FileStore(folder / "store")
    volume = Volume(folder / "volume", redis.new_database(), store)
    closing.append(volume)
    with volume.mount() as root:
        (root / "weights").write_bytes(random_bytes(3_000_000, 1))
    volumes = {"models": {"meta": volume.meta}}
    first = Controller(folder / "first", volumes, lease="500ms")
    closing.append(first)
    second = Controller(folder / "second", volumes, lease="500ms", beside=first)
    closing.append(second)
    agent = AgentDaemon(folder / "node", "node-a", [first, second])
    closing.append(agent)
    first.wait_for_nodes(1)
    return first, second


def test_a_stopped_leader_has_no_effect_when_it_goes_on(fleet):
    leader, standby = fleet
    for number in range(ROUNDS):
        assert not standby.ready()
        with pytest.raises(Problem) as refused:
            standby.create({"volume": "models"})
        assert refused.value.status == 503
        epoch = leader.epoch()
        before = leader.create({"volume": "models", "model": f"before-{number}"})["id"]
        leader.child.process.send_signal(signal.SIGSTOP)
        standby.child.wait_until(standby.ready, "the standby to lead")
        assert standby.epoch() == epoch + 1
        standby.wait_for_nodes(1, seconds=60)
        during = standby.create({"volume": "models", "model": f"during-{number}"})["id"]
        for prewarm in (before, during):
            assert standby.wait(prewarm)["state"] == "succeeded"
        leader.child.process.send_signal(signal.SIGCONT)
        # Whatever it is asked at this moment, it accepts nothing any more.
        accepted = []

        def has_ended(leader=leader, accepted=accepted, number=number):
            try:
                accepted.append(leader.create({"volume": "models", "model": f"after-{number}"}, seconds=5)["id"])
            except (Problem, urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            return not leader.child.running()
        wait_for(has_ended, "the old leader to end")
        assert not accepted
        assert leader.child.process.returncode == 1
        assert "lead_lost" in leader.child.output()
        assert {prewarm["state"] for prewarm in standby.call("GET", "/api/v1/prewarms")["prewarms"]} == {"succeeded"}
        leader.start(lead=False)
        leader, standby = standby, leader
