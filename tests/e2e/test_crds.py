"""Our custom resources on a real API server: what is right is taken, what is wrong is refused with the field named,
and `kubectl get` tells the story."""

import copy
import pathlib
import subprocess
import sys

import pytest

from rig.kube import Cluster
from rig.kube_api import ApiError, documents

KUBERNETES = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
CRDS = sorted((KUBERNETES / "base" / "crds").glob("*.yaml"))
API = "prewarm.dev/v1alpha1"

PREWARM = {"apiVersion": API, "kind": "Prewarm", "metadata": {"name": "llama-3"}, "spec": {
    "volume": "models", "paths": ["models/.shared/llama-3-8b/k6v2x7m4kq3aq", "/-odd", "a..b/..c"],
    "nodes": {"names": ["gpu-1", "gpu-2"], "labels": {"cloud.google.com/gke-accelerator": "nvidia-l4"}, "count": 2},
    "priority": 500, "deadline": "2026-11-25T12:00:00Z", "refuseIfLate": True, "keep": False,
    "model": "llama-3-8b:k6v2x7m4kq3aq", "idempotencyKey": "release-17",
    "workload": {"apiVersion": "serving.yatai.ai/v2alpha1", "kind": "BentoDeployment", "name": "chat",
                 "uid": "6f0e7f6e-6b0a-4f55-9f5f-0d3f6f0c1a11"},
    "targets": [{"node": "gpu-1", "priority": 600, "signal": "hpa-desired", "why": "the autoscaler wants 4 replicas"}]}}
STATUS = {
    "observedGeneration": 1, "state": "running", "reason": "", "message": "1 of 2 nodes", "age": 17, "epoch": 3,
    "generation": 1, "planHash": "9437184", "files": 12, "bytes": 16060556376, "createdAt": "2026-11-25T10:00:00Z",
    "nodesVisible": 1, "nodesTotal": 2,
    "progress": {"plannedBytes": 32121112752, "storedBytes": 20236301033, "visibleBytes": 16060556376, "stored": "63%",
                 "expectedAt": "2026-11-25T10:04:00Z"},
    "tasks": [
        {"node": "gpu-1", "generation": 1, "state": "visible", "plannedBytes": 16060556376, "presentBytes": 0,
         "fetchedBytes": 16060556376, "failedBlocks": 0, "plannedBlocks": 3830, "presentBlocks": 0,
         "fetchedBlocks": 3830, "wireBytes": 16060560000, "requests": 3831, "retries": 1, "bytesPerSecond": 0,
         "visibleAt": "2026-11-25T10:02:00Z"},
        {"node": "gpu-2", "generation": 1, "state": "queued", "reason": "", "message": ""}],
    "conditions": [{"type": "Warm", "status": "False", "reason": "Fetching", "message": "", "observedGeneration": 1,
                    "lastTransitionTime": "2026-11-25T10:00:00Z"}]}
POLICY = {"apiVersion": API, "kind": "PrewarmPolicy", "metadata": {"name": "default"}, "spec": {
    "selector": {"matchLabels": {"team": "nlp"}, "matchExpressions": [
        {"key": "stage", "operator": "NotIn", "values": ["test"]}, {"key": "gpu", "operator": "Exists"}]},
    "suspend": False, "priority": 200,
    "triggers": {"onSeeded": True, "onDeploymentChange": True, "onForecast": {"ratio": 0.9, "extraReplicas": 2},
                 "onPendingPod": True, "onNodeJoin": False},
    "target": {"nodeSelector": {"disk": "nvme"}, "maxNodes": 8},
    "keepWarm": {"minNodes": 2, "afterScaleDown": "1h30m"},
    "gate": {"mode": "StartupTaint", "timeout": "5m"},
    "files": {"include": ["*.safetensors", "*.json"], "exclude": ["original/**"]}}}
VOLUME = {"apiVersion": API, "kind": "PrewarmVolume", "metadata": {"name": "models"}, "spec": {
    "metaSecretRef": {"name": "models-meta"}, "storage": "s3", "bucket": "https://store.example.com/models",
    "subdir": "serving", "cacheDirs": ["/var/jfsCache"], "credentials": "handed-over",
    "rsaPassphraseSecretRef": {"name": "models-key", "namespace": "prewarm-system", "key": "passphrase"},
    "storageClassNames": ["juicefs-sc"], "volumeHandles": ["models-pv"], "csiSecretRefs": [{"name": "juicefs-secret"}],
    "allowedNamespaces": ["yatai", "team-a"],
    "tenants": [{"namespace": "team-a", "storageNamespaces": ["org-42"]}]}}
