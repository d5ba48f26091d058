"""What deploy/kubernetes installs, on a real API server: every overlay renders and applies, agents land on new nodes,
and the rights are exactly those that are meant.

Objects of cert-manager and of the two Prometheus operators are rendered and parsed only: their definitions are not
here."""

import base64
import json
import pathlib
import shutil
import subprocess

import pytest
import yaml

from rig import rights
from rig.kube import TOOLS, Cluster
from rig.kube_api import ApiError, KubeApi, documents
from rig.process import wait_for

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
COMPONENTS = sorted(path.name for path in (KUBERNETES / "components").iterdir())
NAMESPACE = "prewarm-system"
FOREIGN = {"cert-manager.io/v1", "monitoring.coreos.com/v1", "monitoring.googleapis.com/v1"}
CACHES = {"base": ["/var/jfsCache"], "development": ["/var/jfsCache"],
          "csi": ["/var/jfsCache", "/var/lib/juicefs/volume"],
          "csi-live": ["/var/jfsCache", "/var/lib/juicefs/volume"],
          "gke": ["/mnt/stateful_partition/kube-ephemeral-ssd/jfsCache"]}


def rendered(path):
    done = subprocess.run([TOOLS / "kubectl", "kustomize", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def overlay(name):
    return rendered(KUBERNETES / "base" if name == "base" else KUBERNETES / "overlays" / name)


def ours(objects):
    """Without what this API server does not serve."""
    foreign = {one["apiVersion"] for one in objects if one["apiVersion"] in FOREIGN}
    assert all("." not in one["apiVersion"] or one["apiVersion"].split("/")[0].endswith((".k8s.io", "prewarm.dev"))
               or one["apiVersion"] in FOREIGN for one in objects), foreign
    return [one for one in objects if one["apiVersion"] not in FOREIGN]


def wanted(one):
    """An object without what other programs write."""
    return {**{key: value for key, value in one.items() if key not in ("status", "metadata", "data")},
            "generation": one["metadata"].get("generation"), "labels": one["metadata"].get("labels")}


def find(objects, kind, name):
    [found] = [one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


@pytest.fixture(scope="module")
def cluster(module_folder):
    cluster = Cluster(module_folder / "kube", with_scheduling=True, audit=True)
    try:
        cluster.apply(ours(overlay("base")))
        yield cluster
    finally:
        cluster.close()


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_taken_by_the_api_server_and_a_second_time_changes_nothing(cluster, name):
    objects = ours(overlay(name))
    cluster.apply(objects, dry_run=True)
    first = cluster.apply(objects, manager=f"operator-{name}")
    second = cluster.apply(objects, manager=f"operator-{name}")
    assert [wanted(one) for one in first] == [wanted(one) for one in second]
    cluster.apply(ours(overlay("base")))


def test_kubectl_installs_by_one_command(cluster):
    said = cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", KUBERNETES / "overlays/development")
    assert "daemonset.apps/prewarm-agent serverside-applied" in said
    cluster.apply(ours(overlay("base")))


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_can_be_added_to_any_overlay(folder, name):
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": [relative(folder, KUBERNETES / "base")],
        "components": [relative(folder, KUBERNETES / "components" / name)]}))
    added = {(one["kind"], one["metadata"]["name"]) for one in rendered(folder)} - {
        (one["kind"], one["metadata"]["name"]) for one in overlay("base")}
    assert added


def relative(folder, path):
    steps = len(folder.parts) - 1
    return "../" * steps + str(path).lstrip("/")


@pytest.mark.parametrize("path", sorted((KUBERNETES / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_are_taken_as_they_are(cluster, path):
    if not cluster.find("Namespace", "yatai"):
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "yatai"}})
    cluster.apply(path, dry_run=True)


def test_the_site_of_the_guide_is_taken_as_it_is(cluster):
    cluster.apply(ours(rendered(KUBERNETES / "examples/site")), dry_run=True)


# ---- where pods go ------------------------------------------------------------------------------------------


def pods_of(cluster, name):
    return cluster.list("Pod", NAMESPACE, labelSelector=f"app.kubernetes.io/name={name}")


