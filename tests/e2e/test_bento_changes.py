"""What follows when workloads change: a rolling update keeps both versions until the old one is gone, at zero replicas
the policy's nodes stay warm, and a plain Deployment is warm when its annotation says so."""

import pytest

from rig.bento_objects import bento, bento_deployment, bento_request, seeded, separate, workload
from rig.bento_world import BentoWorld, targets_of

OLD, NEW = "chat:k6v2x7m4kq3aq", "chat:m4kq3aqk6v2x7"
OLD_MODEL, NEW_MODEL = "ranker:hx7q2d5m6cxa3", "ranker:m6cxa3hx7q2d5"


@pytest.fixture
def world(folder, store_folder, redis, closing):
    return BentoWorld(folder, store_folder, redis, closing).with_two_nodes()


def policy(**keep_warm):
    """That no node is warmed because it is new, as all nodes of a test are, is what lets them be counted."""
    return {"apiVersion": "prewarm.dev/v1alpha1", "kind": "PrewarmPolicy", "metadata": {"name": "all"},
            "spec": {"keepWarm": keep_warm, "triggers": {"onNodeJoin": False}}}


def apply_version(world, tag, model):
    """The objects of one version of the deployment "chat", as the operators of Bento write them. A pod of it leaves
    only when its successor has a node."""
    name = tag.replace(":", "--")
    models = [{"tag": model, "size": "9Mi"}]
    request = bento_request(name, tag, models, annotations=separate())
    built = bento(name, tag, models, annotations=separate())
    deployment = bento_deployment("chat", name, minimum=2, maximum=2)
    made, autoscaler = workload(deployment, built, replicas=2)
    made["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    world.cluster.apply(request)
    world.cluster.patch_status("BentoRequest", name, seeded(request))
    world.cluster.apply([built, deployment, made, autoscaler])


def warm_nodes(world, tag):
    """The nodes that the unfinished prewarm of this version made warm; None: there is none."""
    ours = [one for one in world.unfinished() if one["spec"].get("model", "").endswith(f"/{tag}")]
    assert len(ours) <= 1, ours
    return {task["node"] for one in ours for task in one.get("status", {}).get("tasks", [])
            if task["state"] == "visible"} if ours else None


def pods_of(world, tag):
    version = tag.split(":")[1]
    return [pod for pod in world.pods() if pod["metadata"]["labels"]["yatai.ai/bento-version"] == version]


def test_both_versions_are_warm_while_both_run(world):
    with world.volume.mount() as root:
        world.seed(OLD_MODEL, root=root)
        truth = world.seed(NEW_MODEL, root=root)
    apply_version(world, OLD, OLD_MODEL)
    world.wait_for(lambda: len(world.bound_nodes()) == 2, "the old version to run")
    world.wait_for(lambda: warm_nodes(world, OLD) == {"gpu-a", "gpu-b"}, "the old version to be warm")

    # The new version waits: its pod fits nowhere until another node comes.
    apply_version(world, NEW, NEW_MODEL)
    world.wait_for(lambda: [pod for pod in pods_of(world, NEW) if not pod["spec"].get("nodeName")], "a pod that waits")
    world.wait_for(lambda: warm_nodes(world, NEW) == {"gpu-a", "gpu-b"}, "the nodes to be warm for both")
    assert warm_nodes(world, OLD) == {"gpu-a", "gpu-b"}
    assert len(pods_of(world, OLD)) == 2

    world.add_nodes("gpu-c")
    world.wait_for(lambda: not pods_of(world, OLD), "the old version to be gone")
    world.wait_for(lambda: warm_nodes(world, OLD) is None, "nothing to be kept for it")
    nodes = {pod["spec"]["nodeName"] for pod in pods_of(world, NEW)}
    world.wait_for(lambda: warm_nodes(world, NEW) >= nodes, "the nodes of the new version to be warm")
    world.store.cut_off()
    for node in nodes:
        world.reads_are_hits(node, NEW_MODEL, truth)


def test_at_zero_replicas_the_policy_says_how_many_nodes_stay_warm(world):
    world.cluster.apply(policy(minNodes=1, afterScaleDown="1s"))
    world.seed(OLD_MODEL)
    apply_version(world, OLD, OLD_MODEL)
    world.wait_for(lambda: len(world.bound_nodes()) == 2, "the deployment to run")
    world.wait_for(lambda: warm_nodes(world, OLD) == {"gpu-a", "gpu-b"}, "it to be warm")

    world.cluster.patch("Deployment", "chat", {"spec": {"replicas": 0}})
    world.wait_for(lambda: not world.pods(), "its pods to be gone")
    world.wait_for(lambda: [len(targets_of(one)) for one in world.unfinished()] == [1], "one node to stay")
    [prewarm] = world.unfinished()
    assert [target["signal"] for target in prewarm["spec"]["targets"]] == ["keep-warm"]
    world.wait_for(lambda: warm_nodes(world, OLD) == targets_of(prewarm), "the others to be let go")

    world.cluster.apply(policy(minNodes=0, afterScaleDown="1s"))
    world.wait_for(lambda: not world.unfinished(), "nothing to be kept any more")


def test_an_annotated_deployment_is_warm_where_it_runs(world):
    with world.volume.mount() as root:
        (root / "plain").mkdir()
        (root / "plain/weights.safetensors").write_bytes(b"w" * 5_000_000)
    world.cluster.apply({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "plain", "namespace": "default", "annotations": {"prewarm.dev/models": "models:plain"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "plain"}}, "template": {
            "metadata": {"labels": {"app": "plain"}},
            "spec": {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                     "containers": [{"name": "main", "image": "plain", "resources": {
                         "limits": {"nvidia.com/gpu": "1"}}}]}}}})
    world.wait_for(lambda: world.bound_nodes() and world.bound_nodes() <= world.visible_nodes(), "its node to be warm")
    world.cluster.patch("Deployment", "plain", {"spec": {"replicas": 2}})
    world.wait_for(lambda: len(world.bound_nodes()) == 2, "the second pod")
    world.wait_for(lambda: world.visible_nodes() == {"gpu-a", "gpu-b"}, "both nodes to be warm")
    [prewarm] = world.prewarms()
    assert prewarm["spec"]["workload"]["kind"] == "Deployment"
    assert prewarm["spec"]["paths"] == ["plain"]

    world.cluster.delete("Deployment", "plain")
    world.wait_for(lambda: not world.unfinished(), "nothing to be warm for what is gone")


