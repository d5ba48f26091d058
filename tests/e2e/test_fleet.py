"""A controller and two agents, a real S3 server, and the real client at the end: whatever way a prewarm
is submitted, with the bucket cut off every read is a hit."""

import json

import pytest

from rig.fleet import AgentDaemon, Controller, Problem
from rig.stores import S3Store
from rig.tree import MIB, contents, random_bytes
from rig.volume import Volume

NODES = ("node-a", "node-b")
MODELS = ("rest", "grpc", "cli")


class Fleet:
    """One volume with three models, a controller that knows it, and two nodes with empty caches."""

    def __init__(self, folder, store_folder, redis, closing, **controller):
        self.folder = folder
        self.store = S3Store(store_folder)
        closing.append(self.store)
        self.volume = Volume(folder / "volume", redis.new_database(), self.store)
        closing.append(self.volume)
        with self.volume.mount() as root:
            for number, model in enumerate(MODELS):
                (root / model).mkdir()
                (root / model / "config.json").write_text(f'{{"model": "{model}"}}')
                (root / model / "weights.safetensors").write_bytes(random_bytes(23 * MIB + 7, number))
            self.truth = {model: contents(root / model) for model in MODELS}
        self.controller = Controller(folder / "controller", {"models": {"meta": self.volume.meta}},
                                     **controller)
        closing.append(self.controller)
        self.agents = {}
        for name in NODES:
            self.agents[name] = AgentDaemon(folder / name, name, [self.controller],
                                            labels={"pool": "gpu", "name": name}, env=self.store.env)
            closing.append(self.agents[name])
        self.controller.wait_for_nodes(len(NODES))

    def reads_are_hits(self, node):
        self.volume.reads_are_hits(self.agents[node].cache_dir, self.truth)


@pytest.fixture
def fleet(folder, store_folder, redis, closing):
    return Fleet(folder, store_folder, redis, closing)


def test_every_way_to_submit_ends_in_hits_with_the_bucket_cut_off(fleet):
    controller = fleet.controller
    by_rest = controller.create({"volume": "models", "paths": ["rest"]})
    assert by_rest["state"] in ("running", "succeeded")
    by_cli = controller.ctl("warm", "models:cli", "--wait", "-o", "json")
    assert json.loads(by_cli)["state"] == "succeeded"
    by_grpc = json.loads(controller.ctl("warm", "models:grpc", "-o", "json"))
    for prewarm_id in (by_rest["id"], by_grpc["id"]):
        ended = controller.wait(prewarm_id)
        assert ended["state"] == "succeeded", ended
        assert {task["node"]: task["state"] for task in ended["tasks"]} == dict.fromkeys(NODES, "visible")
        assert ended["progress"]["visible_bytes"] == 2 * ended["progress"]["planned_bytes"] // 2
    fleet.store.cut_off()
    for node in NODES:
        fleet.reads_are_hits(node)


def test_a_second_prewarm_of_the_same_fetches_nothing(fleet):
    first = fleet.controller.wait(fleet.controller.create({"volume": "models"})["id"])
    again = fleet.controller.wait(fleet.controller.create({"volume": "models"})["id"])
    assert first["progress"]["fetched_bytes"] > 0
    assert again["state"] == "succeeded"
    assert again["progress"]["fetched_bytes"] == 0
    assert again["progress"]["visible_bytes"] == first["progress"]["visible_bytes"]


def test_a_selector_chooses_the_nodes(fleet):
    prewarm = fleet.controller.create(
        {"volume": "models", "paths": ["rest"], "nodes": {"labels": {"name": "node-b"}}})
    assert [task["node"] for task in prewarm["tasks"]] == ["node-b"]
    assert fleet.controller.wait(prewarm["id"])["state"] == "succeeded"
    assert not list(fleet.agents["node-a"].cache_dir.glob("*/raw/chunks/**/*_*"))