def test_agents_go_to_cache_nodes_even_before_these_are_ready_and_controllers_are_two(cluster):
    cluster.add_node("gpu-1", gpus=1, labels={"prewarm.dev/cache": "true"})
    cluster.add_node("cpu-1")
    wait_for(lambda: [pod["spec"].get("nodeName") for pod in pods_of(cluster, "prewarm-agent")] == ["gpu-1"],
             "the agent of the first node", 60)
    cluster.add_node("gpu-2", gpus=1, labels={"prewarm.dev/cache": "true"}, running=False, taints=[
        {"key": "node.cloudprovider.kubernetes.io/uninitialized", "value": "true", "effect": "NoSchedule"}])
    wait_for(lambda: {pod["spec"].get("nodeName") for pod in pods_of(cluster, "prewarm-agent")} == {"gpu-1", "gpu-2"},
             "the agent of a node that is not ready", 60)
    controllers = wait_for(lambda: [pod for pod in pods_of(cluster, "prewarm-controller")
                                    if pod["spec"].get("nodeName")], "the controllers", 60)
    assert {pod["spec"]["nodeName"] for pod in controllers} == {"cpu-1"}
    priority = cluster.get("PriorityClass", "prewarm-agent")["value"]
    assert {pod["spec"]["priority"] for pod in pods_of(cluster, "prewarm-agent")} == {priority}
    budget = wait_for(lambda: cluster.get("PodDisruptionBudget", "prewarm-controller", NAMESPACE).get("status", {}),
                      "the disruption budget")
    assert budget["expectedPods"] == 2


# ---- what pods may do on their node ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["base", *OVERLAYS])
def test_agents_are_root_without_any_capability_and_without_a_token_for_the_api(name):
    spec = find(overlay(name), "DaemonSet", "prewarm-agent")["spec"]["template"]["spec"]
    [container] = spec["containers"]
    context = container["securityContext"]
    assert context["runAsUser"] == 0 and context["capabilities"] == {"drop": ["ALL"]}
    assert context["readOnlyRootFilesystem"] is True and context["allowPrivilegeEscalation"] is False
    assert "privileged" not in context and spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec)
    assert spec["automountServiceAccountToken"] is False
    assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
    assert sorted(one["hostPath"]["path"] for one in spec["volumes"] if "hostPath" in one) == CACHES[name]
    sources = [source for one in spec["volumes"] for source in one.get("projected", {}).get("sources", [])]
    assert [source["serviceAccountToken"]["audience"] for source in sources] == ["prewarm.dev"]
    # A path means the same inside and outside, and the agent is told of the first of them.
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    for one in spec["volumes"]:
        if "hostPath" in one:
            assert mounts[one["name"]] == one["hostPath"]["path"]
    config = yaml.safe_load(config_of(overlay(name), spec, "agent.yaml"))
    options = [word.split("=")[1] for word in container["args"] if word.startswith("--cache-dir=")]
    assert (options or config["cache"]["cache-dir"]) == CACHES[name][:1]


def config_of(objects, spec, file):
    [reference] = [one["configMap"]["name"] for one in spec["volumes"] if one["name"] == "config"]
    return find(objects, "ConfigMap", reference)["data"][file]


@pytest.mark.parametrize("name", ["base", *OVERLAYS])
def test_controllers_meet_the_strictest_profile_of_pods(cluster, name):
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    if not cluster.find("Namespace", "restricted"):
        cluster.create({"apiVersion": "v1", "kind": "Namespace",
                        "metadata": {"name": "restricted", "labels": restricted}})

    def try_out(objects, kind, pod_name):
        template = find(objects, kind, pod_name)["spec"]["template"]
        return cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "tried-"},
                               "spec": template["spec"]}, "restricted")
    objects = overlay(name)
    try_out(objects, "Deployment", "prewarm-controller")
    with pytest.raises(ApiError, match="violates PodSecurity.*hostPath"):
        try_out(objects, "DaemonSet", "prewarm-agent")


# ---- rights ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def controller(cluster):
    identity = cluster.service_account("prewarm-controller", NAMESPACE)
    api = cluster.as_user(identity)
    wait_for(lambda: may(api, "list", "", "nodes") and may(
        api, "update", "coordination.k8s.io", "leases", NAMESPACE, "prewarm-controller"), "its roles")
    return api


def may(api, verb, group, resource, namespace="", name="", subresource=""):
    review = api.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": verb, "group": group, "resource": resource, "namespace": namespace,
                                        "name": name, "subresource": subresource}}})
    return review["status"]["allowed"]


def test_the_controller_may_do_its_work(controller):
    for kind in ("Pod", "Node", "Event", "PersistentVolume", "PersistentVolumeClaim", "StorageClass", "Deployment",
                 "ReplicaSet", "HorizontalPodAutoscaler", "Prewarm", "PrewarmPolicy", "PrewarmVolume", "NodeCache"):
        controller.list(kind)
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "prewarm-controller"},
             "spec": {"holderIdentity": "test"}}
    made = controller.create(lease, NAMESPACE)
    controller.call("PUT", controller.path("Lease", "prewarm-controller", NAMESPACE), made)
    controller.apply({"apiVersion": "prewarm.dev/v1alpha1", "kind": "NodeCache", "metadata": {"name": "gpu-1"},
                      "spec": {}})
    controller.patch_status("NodeCache", "gpu-1", {"connected": True})
    assert may(controller, "get", "", "secrets", NAMESPACE, "models-volume")
    assert may(controller, "create", "authentication.k8s.io", "tokenreviews")
    assert may(controller, "create", "authorization.k8s.io", "subjectaccessreviews")
    assert may(controller, "patch", "", "pods", NAMESPACE, "any") and may(controller, "get", "", "pods", NAMESPACE, "any")


