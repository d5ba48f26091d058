"""The control plane that other tests run against is a real one: it schedules onto fake GPU nodes, and its
stand-ins for Bento's and Karpenter's resources accept what upstream writes and refuse what it would refuse."""

import copy
import http.client
import json

import pytest

from rig import bento_objects as bento
from rig.kube import Cluster
from rig.kube_api import ApiError, KubeApi
from rig.kube_proxy import KubeProxy
from rig.metrics_api import MetricsApi
from rig.process import wait_for

TAG = "llama_chat:k6v2x7m4kq3aq"
NAME = "llama-chat--k6v2x7m4kq3aq"
REQUEST = bento.bento_request(NAME, TAG, [bento.LLAMA, bento.RERANKER], annotations=bento.separate("org-42"))
BENTO = bento.bento(NAME, TAG, [bento.LLAMA], annotations=bento.separate("org-42"),
                    imagePullSecrets=[{"name": "yatai-regcred"}])
DEPLOYMENT = bento.bento_deployment("chat-llama3", NAME, maximum=8)
NODE_CLAIM = {
    "apiVersion": "karpenter.sh/v1", "kind": "NodeClaim",
    "metadata": {"name": "gpu-x7k2p", "labels": {"karpenter.sh/nodepool": "gpu"}},
    "spec": {"nodeClassRef": {"group": "karpenter.k8s.gcp", "kind": "GCENodeClass", "name": "gpu"},
             "requirements": [{"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]}],
             "startupTaints": [{"key": "prewarm.dev/warming", "effect": "NoSchedule"}]}}


@pytest.fixture(scope="module")
def cluster(module_folder):
    cluster = Cluster(module_folder / "kube", with_scheduling=True, audit=True, users={"viewer": ["viewers"]},
                      manager_options=["--horizontal-pod-autoscaler-sync-period=1s"])
    yield cluster
    cluster.close()


@pytest.fixture(scope="module", autouse=True)
def crds(cluster):
    return cluster.apply(bento.CRDS)


def changed(source, path, value):
    """A copy in which the field at `path` is `value`, or gone if that is None."""
    copied = copy.deepcopy(source)
    *steps, last = path
    place = copied
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return copied


@pytest.mark.parametrize("source", [REQUEST, BENTO, DEPLOYMENT, NODE_CLAIM], ids=lambda one: one["kind"])
def test_what_upstream_writes_is_accepted_as_it_is(cluster, source):
    stored = cluster.apply(source)
    assert stored["spec"] == source["spec"]


@pytest.mark.parametrize("source, path, value, said", [
    (REQUEST, ("spec", "bentoTag"), None, "spec.bentoTag: Required"),
    (REQUEST, ("spec", "models", 0, "size"), "much", "spec.models[0].size: Invalid"),
    (REQUEST, ("spec", "bento"), TAG, 'unknown field "spec.bento"'),
    (BENTO, ("spec", "tag"), None, "spec.tag: Required"),
    (BENTO, ("spec", "bentoTag"), TAG, 'unknown field \"spec.bentoTag\"'),
    (DEPLOYMENT, ("spec", "bento"), None, "spec.bento: Required"),
    (DEPLOYMENT, ("spec", "bento_tag"), TAG, 'unknown field \"spec.bento_tag\"'),
    (DEPLOYMENT, ("spec", "autoscaling", "minReplicas"), None, "spec.autoscaling.minReplicas: Required"),
    (DEPLOYMENT, ("spec", "extraPodSpec", "volumes"), [], 'unknown field \"spec.extraPodSpec.volumes\"'),
    (DEPLOYMENT, ("spec", "resources", "limits", "gpu"), 1, "spec.resources.limits.gpu: Invalid"),
    (NODE_CLAIM, ("spec", "requirements", 0, "operator"), "Is", "spec.requirements[0].operator: Unsupported"),
])
def test_what_upstream_refuses_is_refused_and_the_field_named(cluster, source, path, value, said):
    wrong = changed(source, path, value)
    wrong["metadata"]["name"] = "wrong"
    with pytest.raises(ApiError) as refused:
        cluster.create(wrong)
    assert said in str(refused.value)
    assert cluster.find(source["kind"], "wrong") is None


def test_status_is_written_apart_from_the_spec(cluster):
    cluster.apply(REQUEST)
    before = cluster.get("BentoRequest", NAME)["metadata"]["generation"]
    after = cluster.patch_status("BentoRequest", NAME, bento.seeded(REQUEST))
    assert after["metadata"]["generation"] == before
    assert {one["type"]: one["status"] for one in after["status"]["conditions"]}["ModelsExists"] == "True"


def test_a_deployment_that_asks_for_gpus_runs_on_the_fake_gpu_node(cluster):
    cluster.add_node("cpu-1")
    cluster.add_node("gpu-1", gpus=2)
    deployment, autoscaler = bento.workload(DEPLOYMENT, BENTO, replicas=3)
    cluster.apply([deployment, autoscaler])

    def pods(phase):
        return [pod for pod in cluster.list("Pod", "default", labelSelector="yatai.ai/selector=chat-llama3")
                if pod["status"]["phase"] == phase]
    wait_for(lambda: len(pods("Running")) == 2 and len(pods("Pending")) == 1, "two pods to run and one to wait", 90)
    assert {pod["spec"]["nodeName"] for pod in pods("Running")} == {"gpu-1"}
    waiting = wait_for(lambda: [one for pod in pods("Pending") for one in pod["status"].get("conditions", [])
                                if one["type"] == "PodScheduled"], "the scheduler's reason")
    assert waiting[0]["reason"] == "Unschedulable"

    cluster.add_node("gpu-2", gpus=1, running=False)
    wait_for(lambda: "node.kubernetes.io/not-ready" in [
        one["key"] for one in cluster.get("Node", "gpu-2")["spec"]["taints"]], "the taint of a node not ready")
    assert len(pods("Running")) == 2
    cluster.run_node("gpu-2")
    wait_for(lambda: len(pods("Running")) == 3, "the third pod to run on the new node", 90)
    cluster.delete("Deployment", "chat-llama3")
    wait_for(lambda: not cluster.list("Pod", "default"), "the pods to be gone", 90)


def test_the_autoscaler_follows_the_metrics_of_the_pods(cluster, closing):
    metrics = MetricsApi(cluster)
    closing.append(metrics)
    metrics.set("20")
    for index in range(4):
        cluster.add_node(f"scale-{index}", gpus=1)
    wanted = copy.deepcopy(DEPLOYMENT)
    wanted["metadata"]["name"] = "scaled"
    wanted["spec"]["autoscaling"]["metrics"] = [{"type": "Pods", "pods": {
        "metric": {"name": "http_request"}, "target": {"type": "AverageValue", "averageValue": "20"}}}]
    deployment, autoscaler = bento.workload(wanted, BENTO)
    cluster.apply([deployment, autoscaler])

    def status():
        return cluster.get("HorizontalPodAutoscaler", "scaled").get("status", {})
    wait_for(lambda: (status().get("currentMetrics") or [{}])[0].get("pods", {}).get("current", {}).get(
        "averageValue") == "20", "the autoscaler to read the metric", 90)
    assert status()["desiredReplicas"] == 1
    metrics.set("80")
    wait_for(lambda: status()["desiredReplicas"] >= 4, "the autoscaler to want more", 90)
    wait_for(lambda: len([pod for pod in cluster.list("Pod", "default", labelSelector="yatai.ai/selector=scaled")
                          if pod["status"]["phase"] == "Running"]) >= 4, "more pods to run", 90)
    cluster.delete("HorizontalPodAutoscaler", "scaled")
    cluster.delete("Deployment", "scaled")


def test_rights_are_what_rbac_says(cluster):
    account = cluster.service_account("reader")
    for user in ("viewer", account):
        with pytest.raises(ApiError) as refused:
            cluster.as_user(user).list("Node")
        assert refused.value.code == 403
    cluster.apply([
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "node-reader"},
         "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
         "metadata": {"name": "node-reader"},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "node-reader"},
         "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": "default"}]}])
    assert wait_for(lambda: cluster.kubectl("auth", "can-i", "list", "nodes", user=account) == "yes\n", "the role")
    cluster.as_user(account).list("Node")
    seen = wait_for(lambda: cluster.audit_events("system:serviceaccount:default:reader"), "the audit log")
    assert ("list", "nodes", 200) in [(one["verb"], one["objectRef"]["resource"], one["responseStatus"]["code"])
                                      for one in seen if "objectRef" in one and "responseStatus" in one]


