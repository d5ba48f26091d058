"""Tokens of service accounts, as users and the kubelet ask for them, and some that nobody should take."""

import base64
import json
import subprocess
import time

AUDIENCE = "prewarm.dev"


def token(cluster, account, namespace="default", *, audience=AUDIENCE, pod=None, seconds=600):
    """Makes the account if there is none. `audience` None: the API server's own. `pod`: the token dies with it."""
    if not cluster.find("ServiceAccount", account, namespace):
        cluster.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}}, namespace)
    bound = {}
    if pod:
        uid = cluster.get("Pod", pod, namespace)["metadata"]["uid"]
        bound = {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}}
    wanted = {"expirationSeconds": seconds, **({"audiences": [audience]} if audience else {}), **bound}
    return cluster.call("POST", cluster.path("ServiceAccount", account, namespace, "token"), {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted})["status"]["token"]


def bind(cluster, role, account, namespace="default", *, account_namespace=None):
    """A RoleBinding in the namespace, or a ClusterRoleBinding where that is None, of a ClusterRole."""
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    cluster.apply({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
        "metadata": {"name": f"{role}-{account}", **({"namespace": namespace} if namespace else {})},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": account_namespace or namespace}]})


def pod(cluster, name, namespace, *, account, node, labels=None):
    cluster.apply({"apiVersion": "v1", "kind": "Pod",
                   "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
                   "spec": {"serviceAccountName": account, "nodeName": node,
                            "containers": [{"name": "main", "image": "none"}]}})


def expired(cluster, good):
    """The same token as it would be two hours after its time, signed by the cluster's own key."""
    head, body, _ = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    now = int(time.time())
    claims.update(iat=now - 9000, nbf=now - 9000, exp=now - 7200)
    text = f"{head}.{encoded(json.dumps(claims).encode())}"
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", cluster.folder / "service-accounts.key"],
                               input=text.encode(), capture_output=True, check=True, timeout=30).stdout
    return f"{text}.{encoded(signature)}"


def encoded(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
