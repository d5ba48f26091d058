"""Volumes as objects of the cluster: a PrewarmVolume and the Secret that it names are all that an operator writes, its
status says how the volume is, and a prewarm on it fills the cache of the real client."""

import pytest

from rig.cluster_world import API, ClusterWorld, prewarm
from rig.cluster_world import NAMESPACE as OURS
from rig.fleet import Controller
from rig.process import wait_for
from rig.tree import MIB
from rig.volume import Redis

FIRST, SECOND = "the-first-word", "the-second-word"  # passwords, which nothing may show


def volume(name="models", **spec):
    return {"apiVersion": API, "kind": "PrewarmVolume", "metadata": {"name": name},
            "spec": spec or {"metaSecretRef": {"name": "models-volume"}}}


class World(ClusterWorld):
    def __init__(self, folder, store_folder, closing):
        self.redis = Redis(folder / "redis")
        closing.append(self.redis)
        self.set_password(FIRST)
        super().__init__(folder, store_folder, self.redis, closing, audit=True)
        self.truth = self.seed_tree()
        self.controller = self.closed(Controller(folder / "controller", {},
                                                 kubeconfig=self.cluster.kubeconfig(namespace=OURS)))

    def add_agent(self):
        self.agent = self.start_agent("node-a", [self.controller])
        self.controller.wait_for_nodes(1)

    def set_password(self, word):
        self.redis.cli("ACL", "SETUSER", "warmer", "reset", "on", f">{word}", "~*", "&*", "+@all")

    def write_secret(self, password, name="models-volume"):
        url = self.volume.meta.replace("redis://", f"redis://warmer:{password}@")
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
                            "stringData": {"metaurl": url}}, OURS)

    def ready(self, name="models"):
        status = self.cluster.get("PrewarmVolume", name).get("status", {})
        found = [one for one in status.get("conditions", []) if one["type"] == "Ready"]
        return found[0] if found else {"status": "", "reason": "", "message": ""}

    def wait_for_ready(self, status, reason, name="models", seconds=60):
        def is_so():
            now = self.ready(name)
            return now if now["status"] == status and now["reason"] == reason else None
        try:
            return wait_for(is_so, f"volume {name} to be {status} because of {reason}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.ready(name)}\n{self.controller.child.output()}") from None

    def state(self, name):
        return self.cluster.get("Prewarm", name).get("status", {}).get("state")

    def names(self):
        return [one["name"] for one in self.controller.call("GET", "/api/v1/volumes")["volumes"]]

    def said(self):
        """Everything that anybody could read: objects without Secrets, and the log."""
        objects = [one for kind in ("PrewarmVolume", "Prewarm", "events.k8s.io/v1/Event")
                   for one in self.cluster.list(kind)]
        logs = "".join(path.read_text() for path in self.controller.folder.glob("*.log"))
        return str(objects) + logs


@pytest.fixture
def world(folder, store_folder, closing):
    return World(folder, store_folder, closing)


def test_an_applied_volume_is_read_by_its_secret_and_prewarms_on_it_are_served(world):
    world.add_agent()
    world.cluster.apply(prewarm("mine"))  # before its volume, as one file may have them in any order
    world.write_secret(FIRST)
    world.cluster.apply(volume())
    world.wait_for_ready("True", "MetadataRead")
    status = world.cluster.get("PrewarmVolume", "models")["status"]
    assert status["formatName"] == "models" and status["blockSize"] == 4 * MIB, status
    assert len(status["uuid"]) == 36 and status["observedGeneration"] == 1, status
    wait_for(lambda: world.state("mine") in ("succeeded", "failed"), "the prewarm to end", 60)
    assert world.state("mine") == "succeeded"
    world.store.cut_off()
    world.volume.reads_are_hits(world.agent.cache_dir, {"m": world.truth})
    assert world.controller.child.running() and FIRST not in world.said()


def test_a_rotated_password_is_taken_from_the_secret(world):
    world.add_agent()
    world.write_secret(FIRST)
    world.cluster.apply(volume())
    world.wait_for_ready("True", "MetadataRead")
    world.cluster.apply(prewarm("kept", keep=True))
    wait_for(lambda: world.state("kept") == "warm", "the prewarm to be warm", 60)
    world.set_password(SECOND)
    world.redis.cli("CLIENT", "KILL", "USER", "warmer")
    refused = world.wait_for_ready("False", "AccessDenied", seconds=120)
    assert FIRST not in refused["message"], refused
    world.write_secret(SECOND)
    world.wait_for_ready("True", "MetadataRead", seconds=90)
    world.cluster.apply(prewarm("later", model="another"))
    wait_for(lambda: world.state("later") in ("succeeded", "failed"), "the prewarm to end", 60)
    assert world.state("later") == "succeeded" and world.state("kept") in ("warm", "running")
    assert FIRST not in world.said() and SECOND not in world.said()


