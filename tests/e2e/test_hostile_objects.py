"""Objects that somebody made to hurt, or that nobody thought of: each is refused with a reason where its owner sees it, or
taken as far as it is right; memory stays bounded and the others are warm as ever."""

import pytest

from rig.bento_objects import GPU_TOLERATION, bento_deployment, bento_request, seeded, separate
from rig.bento_world import BentoWorld, targets_of
from rig.kube_api import ApiError

MIB = 1 << 20
NEARLY_AS_LARGE_AS_ETCD_TAKES = 14 * MIB // 10
GOOD_TAG = "ranker:hx7q2d5m6cxa3"
GOOD = [{"tag": GOOD_TAG, "size": "2Mi"}]
# All that a name of Kubernetes may hold, and as long as it may be.
LONG_NAME = ("a-b.c0.9-z-" * 23)[:252] + "x"
MOST_GROWTH = 120 * MIB


@pytest.fixture
def world(folder, store_folder, redis, closing):
    world = BentoWorld(folder, store_folder, redis, closing, with_scheduling=False)
    world.start_controller(volume={"namespaces": ["default"]})
    world.add_nodes("node-a", gpus=1)
    world.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stranger"}})
    return world


def apply_bento(world, name, models, *, annotations=None, namespace="default", **spec):
    """A deployment of a bento of its own, whose models are on the volume as far as the builder says."""
    request = bento_request(f"{name}--v1"[-253:], f"{name[:60]}:v1", models, annotations=annotations or separate(),
                            namespace=namespace)
    deployment = bento_deployment(name, request["metadata"]["name"], namespace=namespace, **spec)
    world.cluster.apply([request, deployment], strict=False)
    world.cluster.patch_status("BentoRequest", request["metadata"]["name"], seeded(GOOD_REQUEST), namespace)


GOOD_REQUEST = bento_request("good", "good:v1", GOOD)


def with_unknown_field(size):
    return {"tolerations": [GPU_TOLERATION], "affinity": {"unknown": {"field": "x" * size}}}


def annotated(name, models, namespace="default"):
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "annotations": {"prewarm.dev/models": models}},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "plain"}]}}}}


def resident(child):
    with open(f"/proc/{child.process.pid}/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def warm_of(world, name):
    return [one for one in world.prewarms() if one["spec"].get("workload", {}).get("name") == name
            and [task["state"] for task in one.get("status", {}).get("tasks", [])] == ["visible"]]


def test_who_asks_for_what_is_not_his_is_told_so(world):
    cluster = world.cluster
    apply_bento(world, "climbs", [{"tag": "../..:v1"}])
    apply_bento(world, "climbs-by-tenant", GOOD, annotations=separate("../other"))
    apply_bento(world, "no-version", [{"tag": "ranker:latest"}])
    apply_bento(world, "control", [{"tag": "ran\u0007ker:v1"}])
    apply_bento(world, "stranger", GOOD, namespace="stranger")
    apply_bento(world, "shapeless", GOOD, extraPodSpec={"affinity": {"nodeAffinity": "everywhere"}})
    cluster.apply(annotated("climbs-plainly", "models:../../etc"))
    cluster.apply(annotated("names-too-much", ",".join(f"models:m{number}" for number in range(1000))))
    cluster.apply(annotated("elsewhere", "nowhere:m"))
    cluster.apply(annotated("stranger-plainly", "models:plain", "stranger"))
    refused = [("climbs", "default", "BadName", '"../..:v1"'), ("climbs-by-tenant", "default", "BadName", "../other"),
               ("no-version", "default", "BadName", "latest"), ("control", "default", "BadName", "ran?ker"),
               ("stranger", "stranger", "NotAllowed", "models"),
               ("shapeless", "default", "BadWorkload", "nodeAffinity"),
               ("climbs-plainly", "default", "BadName", ".."), ("names-too-much", "default", "BadObject", "64"),
               ("elsewhere", "default", "UnknownVolume", "nowhere"),
               ("stranger-plainly", "stranger", "NotAllowed", "models")]
    for name, namespace, reason, words in refused:
        world.wait_for(lambda name=name, namespace=namespace, reason=reason: world.told(name, reason, namespace),
                 f"{name} to be told {reason}; it was told {world.told(name, None, namespace)}", 30)
        notes = world.told(name, reason, namespace)
        assert any(words in note for note in notes), (name, notes)
        assert all(len(note) <= 1024 for note in notes), name
    names = {one["spec"]["workload"]["name"] for one in cluster.list("Prewarm")}
    assert not names & {name for name, _, _, words in refused if name not in ("shapeless", "names-too-much")}, names


def test_size_and_strangeness_hurt_nobody(world):
    awkward = "awkward:v1"
    with world.volume.mount() as root:
        world.seed(GOOD_TAG, megabytes=2, root=root)
        world.seed(awkward, megabytes=1, root=root)
        directory = root / "models/.shared/awkward/v1"
        for letter in [chr(code) for code in range(1, 128) if code != ord("/")] + ["é", "模", "\u202e", "😀"]:
            (directory / f"f{letter}").write_bytes(letter.encode() * 100)
    apply_bento(world, "before", GOOD)
    world.wait_for(lambda: warm_of(world, "before"), "a good one to be warm", 60)
    before = resident(world.controllers[0].child)

    size = NEARLY_AS_LARGE_AS_ETCD_TAKES
    apply_bento(world, "many-models", [{"tag": f"model-{number}:v1"} for number in range(size // 30)])
    apply_bento(world, "many-variables", GOOD, envs=[
        {"name": f"VARIABLE_{number}", "value": "v" * 1000} for number in range(size // 1060)])
    for number in range(10):
        apply_bento(world, f"large-{number}", GOOD, extraPodSpec=with_unknown_field(size))
    apply_bento(world, LONG_NAME, GOOD)
    apply_bento(world, "awkward", [{"tag": awkward, "size": "1Mi"}])
    with pytest.raises(ApiError):  # the server's own bound
        apply_bento(world, "too-large", GOOD, extraPodSpec=with_unknown_field(4 * MIB))

    world.wait_for(lambda: world.told("many-models", "BadObject"), "too many models to be told", 60)
    for name in ("many-variables", "large-9", LONG_NAME, "awkward"):
        world.wait_for(lambda name=name: warm_of(world, name), f"{name} to be warm", 60)
        [prewarm] = warm_of(world, name)
        assert targets_of(prewarm) == {"node-a"}
        assert len(prewarm["metadata"]["name"]) <= 63
    assert warm_of(world, "before")
    grown = resident(world.controllers[0].child) - before
    assert grown < MOST_GROWTH, f"the controller grew by {grown / MIB:.0f} MiB"
    for name in ("many-models", "many-variables", *(f"large-{number}" for number in range(10))):
        world.cluster.delete("BentoDeployment", name)
    world.wait_for(lambda: len(world.unfinished()) == 3, "what was deleted to be kept no more", 60)