def test_the_api_server_comes_back_with_everything_that_was_there(cluster):
    cluster.apply(REQUEST)
    before = cluster.get("BentoRequest", NAME)
    cluster.stop_api_server()
    with pytest.raises(OSError):
        cluster.get("BentoRequest", NAME)
    cluster.start_api_server()
    assert cluster.get("BentoRequest", NAME) == before


# ---- faults between a program and the server -------------------------------------------------------------------


@pytest.fixture
def proxy(cluster, closing):
    proxy = KubeProxy(cluster)
    closing.append(proxy)
    return proxy


class WatchOf:
    """The lines of a watch of ConfigMaps, through the proxy."""

    def __init__(self, cluster, proxy, seconds=20):
        port = int(proxy.url.rpartition(":")[2])
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=seconds, context=cluster.trust)
        version = cluster.call("GET", CONFIG_MAPS)["metadata"]["resourceVersion"]
        self.connection.request("GET", f"{CONFIG_MAPS}?watch=1&resourceVersion={version}",
                                headers={"Authorization": f"Bearer {cluster.token}"})
        self.answer = self.connection.getresponse()

    def lines(self, count):
        return [self.answer.readline() for _ in range(count)]

    def names(self, count):
        return [json.loads(line)["object"]["metadata"]["name"] for line in self.lines(count)]


CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def make(cluster, *names):
    for name in names:
        cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x", "name": name}})


def test_the_proxy_passes_on_and_counts(cluster, proxy):
    through = KubeApi(int(proxy.url.rpartition(":")[2]), cluster.authority.certificate, cluster.token)
    make(through, "made-through-it")
    assert cluster.get("ConfigMap", "made-through-it")
    watch = WatchOf(cluster, proxy)
    make(cluster, "seen")
    assert watch.names(1) == ["seen"]
    assert proxy.requests["WATCH", CONFIG_MAPS] == 1 and proxy.requests["POST", CONFIG_MAPS] == 1
    assert "items" in json.loads(cluster.kubectl("get", "--raw", CONFIG_MAPS, "--server", proxy.url))


def test_a_watch_can_be_cut_in_the_middle_of_a_line(cluster, proxy):
    proxy.cut_after = 100
    watch = WatchOf(cluster, proxy)
    make(cluster, "cut")
    with pytest.raises(http.client.IncompleteRead) as cut:
        watch.answer.read()
    assert len(cut.value.partial) == 100 and b"\n" not in cut.value.partial


def test_a_stalled_watch_is_open_and_silent_and_then_goes_on(cluster, proxy):
    watch = WatchOf(cluster, proxy)
    proxy.stall()
    make(cluster, "late")
    watch.connection.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        watch.connection.sock.recv(1)
    proxy.heal()
    watch.connection.sock.settimeout(20)
    assert b"late" in watch.connection.sock.recv(1 << 16)


@pytest.mark.parametrize("in_stream", [True, False])
def test_a_watch_can_be_too_old_in_both_ways(cluster, proxy, in_stream):
    proxy.expire(CONFIG_MAPS, in_stream=in_stream)
    watch = WatchOf(cluster, proxy)
    said = json.loads(watch.answer.readline())
    assert watch.answer.status == (200 if in_stream else 410)
    assert (said["object"] if in_stream else said)["reason"] == "Expired"
    make(cluster, f"after-{in_stream}".lower())
    assert WatchOf(cluster, proxy).answer.status == 200


def test_storms_end_after_so_many_answers(cluster, proxy):
    proxy.answer(429, path=CONFIG_MAPS, headers={"Retry-After": "1"}, times=2)
    through = KubeApi(int(proxy.url.rpartition(":")[2]), cluster.authority.certificate, cluster.token)
    assert [through.raw("GET", CONFIG_MAPS)[0] for _ in range(3)] == [429, 429, 200]


def test_events_can_come_twice_and_in_another_order(cluster, proxy):
    proxy.disorder = True
    watch = WatchOf(cluster, proxy)
    made = [f"event-{index:02}" for index in range(30)]
    make(cluster, *made)
    seen = []
    while set(seen) < set(made[:-1]):  # the last may be held back
        seen += watch.names(1)
    assert len(seen) > len(set(seen)) and [one for index, one in enumerate(seen) if one not in seen[:index]] != made