def test_what_is_wrong_with_a_volume_is_one_condition(world):
    world.cluster.apply([volume(), volume("away", meta="redis://127.0.0.1:1/1"),
                         volume("empty", meta=world.redis.new_database()),
                         volume("text", metaSecretRef={"name": "text"})])
    world.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "text"},
                         "stringData": {"metaurl": f"redis://:{FIRST}/with a slash@nowhere"}}, OURS)
    missing = world.wait_for_ready("False", "SecretMissing")
    assert "key metaurl of Secret prewarm-system/models-volume" in missing["message"], missing
    world.wait_for_ready("False", "MetadataUnreachable", "away")
    world.wait_for_ready("False", "NotAVolume", "empty")
    world.wait_for_ready("False", "Invalid", "text")
    world.write_secret(FIRST)
    world.wait_for_ready("True", "MetadataRead")
    assert FIRST not in world.said()
    header, *rows = world.cluster.kubectl("get", "prewarmvolumes").splitlines()
    assert header.split()[:3] == ["NAME", "READY", "REASON"]
    assert ["away", "False", "MetadataUnreachable"] in [row.split()[:3] for row in rows], rows


def test_a_volume_of_the_file_wins_and_the_object_says_so(world):
    world.controller.child.stop()
    world.controller.settings["volumes"] = {"models": {"meta": world.volume.meta}}
    world.controller.start()
    world.cluster.apply(volume("models", meta="redis://127.0.0.1:1/1"))
    assert "configuration" in world.wait_for_ready("False", "DefinedInFile")["message"]
    world.cluster.delete("PrewarmVolume", "models")
    assert world.controller.call("GET", "/api/v1/volumes/models")["reachable"]


def test_a_deleted_volume_is_none_any_more(world):
    world.write_secret(FIRST)
    world.cluster.apply(volume())
    world.wait_for_ready("True", "MetadataRead")
    assert world.names() == ["models"]
    world.cluster.delete("PrewarmVolume", "models")
    wait_for(lambda: world.names() == [], "the volume to be forgotten", 30)


def test_at_rest_nothing_is_written_and_secrets_are_only_read_by_name(world):
    world.write_secret(FIRST)
    world.cluster.apply(volume())
    world.wait_for_ready("True", "MetadataRead")
    version = world.cluster.get("PrewarmVolume", "models")["metadata"]["resourceVersion"]
    read = lambda: [one for one in world.cluster.audit_events() if one["verb"] == "get"  # noqa: E731
                    and one.get("objectRef", {}).get("resource") == "secrets"]
    before = len(read())
    wait_for(lambda: len(read()) > before, "the Secret to be read again", 120)
    assert world.cluster.get("PrewarmVolume", "models")["metadata"]["resourceVersion"] == version
    asked = {one["verb"] for one in world.cluster.audit_events()
             if one.get("objectRef", {}).get("resource") == "secrets"
             and one.get("userAgent", "").startswith("prewarm-controller")}
    assert asked == {"get"}, asked


def test_a_policy_says_whether_it_holds_and_for_how_many_workloads(world):
    def deployment(name, **labels):
        pod = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        return {"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": name, "labels": labels, "annotations": {"prewarm.dev/models": "models:m"}},
                "spec": {"selector": {"matchLabels": {"app": name}}, "template": pod}}

    def policy(name, **spec):
        return {"apiVersion": API, "kind": "PrewarmPolicy", "metadata": {"name": name}, "spec": spec}

    world.cluster.apply([deployment("chat", team="nlp"), deployment("rank", team="nlp"), policy("all"),
                         policy("nlp", selector={"matchLabels": {"team": "nlp"}}),
                         policy("none", selector={"matchLabels": {"team": "nobody"}})])

    def rows():
        return {row.split()[0]: (row.split()[5], row.split()[6])
                for row in world.cluster.kubectl("get", "prewarmpolicies").splitlines()[1:] if len(row.split()) > 7}
    wanted = {"all": ("0", "Overruled"), "nlp": ("2", "Holds"), "none": ("0", "NoWorkload")}
    wait_for(lambda: rows() == wanted, f"the policies to say {wanted}, not {rows()}", 60)
    versions = {one["metadata"]["resourceVersion"] for one in world.cluster.list("PrewarmPolicy")}
    world.write_secret(FIRST)
    world.cluster.apply(volume())
    world.wait_for_ready("True", "MetadataRead")
    assert {one["metadata"]["resourceVersion"] for one in world.cluster.list("PrewarmPolicy")} == versions