NODE = {"apiVersion": API, "kind": "NodeCache", "metadata": {"name": "gpu-1"}, "spec": {}}
NODE_STATUS = {
    "connected": True, "agentVersion": "0.5.0", "seenAt": "2026-11-25T10:00:00Z",
    "directories": [{"path": "/var/jfsCache", "capacity": 375 << 30, "available": 300 << 30, "disk": "local_nvme"}],
    "volumes": [{"name": "models", "uuid": "8b0d3a1e-0000-4000-8000-0123456789ab", "cachedBytes": 1 << 30,
                 "mounted": False, "adoption": "before-mount"}],
    "tasksRunning": 1, "tasksQueued": 2, "secondsUntilWarm": 41,
    "models": [{"namespace": "yatai", "prewarm": "llama-3", "volume": "models", "state": "running",
                "plannedBytes": 16060556376, "doneBytes": 1 << 30}]}
GOOD = [PREWARM, POLICY, VOLUME, NODE]


@pytest.fixture(scope="module")
def cluster(module_folder):
    cluster = Cluster(module_folder / "kube")
    try:
        cluster.apply(CRDS)
        cluster.apply(GOOD)
        cluster.patch_status("Prewarm", "llama-3", STATUS)
        cluster.patch_status("NodeCache", "gpu-1", NODE_STATUS)
        yield cluster
    finally:
        cluster.close()


def test_the_committed_definitions_are_what_the_short_description_gives(folder):
    subprocess.run([sys.executable, KUBERNETES / "crds.py", folder], check=True, timeout=30)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {path.name: path.read_text() for path in CRDS}


def bounds_missing(schema, path=""):
    """Texts, lists and maps of any size."""
    kind = schema.get("type")
    if kind == "string" and not {"maxLength", "enum", "format"} & set(schema):
        yield path
    if kind == "array":
        if "maxItems" not in schema:
            yield path
        yield from bounds_missing(schema["items"], path + "[]")
    if isinstance(schema.get("additionalProperties"), dict):
        if "maxProperties" not in schema:
            yield path
        yield from bounds_missing(schema["additionalProperties"], path + "{}")
    for name, inner in schema.get("properties", {}).items():
        if path or name in ("spec", "status"):
            yield from bounds_missing(inner, f"{path}.{name}")


@pytest.mark.parametrize("crd", CRDS, ids=lambda path: path.stem)
def test_nothing_in_an_object_is_without_bound(crd):
    for version in documents(crd)[0]["spec"]["versions"]:
        assert list(bounds_missing(version["schema"]["openAPIV3Schema"])) == []


@pytest.mark.parametrize("source", GOOD, ids=lambda one: one["kind"])
def test_a_whole_object_is_taken_as_it_is(cluster, source):
    stored = cluster.get(source["kind"], source["metadata"]["name"])
    for field, value in source["spec"].items():
        if field not in ("metaSecretRef", "triggers"):  # these get defaults inside
            assert stored["spec"][field] == value


def test_a_whole_status_is_kept_as_it_is(cluster):
    for kind, name, status in (("Prewarm", "llama-3", STATUS), ("NodeCache", "gpu-1", NODE_STATUS)):
        assert cluster.patch_status(kind, name, status)["status"] == status


def test_the_least_that_can_be_said_is_enough(cluster):
    least = [changed(PREWARM, "spec", {"volume": "models"}), changed(POLICY, "spec", {}),
             changed(VOLUME, "spec", {"meta": "redis://meta.example.com:6379/1"})]
    for one in least:
        one["metadata"]["name"] = "least"
    prewarm, policy, volume = cluster.apply(least)
    assert prewarm["spec"] == {"volume": "models", "priority": 0}
    assert policy["spec"]["triggers"]["onForecast"] == {"enabled": True, "ratio": 0.85, "extraReplicas": 1}
    assert policy["spec"]["gate"] == {"mode": "None", "timeout": "5m"}
    assert policy["spec"]["keepWarm"] == {"minNodes": 1, "afterScaleDown": "30m"}
    assert volume["spec"]["credentials"] == "ambient"


def changed(source, path, value):
    """A copy in which the field at `path` ("spec.nodes.count", numbers for places in lists) is `value`."""
    copied = copy.deepcopy(source)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = copied
    for step in steps:
        place = place[step]
    place[last] = value
    return copied


