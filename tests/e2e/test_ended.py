"""What ended stays known for a day however much ends after it: its state, and its idempotency key."""

import json
import urllib.request

import pytest

from rig.fleet import TOKEN, AgentDaemon, Controller, Problem
from rig.process import wait_for
from rig.stores import FileStore
from rig.tree import random_bytes
from rig.volume import Volume

IN_MEMORY = 2


@pytest.fixture
def controller(folder, redis, closing):
    store = FileStore(folder / "store")
    volume = Volume(folder / "volume", redis.new_database(), store)
    closing.append(volume)
    with volume.mount() as root:
        (root / "weights").write_bytes(random_bytes(300_000, 1))
    controller = Controller(folder / "controller", {"models": {"meta": volume.meta}}, keep_ended=IN_MEMORY)
    closing.append(controller)
    closing.append(AgentDaemon(folder / "node", "node-a", [controller]))
    controller.wait_for_nodes(1)
    return controller


def spec_of(key):
    return {"volume": "models", "paths": ["weights"], "model": key}


def events_of(controller, prewarm_id):
    request = urllib.request.Request(f"http://127.0.0.1:{controller.http}/api/v1/prewarms/{prewarm_id}/events",
                                     headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def test_what_ended_is_known_after_many_others_and_after_a_restart(controller):
    keys = [f"key-{number}" for number in range(3 * IN_MEMORY)]
    ids = {}
    for key in keys:
        ids[key] = controller.create(spec_of(key), key=key)["id"]
        assert controller.wait(ids[key])["state"] == "succeeded"

    def listed():
        return [prewarm["id"] for prewarm in controller.call("GET", "/api/v1/prewarms")["prewarms"]]

    newest_first = [ids[key] for key in reversed(keys)]
    wait_for(lambda: listed() == newest_first[:IN_MEMORY], "the list to hold the newest only")
    for restarted in (False, True):
        if restarted:
            controller.kill()
            controller.start()
            controller.wait_for_nodes(1)
        for key in keys:
            assert controller.get(ids[key])["state"] == "succeeded"
            assert controller.create(spec_of(key), key=key)["id"] == ids[key], f"{key} was accepted again"
        oldest = ids[keys[0]]
        with pytest.raises(Problem, match="409.*key was used for another request"):
            controller.create(spec_of("another"), key=keys[0])
        assert controller.call("DELETE", f"/api/v1/prewarms/{oldest}")["state"] == "succeeded"
        assert events_of(controller, oldest).count("event: prewarm") == 1
        assert json.loads(controller.ctl("watch", "prewarm", oldest, "-o", "json"))["state"] == "succeeded"
        with pytest.raises(Problem, match="404"):
            controller.call("GET", f"/api/v1/prewarms/{oldest}", token="foreign-token")
        with pytest.raises(Problem, match="404"):
            controller.get("pw-00000000000000000000")
        assert listed() == newest_first[:IN_MEMORY]