def test_rights_that_are_missing_and_rights_that_nobody_uses_are_seen(cluster, controller):
    granted = rights.granted(overlay("base"), "prewarm-controller", NAMESPACE)
    user = f"system:serviceaccount:{NAMESPACE}:prewarm-controller"
    controller.list("Pod", NAMESPACE)
    with pytest.raises(ApiError, match="secrets is forbidden"):
        controller.list("Secret", NAMESPACE)
    listing = {rights.Right("list", "", kind, NAMESPACE) for kind in ("pods", "secrets")}
    seen = wait_for(lambda: listing & rights.used(cluster.audit_events(user)) == listing and listing, "the audit log")
    assert rights.missing(granted, seen) == {rights.Right("list", "", "secrets", NAMESPACE)}
    assert rights.Right("list", "", "pods") not in rights.unused(granted, seen)
    assert rights.Right("get", "coordination.k8s.io", "leases", NAMESPACE, "prewarm-controller") in rights.unused(
        granted, seen)


@pytest.mark.parametrize("verb, group, resource, namespace, name", [
    ("list", "", "secrets", NAMESPACE, ""), ("get", "", "secrets", "default", "any"), ("watch", "", "secrets", "", ""),
    ("patch", "", "nodes", "", "gpu-1"), ("patch", "", "pods", "default", "any"), ("get", "", "pods", "default", "any"),
    ("delete", "", "pods", "", ""), ("create", "", "pods", NAMESPACE, ""),
    ("update", "coordination.k8s.io", "leases", NAMESPACE, "another"),
    ("get", "coordination.k8s.io", "leases", "kube-system", "prewarm-controller"),
    ("patch", "apps", "deployments", "default", "any"), ("patch", "serving.yatai.ai", "bentodeployments", "", ""),
    ("create", "prewarm.dev", "prewarmvolumes", "", ""), ("patch", "prewarm.dev", "prewarmpolicies", "", ""),
    ("impersonate", "", "users", "", ""), ("create", "", "serviceaccounts", NAMESPACE, ""),
])
def test_the_controller_may_not(controller, verb, group, resource, namespace, name):
    assert not may(controller, verb, group, resource, namespace, name)


def test_no_role_of_ours_grants_everything_of_anything():
    for name in OVERLAYS:
        for role in (one for one in overlay(name) if one["kind"] in ("ClusterRole", "Role")):
            for rule in role["rules"]:
                assert "*" not in [word for words in rule.values() for word in words], role["metadata"]["name"]


def test_agents_have_no_right_at_all(cluster):
    identity = cluster.service_account("prewarm-agent", NAMESPACE)
    nobody = cluster.service_account("nobody", NAMESPACE)

    def rules(user):
        review = cluster.as_user(user).call("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": NAMESPACE}})
        return review["status"]["resourceRules"]
    assert rules(identity) == rules(nobody)


def test_the_token_of_an_agent_says_its_node_to_the_controller_and_nothing_to_the_api_server(cluster, controller):
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "some-agent", "namespace": NAMESPACE},
                   "spec": {"serviceAccountName": "prewarm-agent", "nodeName": "gpu-7",
                            "containers": [{"name": "agent", "image": "prewarm-agent"}]}})
    pod = cluster.get("Pod", "some-agent", NAMESPACE)
    spec = find(overlay("base"), "DaemonSet", "prewarm-agent")["spec"]["template"]["spec"]
    [projected] = [source["serviceAccountToken"] for one in spec["volumes"]
                   for source in one.get("projected", {}).get("sources", [])]
    # As the kubelet asks for it.
    token = cluster.call("POST", cluster.path("ServiceAccount", "prewarm-agent", NAMESPACE, "token"), {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"audiences": [projected["audience"]], "expirationSeconds": projected["expirationSeconds"],
                 "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "some-agent",
                                    "uid": pod["metadata"]["uid"]}}})["status"]["token"]
    review = controller.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
        "spec": {"token": token, "audiences": [projected["audience"]]}})["status"]
    assert review["authenticated"] and review["audiences"] == ["prewarm.dev"]
    assert review["user"]["username"] == f"system:serviceaccount:{NAMESPACE}:prewarm-agent"
    assert review["user"]["extra"]["authentication.kubernetes.io/node-name"] == ["gpu-7"]
    with pytest.raises(ApiError) as refused:
        KubeApi(cluster.port, cluster.authority.certificate, token).call("GET", "/version")
    assert refused.value.code == 401
    cluster.delete("Pod", "some-agent", NAMESPACE)