def test_the_policy_tells_what_there_is_nothing_to_warm_for(world):
    name, models = NEW.replace(":", "--"), [{"tag": NEW_MODEL, "size": "9Mi"}]
    world.cluster.apply([policy(), bento(name, NEW, models), bento_deployment("inside", name), {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "lost", "namespace": "default", "annotations": {"prewarm.dev/models": "nowhere:x"}},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "lost"}}, "template": {
            "metadata": {"labels": {"app": "lost"}}, "spec": {"containers": [{"name": "main", "image": "none"}]}}}}])

    def resolved():
        return {one["type"]: one["status"] for one in status().get("conditions", [])}.get("ModelsResolved")

    def status():
        return world.cluster.get("PrewarmPolicy", "all").get("status", {})
    world.wait_for(lambda: resolved() == "False" and len(status()["notes"]) == 2, "both to be told of")
    lost, inside = status()["notes"]
    assert lost["workload"] == "Deployment lost" and lost["unresolved"] and "nowhere" in lost["message"], lost
    assert inside["workload"] == "BentoDeployment inside" and not inside["unresolved"], inside
    assert "image" in inside["message"], inside
    assert "Deployment lost" in world.cluster.kubectl("describe", "prewarmpolicy", "all")
    world.cluster.delete("Deployment", "lost")
    world.wait_for(lambda: resolved() == "True", "nothing to be lost any more")