def test_the_plan_is_a_dry_run(fleet):
    plan = fleet.controller.call("POST", "/api/v1/prewarms:plan", {"spec": {"volume": "models"}})
    assert {action["node"] for action in plan["actions"]} == set(NODES)
    assert plan["files"] == 6
    assert plan["bytes"] >= 3 * 23 * MIB
    assert fleet.controller.call("GET", "/api/v1/prewarms")["prewarms"] == []


def test_an_idempotency_key_makes_it_the_same_prewarm(fleet):
    spec = {"volume": "models", "paths": ["rest"]}
    first = fleet.controller.create(spec, key="launch-7")
    assert fleet.controller.create(spec, key="launch-7")["id"] == first["id"]
    with pytest.raises(Problem) as refused:
        fleet.controller.create({**spec, "priority": 3}, key="launch-7")
    assert refused.value.status == 409
    # A namespace of its own has keys of its own.
    other = fleet.controller.create(spec, key="launch-7", token="foreign-token")
    assert other["id"] != first["id"]


def test_a_newer_prewarm_of_the_same_model_supersedes_the_older(fleet):
    fleet.store.cut_off()  # so that nothing ends by itself
    older = fleet.controller.create({"volume": "models", "paths": ["rest"], "model": "m"})
    newer = fleet.controller.create({"volume": "models", "paths": ["grpc"], "model": "m"})
    ended = fleet.controller.get(older["id"])
    assert ended["state"] == "superseded"
    assert ended["superseded_by"] == newer["id"]
    fleet.store.bring_back()
    assert fleet.controller.wait(newer["id"])["state"] == "succeeded"
    assert fleet.controller.get(older["id"])["state"] == "superseded"


BAD = [
    ("unknown volume", {"volume": "model"}, 400, "spec.volume", "did you mean models"),
    ("path", {"volume": "models", "paths": ["rest/nothing"]}, 400, "spec.paths", "rest"),
    ("labels", {"volume": "models", "nodes": {"labels": {"pool": "tpu"}}}, 400, "spec.nodes", "matches none"),
    ("node", {"volume": "models", "nodes": {"names": ["nowhere"]}}, 422, "spec.nodes", "nowhere"),
    ("deadline", {"volume": "models", "deadline": "2001-01-01T00:00:00Z"}, 400, "spec.deadline", "past"),
    ("priority", {"volume": "models", "priority": 1001}, 400, "spec.priority", "1000"),
    ("unknown field", {"volume": "models", "prioritty": 1}, 400, "spec.prioritty", "priority"),
]


def test_bad_input_is_one_problem_that_names_the_field(fleet):
    for what, spec, status, field, words in BAD:
        with pytest.raises(Problem) as refused:
            fleet.controller.create(spec)
        document = refused.value.document
        assert refused.value.status == status, (what, document)
        assert field in [error["field"] for error in document["errors"]], (what, document)
        assert words in json.dumps(document), (what, document)
    with pytest.raises(Problem) as refused:
        fleet.controller.call("POST", "/api/v1/prewarms", {"spec": {}, "bento": "chat:v1"})
    assert refused.value.status == 400 and "no Kubernetes cluster" in str(refused.value), refused.value
    assert fleet.controller.call("GET", "/api/v1/prewarms")["prewarms"] == []


def test_another_namespace_does_not_see_the_prewarm(fleet):
    mine = fleet.controller.create({"volume": "models", "paths": ["rest"]})
    for method in ("GET", "DELETE"):
        with pytest.raises(Problem) as refused:
            fleet.controller.call(method, f"/api/v1/prewarms/{mine['id']}", token="foreign-token")
        assert refused.value.status == 404
    assert fleet.controller.call("GET", "/api/v1/prewarms", token="foreign-token")["prewarms"] == []


def test_a_cancelled_prewarm_ends_and_stays_so(fleet):
    fleet.store.cut_off()
    prewarm = fleet.controller.create({"volume": "models"})
    fleet.controller.call("DELETE", f"/api/v1/prewarms/{prewarm['id']}")
    assert fleet.controller.get(prewarm["id"])["state"] == "cancelled"
    fleet.store.bring_back()
    again = fleet.controller.call("DELETE", f"/api/v1/prewarms/{prewarm['id']}")
    assert again["state"] == "cancelled"