def test_users_of_a_namespace_may_use_prewarms_there_by_the_roles_they_have(cluster):
    identity = cluster.service_account("developer")
    cluster.apply({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "developer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "ServiceAccount", "name": "developer", "namespace": "default"}]})
    user = cluster.as_user(identity)
    wait_for(lambda: may(user, "create", "prewarm.dev", "prewarms", "default"), "the aggregated role")
    assert may(user, "watch", "prewarm.dev", "prewarms", "default")
    assert not may(user, "create", "prewarm.dev", "prewarms", NAMESPACE)
    assert not may(user, "patch", "prewarm.dev", "prewarms", "default", subresource="status")
    assert not may(user, "create", "prewarm.dev", "prewarmvolumes")


# ---- what belongs together -----------------------------------------------------------------------------------


def test_agents_dial_a_name_that_the_service_has_and_the_certificates_have():
    objects = overlay("gke")
    spec = find(objects, "DaemonSet", "prewarm-agent")["spec"]["template"]["spec"]
    [address] = yaml.safe_load(config_of(objects, spec, "agent.yaml"))["controller"]["addresses"]
    host, port = address.split(":")
    service = find(objects, "Service", "prewarm-controller")
    assert host == f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    assert int(port) in [one["port"] for one in service["spec"]["ports"]]
    assert host in find(objects, "Certificate", "prewarm-controller")["spec"]["dnsNames"]
    # The leader's alone, whichever pod that is.
    assert service["spec"]["selector"] == {"app.kubernetes.io/name": "prewarm-controller", "prewarm.dev/leads": "true"}
    programs = (("DaemonSet", "prewarm-agent"), ("Deployment", "prewarm-controller"))
    secrets = {find(objects, "Certificate", name)["spec"]["secretName"] for _, name in programs}
    mounted = {one["secret"]["secretName"] for kind, name in programs
               for one in find(objects, kind, name)["spec"]["template"]["spec"]["volumes"] if "secret" in one}
    assert mounted == secrets


def openssl(*words):
    return subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=30).stdout


def test_certificates_can_be_made_without_cert_manager(cluster, folder):
    made = subprocess.run([KUBERNETES / "make-certificates.sh"], capture_output=True, text=True, check=True, timeout=60)
    secrets = {one["metadata"]["name"]: one["data"] for one in documents(made.stdout)}
    cluster.apply(made.stdout)
    host = "prewarm-controller.prewarm-system.svc"
    for name, purpose, extra in (("prewarm-controller-tls", "sslserver", ["-verify_hostname", host]),
                                 ("prewarm-agent-tls", "sslclient", [])):
        for file, text in secrets[name].items():
            (folder / file).write_bytes(base64.b64decode(text))
        openssl("verify", "-CAfile", folder / "ca.crt", "-purpose", purpose, *extra, folder / "tls.crt")
        assert openssl("x509", "-in", folder / "tls.crt", "-noout", "-pubkey") == openssl(
            "pkey", "-in", folder / "tls.key", "-pubout")
    assert secrets["prewarm-controller-tls"]["ca.crt"] == secrets["prewarm-agent-tls"]["ca.crt"]


def test_every_dashboard_is_in_a_config_map_and_is_the_file():
    maps = {file: text for one in overlay("gke") if one["kind"] == "ConfigMap"
            and one["metadata"].get("labels", {}).get("grafana_dashboard") == "1" for file, text in one["data"].items()}
    assert {file: json.loads(text) for file, text in maps.items()} == {
        path.name: json.loads(path.read_text()) for path in (DEPLOY / "grafana").glob("*.json")}


def test_the_rules_of_the_operator_are_our_alerts():
    made = subprocess.run([KUBERNETES / "rules.py"], capture_output=True, text=True, check=True, timeout=30).stdout
    committed = KUBERNETES / "components" / "prometheus-operator" / "rules.yaml"
    assert made == committed.read_text()
    assert yaml.safe_load(made)["spec"] == yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())


def test_changed_configuration_restarts_what_reads_it(folder):
    def reference(objects):
        spec = find(objects, "DaemonSet", "prewarm-agent")["spec"]["template"]["spec"]
        config_of(objects, spec, "agent.yaml")  # it exists
        return next(one["configMap"]["name"] for one in spec["volumes"] if one["name"] == "config")
    shutil.copytree(KUBERNETES / "base", folder / "base")
    with (folder / "base/agent/agent.yaml").open("a") as config:
        config.write("  level: debug\n")
    assert reference(rendered(folder / "base")) != reference(overlay("base"))
