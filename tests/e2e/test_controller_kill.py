"""The controller is killed at any moment under constant submission: whatever it accepted is there
afterwards, ends, and ends in one way only; what an agent finished is not done again.

PREWARM_KILL_ROUNDS says how many rounds (default 200), PREWARM_SEED repeats a run.
"""

import os
import random
import shutil
import time

import pytest

import conftest
from rig.fleet import FINAL, AgentDaemon, Controller
from rig.process import Child, wait_for
from rig.stores import FileStore
from rig.submitter import Submitter, end_all
from rig.tree import random_bytes
from rig.volume import Volume

ROUNDS = int(os.environ.get("PREWARM_KILL_ROUNDS", "200"))
SEED = int(os.environ.get("PREWARM_SEED", time.time_ns() % 1_000_000))
MODELS = 8
# Before it is killed it enters one of these the K-th time: the commit's sync, the WAL's write, and
# whatever is said to agents and callers.
SYSTEM_CALLS = ("fdatasync", "pwrite64", "sendmsg")


@pytest.fixture
def fleet(folder, redis, closing):
    store = FileStore(folder / "store")
    volume = Volume(folder / "volume", redis.new_database(), store)
    closing.append(volume)
    with volume.mount() as root:
        for number in range(MODELS):
            (root / f"model-{number}").mkdir()
            (root / f"model-{number}" / "weights").write_bytes(random_bytes(300_000, number))
    # More than are made: the list is to show all of them.
    controller = Controller(folder / "controller", {"models": {"meta": volume.meta}}, lease="200ms",
                            keep_ended=1_000_000)
    closing.append(controller)
    agent = AgentDaemon(folder / "node", "node-a", [controller])
    closing.append(agent)
    controller.wait_for_nodes(1)
    return controller, agent


def model_of(key, count):
    return {"volume": "models", "paths": [f"model-{count % MODELS}"], "model": key}


def everything(controller):
    """All prewarms by id, page by page."""
    prewarms, token = {}, ""
    while True:
        page = controller.call("GET", f"/api/v1/prewarms?page_size=500&page_token={token}")
        prewarms.update((prewarm["id"], prewarm) for prewarm in page["prewarms"])
        token = page.get("next_page_token", "")
        if not token:
            return prewarms


def test_nothing_accepted_is_lost_and_everything_ends_once(fleet):
    controller, _ = fleet
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    submitters = [Submitter([controller], number, model_of) for number in range(3)]
    for submitter in submitters:
        submitter.start()
    ended = {}  # id -> final state, the first time it was seen
    at_calls = 0
    for number in range(ROUNDS):
        if shutil.which("strace") and number % 2:
            at_calls += kill_at_a_system_call(controller, chance)
        else:
            time.sleep(chance.uniform(0.0, 0.15))  # the moment of the kill is what is drawn
            controller.kill()
        controller.start()
        if number % 10 == 9:
            wait_for(lambda: sum(len(one.accepted) for one in submitters) > number, "submissions to go on")
            check_ends(controller, ended)
    accepted = end_all(submitters)
    wait_for(lambda: all(prewarm["state"] in FINAL for prewarm in everything(controller).values()),
             "every prewarm to end", 120)
    check_ends(controller, ended)
    known = everything(controller)
    lost = [prewarm for prewarm in accepted.values() if prewarm not in known]
    assert not lost, f"seed {SEED}: {len(lost)} of {len(accepted)} accepted prewarms are gone"
    assert len(set(accepted.values())) == len(accepted), "two keys, one prewarm"
    not_warm = [known[prewarm] for prewarm in accepted.values() if known[prewarm]["state"] != "succeeded"]
    assert not not_warm, not_warm[:3]
    unanswered = sum(submitter.unanswered for submitter in submitters)
    conftest.SUMMARY.append(f"controller kill -9: {ROUNDS} rounds ({at_calls} at a chosen system call), "
                            f"{len(accepted)} prewarms accepted, {unanswered} requests cut, 0 lost")
    # The kills hit while callers were being served, or this has proved nothing.
    assert unanswered > ROUNDS / 4
    assert len(accepted) > ROUNDS


def kill_at_a_system_call(controller, chance):
    """Lets the controller die on entering a chosen system call; 1 if it really did."""
    call, count = chance.choice(SYSTEM_CALLS), chance.randint(1, 20)
    log = controller.folder / "strace.log"
    tracer = Child(["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                    "-e", f"inject={call}:signal=SIGKILL:when={count}", "-p", controller.child.process.pid],
                   log)
    deadline = time.monotonic() + 3
    while controller.child.running() and time.monotonic() < deadline:
        time.sleep(0.01)
    died = not controller.child.running()
    tracer.stop()
    controller.kill()
    return int(died)


def check_ends(controller, ended):
    known = everything(controller)
    for prewarm_id, state in ended.items():
        assert prewarm_id in known, f"{prewarm_id} had ended as {state} and is gone"
        assert known[prewarm_id]["state"] == state
    ended.update({prewarm_id: prewarm["state"] for prewarm_id, prewarm in known.items()
                  if prewarm["state"] in FINAL})