@pytest.mark.parametrize("source, path, value, field, said", [
    (PREWARM, "spec.volume", "", "spec.volume", "at least 1"),
    (PREWARM, "spec", {"paths": ["a"]}, "spec.volume", "Required"),
    (PREWARM, "spec.paths.0", "", "spec.paths[0]", "at least 1"),
    (PREWARM, "spec.paths.1", "models/../../secret", "spec.paths[1]", "must not hold a step '..'"),
    (PREWARM, "spec.paths.1", "..", "spec.paths[1]", "must not hold a step '..'"),
    (PREWARM, "spec.paths.2", "--meta", "spec.paths[2]", "must not begin with '-'"),
    (PREWARM, "spec.paths", ["p"] * 1001, "spec.paths", "at most 1000"),
    (PREWARM, "spec.paths.0", "p" * 4097, "spec.paths[0]", "4096"),
    (PREWARM, "spec.nodes.names", ["gpu-1", "gpu-1"], "spec.nodes.names[1]", "Duplicate"),
    (PREWARM, "spec.nodes.count", -1, "spec.nodes.count", "greater than or equal to 0"),
    (PREWARM, "spec.nodes.labels", {"a": "v" * 254}, "spec.nodes.labels.a", "253"),
    (PREWARM, "spec.targets.0.priority", 1001, "spec.targets[0].priority", "less than or equal to 1000"),
    (PREWARM, "spec.priority", 1001, "spec.priority", "less than or equal to 1000"),
    (PREWARM, "spec.priority", "high", "spec.priority", "integer"),
    (PREWARM, "spec.deadline", "soon", "spec.deadline", "date-time"),
    (PREWARM, "spec", {"volume": "models", "refuseIfLate": True}, "spec.refuseIfLate", "without a deadline"),
    (PREWARM, "spec.idempotencyKey", "two words", "spec.idempotencyKey", "should match"),
    (PREWARM, "spec.model", "m" * 254, "spec.model", "253"),
    (POLICY, "spec.priority", -1, "spec.priority", "greater than or equal to 0"),
    (POLICY, "spec.triggers.onForecast.ratio", 0, "spec.triggers.onForecast.ratio", "greater than 0"),
    (POLICY, "spec.keepWarm.afterScaleDown", "an hour", "spec.keepWarm.afterScaleDown", "should match"),
    (POLICY, "spec.gate.mode", "SchedulingGate", "spec.gate.mode", "supported values"),
    (POLICY, "spec.gate.timeout", "-5m", "spec.gate.timeout", "should match"),
    (POLICY, "spec.selector.matchExpressions.0.values", [], "spec.selector.matchExpressions[0]", "need values"),
    (POLICY, "spec.selector.matchExpressions.1.values", ["x"], "spec.selector.matchExpressions[1]", "need values"),
    (POLICY, "spec.target.maxNodes", 10001, "spec.target.maxNodes", "10000"),
    (POLICY, "spec.files.include", ["x"] * 101, "spec.files.include", "at most 100"),
    (VOLUME, "spec", {}, "spec.meta", "exactly one"),
    (VOLUME, "spec.meta", "redis://meta:6379/1", "spec.meta", "exactly one"),
    (VOLUME, "spec", {"meta": "redis://:hunter2@meta:6379/1"}, "spec.meta", "must not hold a password"),
    (VOLUME, "spec", {"meta": "redis://me:hunter2@meta:6379/1"}, "spec.meta", "must not hold a password"),
    (VOLUME, "spec", {"meta": "file:///etc/passwd"}, "spec.meta", "should match"),
    (VOLUME, "spec.credentials", "ambient", "spec.rsaPassphraseSecretRef", "only used with credentials: handed-over"),
    (VOLUME, "spec.credentials", "given", "spec.credentials", "supported values"),
    (VOLUME, "spec.cacheDirs.0", "var/jfsCache", "spec.cacheDirs[0]", "should match"),
    (VOLUME, "spec.cacheDirs.0", "/var/../etc", "spec.cacheDirs[0]", "must not hold a step '..'"),
    (VOLUME, "spec.subdir", "../other", "spec.subdir", "must not hold a step '..'"),
    (VOLUME, "spec.allowedNamespaces", ["Team A"], "spec.allowedNamespaces[0]", "should match"),
    (VOLUME, "spec.tenants.0.storageNamespaces", ["org/42"], "spec.tenants[0].storageNamespaces[0]", "should match"),
    (NODE, "spec", {"paths": []}, "spec.paths", "unknown field"),
])
def test_what_is_wrong_is_refused_and_the_field_named(cluster, source, path, value, field, said):
    wrong = changed(source, path, value)
    wrong["metadata"]["name"] = "wrong"
    with pytest.raises(ApiError) as refused:
        cluster.create(wrong)
    assert refused.value.code in (400, 422)
    message = str(refused.value)
    assert field in message and said in message, message


def test_a_name_too_long_for_a_volume_is_refused(cluster):
    with pytest.raises(ApiError, match="1 to 63 characters"):
        cluster.apply(changed(VOLUME, "metadata.name", "v" * 64))


@pytest.mark.parametrize("path, value", [
    ("spec.volume", "others"), ("spec.idempotencyKey", "release-18"), ("spec.idempotencyKey", None),
    ("spec.workload", None)])
