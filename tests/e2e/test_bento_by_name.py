"""A prewarm that somebody asks for by the name of a Bento, over the CLI and REST, with no workload of it in the
cluster; and why a Bento is refused."""

import json
import pathlib

import pytest

from rig import bento_store
from rig.bento_objects import bento, bento_request, seeded, separate
from rig.bento_world import BentoWorld
from rig.fleet import Problem
from rig.tree import contents

TAG, MORE = "ranker:hx7q2d5m6cxa3", "embedder:m2c4k6v8x0z2b"
BENTO, NAME = "chat:k6v2x7m4kq3aq", "chat--k6v2x7m4kq3aq"
MODELS = [{"tag": TAG, "size": "2Mi"}, {"tag": MORE, "size": "2Mi"}]


@pytest.fixture
def world(folder, store_folder, redis, closing):
    return BentoWorld(folder, store_folder, redis, closing).with_two_nodes()


def refusal(world, name, spec=None):
    with pytest.raises(Problem) as caught:
        world.controllers[0].call("POST", "/api/v1/prewarms", {"spec": spec or {}, "bento": name})
    problem = caught.value
    return problem.status, problem.document["type"].removeprefix("urn:prewarm:problem:"), json.dumps(problem.document)


def known(world, name):
    """Asked with a dry run, which begins nothing while the answer is still to come."""
    try:
        world.controllers[0].call("POST", "/api/v1/prewarms:plan", {"spec": {}, "bento": name})
    except Problem as problem:
        return problem.document["type"].rpartition(":")[2] not in ("cluster-unknown", "unknown-bento")
    return True


def wait_until_known(world, name):
    world.wait_for(lambda: known(world, name), f"{name} to be known")


def test_a_bento_is_warmed_by_its_name(world):
    controller = world.controllers[0]
    request = bento_request(NAME, BENTO, MODELS, annotations=separate())
    world.cluster.apply(request)
    truth = {TAG: world.seed(TAG, megabytes=2), MORE: world.seed(MORE, megabytes=2, complete=False)}
    wait_until_known(world, NAME)
    status, problem, words = refusal(world, BENTO)
    assert (status, problem) == (422, "bento-not-ready") and MORE in words and TAG not in words, words
    assert world.prewarms() == [], "nothing half-done"

    with world.volume.mount() as root:
        (bento_store.directory_of(root, MORE) / ".exists").touch()
        truth[MORE] = contents(bento_store.directory_of(root, MORE))
    world.cluster.patch_status("BentoRequest", NAME, seeded(request))
    plan = json.loads(controller.ctl("warm", "--bento", BENTO, "--nodes", "gpu-a", "--dry-run", "-o", "json"))
    assert plan["spec"]["volume"] == "models", plan
    assert {pathlib.PurePath(path).parent for path in plan["spec"]["paths"]} == {
        bento_store.directory_of("", TAG), bento_store.directory_of("", MORE)}, plan
    assert world.prewarms() == [], "that was only a question"
    words = ("warm", "--bento", BENTO, "--nodes", "gpu-a", "--idempotency-key", "first", "-o", "json")
    accepted = json.loads(controller.ctl(*words, "--wait"))
    assert accepted["state"] == "succeeded", accepted
    assert accepted["spec"]["model"] == f"bento/{BENTO}" and accepted["spec"]["paths"] == plan["spec"]["paths"], accepted
    [prewarm] = world.prewarms()
    assert prewarm["spec"]["paths"] == plan["spec"]["paths"] and "workload" not in prewarm["spec"], prewarm

    # The key stands for what was asked, also once the Bento is gone.
    world.cluster.delete("BentoRequest", NAME)
    world.wait_for(lambda: not known(world, NAME), "the BentoRequest to be gone")
    assert refusal(world, NAME)[1] == "unknown-bento"
    assert json.loads(controller.ctl(*words))["id"] == accepted["id"]
    with pytest.raises(Problem) as other:
        controller.call("POST", "/api/v1/prewarms", {"spec": {}, "bento": NAME, "idempotency_key": "first"})
    assert other.value.status == 409

    world.store.cut_off()
    for tag in (TAG, MORE):
        world.reads_are_hits("gpu-a", tag, truth[tag])


def test_why_a_bento_cannot_be_warmed_by_its_name(world):
    world.cluster.apply([bento(NAME, BENTO, MODELS), bento("empty--v1", "empty:v1", annotations=separate()),
                         bento_request("evil--v1", "evil:v1", [{"tag": "../..:v1"}], annotations=separate())])
    for tag in (BENTO, "empty:v1", "evil:v1"):
        wait_until_known(world, tag)
    assert refusal(world, "chat--k6v2x7m4kq3aw")[:2] == (400, "unknown-bento")
    assert f"did you mean {NAME}?" in refusal(world, "chat--k6v2x7m4kq3aw")[2]
    status, problem, words = refusal(world, BENTO)
    assert (status, problem) == (422, "nothing-to-warm") and "the image carries its models" in words, words
    status, problem, words = refusal(world, "empty:v1")
    assert (status, problem) == (422, "nothing-to-warm") and "lists none" in words, words
    status, problem, words = refusal(world, "evil:v1")
    assert (status, problem) == (422, "bento-not-ready") and "not" in words, words
    status, problem, words = refusal(world, BENTO, {"volume": "models"})
    assert (status, problem) == (400, "invalid-field") and "spec.volume" in words, words
    assert world.controllers[0].ctl("warm", "--bento", BENTO, expect=1) == ""
    assert world.prewarms() == []
