"""Prewarms as objects of the cluster: what users apply is accepted or refused in its status, what comes over the API is
an object, too, and deleting one cancels it."""

import pytest

from rig.cluster_world import NAMESPACE, ClusterWorld, prewarm
from rig.fleet import Controller
from rig.kube_api import ApiError
from rig.process import wait_for
from rig.tree import MIB


class World(ClusterWorld):
    def __init__(self, folder, store_folder, redis, closing):
        super().__init__(folder, store_folder, redis, closing)
        self.truth = self.seed_tree()
        self.controller = self.closed(Controller(folder / "controller", {"models": {"meta": self.volume.meta}},
                                                 kubeconfig=self.cluster.kubeconfig(namespace=NAMESPACE)))
        self.agent = self.start_agent("node-a", [self.controller])
        self.controller.wait_for_nodes(1)

    def status(self, name):
        return self.cluster.get("Prewarm", name).get("status", {})

    def wait_for_state(self, name, *states, seconds=60):
        wait_for(lambda: self.status(name).get("state") in states, f"prewarm {name} to be {states}", seconds)
        return self.status(name)


@pytest.fixture
def world(folder, store_folder, redis, closing):
    return World(folder, store_folder, redis, closing)


def test_an_applied_prewarm_is_done_and_tells_so(world):
    world.cluster.apply(prewarm("mine"))
    status = world.wait_for_state("mine", "succeeded", "failed")
    assert status["state"] == "succeeded" and status["nodesVisible"] == status["nodesTotal"] == 1, status
    world.store.cut_off()
    world.volume.reads_are_hits(world.agent.cache_dir, {"m": world.truth})


def test_what_cannot_be_done_is_refused_in_its_status(world):
    world.cluster.apply(prewarm("elsewhere", volume="nowhere"))
    world.cluster.apply(prewarm("astray", paths=["not/there"]))
    status = world.wait_for_state("elsewhere", "failed")
    assert status["reason"] == "Refused" and "nowhere" in status["message"], status
    status = world.wait_for_state("astray", "failed")
    assert "not/there" in status["message"], status


def test_what_comes_over_the_api_is_an_object(world):
    made = world.controller.create({"volume": "models", "paths": ["m"]})
    assert made["id"].startswith("default.pw-"), made["id"]
    assert world.controller.wait(made["id"])["state"] == "succeeded"
    assert world.status(made["id"].removeprefix("default."))["state"] == "succeeded"


def test_deleting_the_object_cancels(world):
    world.cluster.apply(prewarm("kept", keep=True))
    world.wait_for_state("kept", "warm")
    world.cluster.delete("Prewarm", "kept")
    cancelled = world.controller.wait("default.kept")
    assert cancelled["state"] == "cancelled", cancelled


def test_a_new_leader_goes_on_with_what_the_objects_say(world):
    world.cluster.apply(prewarm("kept", keep=True))
    world.wait_for_state("kept", "warm")
    epoch = world.status("kept")["epoch"]
    world.controller.kill()
    world.cluster.apply(prewarm("later", model="another"))
    world.controller.start()
    assert world.wait_for_state("later", "succeeded", "failed")["state"] == "succeeded"
    wait_for(lambda: world.status("kept")["epoch"] > epoch, "the new leader's mark", 30)
    assert world.status("kept")["state"] in ("running", "warm")


def conditions(status):
    return {one["type"]: f"{one['status']} {one['reason']}" for one in status.get("conditions", [])}


def test_conditions_events_and_columns_tell_the_story(world):
    world.cluster.apply(prewarm("mine", deadline="2199-01-01T00:00:00Z"))
    world.cluster.apply(prewarm("elsewhere", volume="nowhere"))
    status = world.wait_for_state("mine", "succeeded", "failed")
    assert conditions(status) == {
        "Accepted": "True Accepted", "Stored": "True AllStored", "Visible": "True AllVisible",
        "Complete": "True AllVisible", "Failed": "False NotFailed", "OnTime": "True Met"}, status["conditions"]
    assert status["observedGeneration"] == 1 and status["progress"]["stored"] == "100%", status
    assert status["progress"]["visibleBytes"] == status["progress"]["plannedBytes"] == 13 * MIB
    refused = world.wait_for_state("elsewhere", "failed")
    assert conditions(refused)["Accepted"] == "False Refused" and conditions(refused)["Failed"] == "True Refused"

    def events(name):
        return {one["reason"] for one in world.cluster.list("events.k8s.io/v1/Event", "default")
                if one["regarding"]["name"] == name and one["regarding"]["uid"]}
    wait_for(lambda: events("mine") == {"Accepted", "Succeeded"} and events("elsewhere") == {"Refused"},
             f"the events, not {events('mine')} and {events('elsewhere')}", 30)
    header, *rows = world.cluster.kubectl("get", "prewarms").splitlines()
    assert header.split()[:6] == ["NAME", "STATE", "STORED", "VISIBLE", "NODES", "VOLUME"]
    assert ["mine", "succeeded", "100%", "1", "1", "models"] in [row.split()[:6] for row in rows], rows
    world.cluster.kubectl("wait", "--for=condition=Complete", "prewarm/mine", "--timeout=10s")


def test_how_urgent_a_prewarm_is_may_be_edited_and_nothing_else(world):
    world.cluster.apply(prewarm("kept", keep=True))
    world.wait_for_state("kept", "warm")
    world.cluster.patch("Prewarm", "kept", {"spec": {"priority": 77, "deadline": "2199-01-01T00:00:00Z"}})
    wait_for(lambda: world.controller.get("default.kept")["spec"]["priority"] == 77, "the edit to be taken in", 30)
    wait_for(lambda: world.status("kept")["observedGeneration"] == 2, "the status to be about the edit", 30)
    assert world.cluster.get("Prewarm", "kept")["spec"]["priority"] == 77
    with pytest.raises(ApiError, match="make another one"):
        world.cluster.patch("Prewarm", "kept", {"spec": {"paths": ["n"]}})
    world.controller.kill()
    world.controller.start()
    assert world.controller.get("default.kept")["spec"]["priority"] == 77


def test_what_a_leader_made_and_did_not_accept_is_made_away_with(world):
    workload = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat", "uid": "0-0"}
    orphan = prewarm("orphan", workload=workload)
    world.cluster.apply({**orphan, "metadata": {
        "name": "orphan", "labels": {"app.kubernetes.io/managed-by": "prewarm-controller"}}})
    world.cluster.apply(prewarm("mine", workload=workload))
    wait_for(lambda: world.cluster.find("Prewarm", "orphan") is None, "the orphan to be gone", 30)
    refused = world.wait_for_state("mine", "failed")
    assert "only written by the controller" in refused["message"], refused


def test_numbers_are_written_rarely(world):
    """A slow prewarm: many reports of its agent, few writes of its status."""
    world.controller.child.stop()
    world.controller.settings["fleet"]["node-download-limit"] = "4"
    world.controller.start()
    world.controller.wait_for_nodes(1)
    world.cluster.apply(prewarm("slow"))
    versions = set()

    def ended():
        found = world.cluster.get("Prewarm", "slow")
        versions.add(found["metadata"]["resourceVersion"])
        return found.get("status", {}).get("state") in ("succeeded", "failed")
    wait_for(ended, "the slow prewarm to end", 120)
    took = world.status("slow")
    assert took["state"] == "succeeded", took
    assert 3 <= len(versions) <= 12, f"{len(versions)} versions were seen of 26 seconds"