def test_what_a_prewarm_is_cannot_be_changed(cluster, path, value):
    *_, last = path.split(".")
    with pytest.raises(ApiError, match=f"spec.{last}: Invalid value: .*cannot be changed"):
        cluster.patch("Prewarm", "llama-3", {"spec": {last: value}})


@pytest.mark.parametrize("field, value", [
    ("paths", ["b"]), ("paths", None), ("nodes", {"count": 3}), ("keep", True), ("refuseIfLate", True),
    ("model", "another"), ("workload", PREWARM["spec"]["workload"])])
def test_of_what_a_user_made_only_the_urgency_can_be_changed(cluster, field, value):
    own = {"volume": "models", "paths": ["a"], "deadline": "2026-11-25T12:00:00Z"}
    cluster.apply(changed(changed(PREWARM, "spec", own), "metadata.name", "own"))
    with pytest.raises(ApiError, match=f"spec.{field}: Invalid value: .*cannot be changed"):
        cluster.patch("Prewarm", "own", {"spec": {field: value}})
    cluster.patch("Prewarm", "own", {"spec": {"priority": 7, "deadline": "2026-11-25T13:00:00Z"}})


def test_how_urgent_it_is_can_be_changed(cluster):
    assert cluster.patch("Prewarm", "llama-3", {"spec": {"priority": 900}})["spec"]["priority"] == 900
    cluster.patch("Prewarm", "llama-3", {"spec": {"priority": 500}})


def test_an_older_leader_cannot_write_the_status(cluster):
    with pytest.raises(ApiError, match="status.epoch: Invalid value: .*older than the leader"):
        cluster.patch_status("Prewarm", "llama-3", {"epoch": 2, "state": "failed"})
    assert cluster.get("Prewarm", "llama-3")["status"]["state"] == "running"


@pytest.mark.parametrize("path, value, said", [
    ("state", "done", "supported values"),
    ("tasks.0.state", "busy", "supported values"),
    ("tasks.1.node", "gpu-1", "Duplicate"),
    ("conditions.0.reason", "two words", "should match"),
])
def test_a_status_in_other_words_is_refused(cluster, path, value, said):
    with pytest.raises(ApiError, match=said):
        cluster.patch_status("Prewarm", "llama-3", changed(STATUS, path, value))


def test_tasks_of_one_object_can_be_written_one_by_one(cluster):
    base = {"apiVersion": API, "kind": "Prewarm", "metadata": {"name": "llama-3"}}
    path = cluster.path("Prewarm", "llama-3", subresource="status") + "?fieldManager=controller&force=true"
    after = cluster.call("PATCH", path, {**base, "status": {"tasks": [{"node": "gpu-2", "state": "running"}]}},
                         content_type="application/apply-patch+yaml")
    assert {one["node"]: one["state"] for one in after["status"]["tasks"]} == {"gpu-1": "visible", "gpu-2": "running"}


def table(text):
    header, *rows = text.splitlines()
    return header.split(), [row.split() for row in rows]


def test_kubectl_shows_how_it_goes(cluster):
    header, rows = table(cluster.kubectl("get", "prewarms", "llama-3"))
    assert header == "NAME STATE STORED VISIBLE NODES VOLUME MODEL PRIORITY REASON AGE".split()
    assert rows[0][:8] == "llama-3 running 63% 1 2 models llama-3-8b:k6v2x7m4kq3aq 500".split()
    header, rows = table(cluster.kubectl("get", "nc"))
    assert header == "NAME CONNECTED DISK RUNNING QUEUED WARM-IN SEEN AGE".split()
    assert rows[0][:6] == "gpu-1 true local_nvme 1 2 41".split()
    header, rows = table(cluster.kubectl("get", "pwp", "default"))
    assert rows[0][:5] == "default false 200 StartupTaint 2".split()
    header, _ = table(cluster.kubectl("get", "pwv", "models"))
    assert header == "NAME READY REASON STORAGE UUID AGE".split()


@pytest.mark.parametrize("kind", ["prewarm", "prewarmpolicy", "prewarmvolume", "nodecache"])
def test_kubectl_finds_one_object_by_the_singular_of_its_kind(cluster, kind):
    name = {"prewarm": "llama-3", "prewarmpolicy": "default", "prewarmvolume": "models", "nodecache": "gpu-1"}[kind]
    assert name in cluster.kubectl("get", kind, name, "--output", "name")


def test_kubectl_gets_all_that_is_ours_by_one_word(cluster):
    said = cluster.kubectl("get", "prewarming", "--output", "name").split()
    assert {one.split(".")[0] for one in said} == {"prewarm", "prewarmpolicy", "prewarmvolume", "nodecache"}


def test_kubectl_explains_the_fields(cluster):
    said = cluster.kubectl("explain", "prewarm.spec.refuseIfLate")
    assert "fail at once if the deadline cannot be met" in said
