"""Prewarms as objects of the cluster: what users apply is accepted or refused in its status, what comes over the API is
an object, too, and deleting one cancels it."""

import pathlib

import pytest

from rig.fleet import AgentDaemon, Controller
from rig.kube import Cluster
from rig.process import wait_for
from rig.stores import S3Store
from rig.tree import MIB, contents, random_bytes
from rig.volume import Volume

CRDS = pathlib.Path(__file__).parents[2] / "deploy/kubernetes/base/crds"


def prewarm(name, **spec):
    return {"apiVersion": "prewarm.dev/v1alpha1", "kind": "Prewarm", "metadata": {"name": name},
            "spec": {"volume": "models", "paths": ["m"], **spec}}


class World:
    def __init__(self, folder, store_folder, redis, closing):
        self.folder = folder
        self.cluster = Cluster(folder / "cluster")
        closing.append(self.cluster)
        self.store = S3Store(store_folder)
        closing.append(self.store)
        self.volume = Volume(folder / "volume", redis.new_database(), self.store)
        closing.append(self.volume)
        for path in CRDS.glob("*s.yaml"):
            self.cluster.apply(path)
        self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prewarm-system"}})
        with self.volume.mount() as root:
            (root / "m").mkdir()
            (root / "m/weights.safetensors").write_bytes(random_bytes(13 * MIB, 1))
            self.truth = contents(root / "m")
        self.controller = Controller(folder / "controller", {"models": {"meta": self.volume.meta}},
                                     kubeconfig=self.cluster.kubeconfig(namespace="prewarm-system"))
        closing.append(self.controller)
        self.agent = AgentDaemon(folder / "node-a", "node-a", [self.controller], env=self.store.env)
        closing.append(self.agent)
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
    mount = world.volume.mount(world.agent.cache_dir)
    assert contents(mount.path / "m") == world.truth
    assert mount.counters()["blockcache_miss"] == 0


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
