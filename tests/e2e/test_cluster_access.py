"""Who may do what in a cluster: callers and agents by their tokens of the cluster, judged by a real API server with its
RBAC, and a controller with exactly the roles that are shipped; and where the leader is."""

import pathlib
import subprocess

import pytest

from rig import rights
from rig.certificates import Authority
from rig.fleet import AgentDaemon, Controller, Problem
from rig.kube import TOOLS, Cluster
from rig.kube_api import documents
from rig.process import wait_for
from rig.service_accounts import bind, expired, pod, token
from rig.stores import FileStore
from rig.tree import random_bytes
from rig.volume import Volume

BASE = pathlib.Path(__file__).resolve().parents[2] / "deploy/kubernetes/base"
OURS = "prewarm-system"
FORGOTTEN_SECONDS = 60  # until what was taken back is refused: 30 s, and what a busy machine adds
LEADS = "prewarm.dev/leads"
# What this test's controllers must have been granted and must have used.
ACCESS = {("create", "authentication.k8s.io", "tokenreviews"), ("patch", "", "pods"),
          ("create", "authorization.k8s.io", "subjectaccessreviews")}


def shipped():
    return documents(subprocess.run([TOOLS / "kubectl", "kustomize", BASE], capture_output=True, text=True, timeout=60,
                                    check=True).stdout)


class World:
    """A cluster with what the base installs, a volume, and controllers that are pods of it."""

    def __init__(self, folder, redis, closing):
        self.folder, self.closing = folder, closing
        self.cluster = Cluster(folder / "cluster", audit=True)
        closing.append(self.cluster)
        self.cluster.apply(shipped())
        self.authority = Authority(folder / "ca")
        self.certificate, self.key = self.authority.issue("controller", "IP:127.0.0.1,DNS:localhost")
        self.volume = Volume(folder / "volume", redis.new_database(), FileStore(folder / "store"))
        closing.append(self.volume)
        with self.volume.mount() as root:
            (root / "weights").write_bytes(random_bytes(3_000_000, 1))
        self.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "others"}})

    def controller(self, name, *, lease="2s", lead=True):
        pod(self.cluster, name, OURS, account="prewarm-controller", node="cpu-1",
            labels={"app.kubernetes.io/name": "prewarm-controller"})
        identity = self.cluster.service_account("prewarm-controller", OURS)
        controller = Controller(
            self.folder / name, {"models": {"meta": self.volume.meta, "namespaces": ["default"]}}, lease=lease,
            kubeconfig=self.cluster.kubeconfig(identity, namespace=OURS), with_tokens=False, lead=lead,
            env={"POD_NAME": name}, tls={"certificate": str(self.certificate), "key": str(self.key),
                                         "client-ca": str(self.authority.certificate)})
        controller.authority = self.authority.certificate
        self.closing.append(controller)
        return controller

    def agent(self, name, controller, *, node=None):
        """With the token of a pod on `node`, and no certificate. Its folder, where the token lies."""
        node = node or name
        pod(self.cluster, f"agent-{node}", OURS, account="prewarm-agent", node=node)
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        self.give_token(folder, node)
        agent = AgentDaemon(folder, name, [controller], tls={"ca": str(self.authority.certificate),
                                                             "token-file": str(folder / "token")})
        self.closing.append(agent)
        return agent

    def give_token(self, folder, node, **options):
        """As the kubelet writes it: a new file in place of the old one."""
        (folder / "token.new").write_text(token(self.cluster, "prewarm-agent", OURS, pod=f"agent-{node}", **options))
        (folder / "token.new").rename(folder / "token")

    def leaders(self):
        return {one["metadata"]["name"] for one in self.cluster.list("Pod", OURS, labelSelector=f"{LEADS}=true")}


@pytest.fixture(scope="module")
def world(module_folder, redis):
    closing = []
    try:
        yield World(module_folder, redis, closing)
    finally:
        for thing in reversed(closing):
            thing.close()


@pytest.fixture(scope="module")
def leader(world):
    return world.controller("prewarm-controller-0")


def refusal(call, *words, **options):
    with pytest.raises(Problem) as refused:
        call(*words, **options)
    return refused.value


def allowed(call, *words, **options):
    """The answer of a call for which a role was bound a moment ago: the API server hears of it a little later."""
    def answer():
        try:
            return [call(*words, **options)]
        except Problem as problem:
            assert problem.status == 403, problem
            return None
    return wait_for(answer, f"{words} to be allowed", 30)[0]


def status_of(controller, caller):
    try:
        controller.call("GET", "/api/v1/prewarms", token=caller)
        return 200
    except Problem as problem:
        return problem.status


def in_namespace(name):
    return {"headers": {"Prewarm-Namespace": name}}


# ---- callers ---------------------------------------------------------------------------------------------------


def test_users_may_do_what_their_roles_say_and_agents_are_the_nodes_of_their_pods(world, leader):
    agent = world.agent("node-a", leader)
    release = token(world.cluster, "release")
    bind(world.cluster, "prewarm-edit", "release")
    bind(world.cluster, "prewarm-view", "release")
    bind(world.cluster, "prewarm-fleet-view", "release", None, account_namespace="default")
    wait_for(lambda: allowed(leader.call, "GET", "/api/v1/nodes", token=release)["nodes"], "the agent of node-a", 30)

    made = allowed(leader.create, {"volume": "models", "paths": ["weights"]}, token=release)
    assert made["id"].startswith("default.")
    wait_for(lambda: leader.call("GET", f"/api/v1/prewarms/{made['id']}", token=release)["state"] == "succeeded",
             "the prewarm to be done", 60)
    assert world.cluster.get("Prewarm", made["id"].removeprefix("default."))["status"]["state"] == "succeeded"
    assert agent.child.running()

    # In another namespace the role says nothing, whichever way it is named.
    for problem in (refusal(leader.create, {"volume": "models"}, token=release, **in_namespace("others")),
                    refusal(leader.call, "GET", "/api/v1/prewarms", token=release, **in_namespace("others")),
                    refusal(leader.call, "GET", "/api/v1/prewarms/others.pw-1", token=release)):
        assert problem.status == 403
        assert "system:serviceaccount:default:release may not" in problem.document["detail"], problem.document
        assert "others" in problem.document["detail"]

    # Reading is not writing.
    reader = token(world.cluster, "reader")
    bind(world.cluster, "prewarm-view", "reader")
    assert allowed(leader.call, "GET", f"/api/v1/prewarms/{made['id']}", token=reader)["id"] == made["id"]
    assert refusal(leader.create, {"volume": "models"}, token=reader).status == 403
    assert refusal(leader.call, "DELETE", f"/api/v1/prewarms/{made['id']}", token=reader).status == 403
    assert refusal(leader.call, "GET", "/api/v1/volumes", token=reader).status == 403
    assert [one["name"] for one in leader.call("GET", "/api/v1/volumes", token=release)["volumes"]] == ["models"]

    # gRPC asks the same.
    assert made["id"] in leader.ctl("get", "prewarms", token=release)
    assert "may not list prewarms.prewarm.dev in namespace others" in ctl_refusal(
        leader, release, "--namespace", "others", "get", "prewarms")
    assert "may not create" in ctl_refusal(leader, reader, "warm", "models:weights")


def ctl_refusal(controller, caller, *words):
    with pytest.raises(AssertionError) as failed:
        controller.ctl(*words, token=caller)
    return str(failed.value)


def test_tokens_that_are_no_good_are_refused(world, leader):
    good = token(world.cluster, "release")
    bind(world.cluster, "prewarm-view", "release")
    assert allowed(leader.call, "GET", "/api/v1/prewarms", token=good) is not None
    for bad in (token(world.cluster, "release", audience="vault"), expired(world.cluster, good), good[:-4] + "AAAA",
                "not-even-a-token", ""):
        problem = refusal(leader.call, "GET", "/api/v1/prewarms", token=bad)
        assert problem.status == 401 and problem.headers["WWW-Authenticate"], problem
    log = leader.child.log.read_text()
    assert good not in log and good.split(".")[2] not in log


def test_what_is_taken_back_is_refused_soon(world, leader):
    leaver = token(world.cluster, "leaver")
    bind(world.cluster, "prewarm-view", "leaver")
    loser = token(world.cluster, "loser")
    bind(world.cluster, "prewarm-view", "loser")
    for one in (leaver, loser):
        assert allowed(leader.call, "GET", "/api/v1/prewarms", token=one) is not None
    world.cluster.delete("ServiceAccount", "leaver")
    world.cluster.delete("RoleBinding", "prewarm-view-loser")
    wait_for(lambda: status_of(leader, leaver) == 401, "a deleted account to be refused", FORGOTTEN_SECONDS)
    wait_for(lambda: status_of(leader, loser) == 403, "a role that was taken back to count no more", FORGOTTEN_SECONDS)


def test_prometheus_scrapes_with_the_token_that_it_has(world, leader):
    scraper = token(world.cluster, "prometheus", audience=None)
    assert refusal(leader.call, "GET", "/metrics", token=scraper).status == 403
    bind(world.cluster, "prewarm-metrics", "prometheus", None, account_namespace="default")
    scraped = wait_for(lambda: text_of(leader, scraper), "the role to count")
    assert 'prewarm_controller_reviews_total{kind="token",result="granted"}' in scraped
    assert refusal(leader.call, "GET", "/config", token=scraper).status == 403


def text_of(controller, caller):
    try:
        return controller.metrics(caller)
    except OSError:
        return None


# ---- agents ----------------------------------------------------------------------------------------------------


def test_an_agent_is_only_the_node_of_its_pod(world, leader):
    liar = world.agent("node-c", leader, node="node-b")
    leader.child.wait_until(lambda: "the token is that of node node-b, not of node-c" in leader.child.log.read_text(),
                            "the liar to be refused")
    liar.child.wait_until(lambda: "controller_away" in liar.log.read_text(), "the liar to say why it is away")
    assert "not of node-c" in liar.log.read_text()
    liar.close()

    stranger = world.agent("node-d", leader)
    stranger.close()
    (stranger.folder / "token").write_text(token(world.cluster, "someone", OURS))
    stranger.start()
    stranger.child.wait_until(lambda: "is not that of the service account" in stranger.log.read_text(),
                              "another account to be refused")
    shown = (stranger.folder / "token").read_text()
    for log in (stranger.log, leader.child.log):
        assert shown not in log.read_text() and shown.split(".")[2] not in log.read_text()


def test_a_rotated_token_is_shown_at_the_next_connection(world, leader):
    agent = world.agent("node-e", leader)
    agent.child.wait_until(lambda: "controller_connected" in agent.log.read_text(), "the agent to be connected")
    # The old pod is gone and its token with it; another one has taken its place.
    world.cluster.call("DELETE", world.cluster.path("Pod", "agent-node-e", OURS) + "?gracePeriodSeconds=0")
    wait_for(lambda: not world.cluster.find("Pod", "agent-node-e", OURS), "the pod to be gone")
    pod(world.cluster, "agent-node-e", OURS, account="prewarm-agent", node="node-e")
    world.give_token(agent.folder, "node-e")
    leader.close()
    leader.start()
    agent.child.wait_until(lambda: agent.log.read_text().count("controller_connected") == 2,
                           "the agent to come back with its new token", 60)


def test_nobody_comes_in_without_any_proof(world, leader):
    without = AgentDaemon(world.folder / "node-f", "node-f", [leader], tls={"ca": str(world.authority.certificate)})
    world.closing.append(without)
    assert without.child.process.wait(20) == 2
    assert "controller.token-file" in without.child.output()


# ---- the leader ------------------------------------------------------------------------------------------------


def test_the_label_says_who_leads_and_a_standby_is_ready(world, leader):
    wait_for(lambda: world.leaders() == {"prewarm-controller-0"}, "the leader's label", 30)
    # As a container leaves it that died while it led.
    pod(world.cluster, "prewarm-controller-1", OURS, account="prewarm-controller", node="cpu-1",
        labels={"app.kubernetes.io/name": "prewarm-controller"})
    world.cluster.patch("Pod", "prewarm-controller-1", {"metadata": {"labels": {LEADS: "true"}}}, OURS)
    standby = world.controller("prewarm-controller-1", lead=False)
    status, words = standby.child.wait_until(
        lambda: (seen := standby.readiness())[0] == 200 and seen, "the standby to be ready", 30)
    assert status == 200 and "stands by: prewarm-controller-0 leads" in words, words
    assert world.leaders() == {"prewarm-controller-0"}

    caller = token(world.cluster, "release")
    bind(world.cluster, "prewarm-view", "release")
    wait_for(lambda: status_of(standby, caller) == 503, "the role to count")
    problem = refusal(standby.call, "GET", "/api/v1/prewarms", token=caller)
    assert problem.status == 503 and int(problem.headers["Retry-After"]) >= 1
    assert "prewarm-controller-0 does" in problem.document["detail"]
    assert "prewarm-controller-0 does" in ctl_refusal(standby, caller, "get", "prewarms")

    leader.kill()
    standby.child.wait_until(standby.ready, "the standby to lead", 60)
    wait_for(lambda: world.leaders() == {"prewarm-controller-1"}, "the label to move", 30)
    # The container of the old pod starts again.
    leader.start(lead=False)
    leader.child.wait_until(lambda: leader.readiness()[0] == 200, "the old leader to stand by", 30)
    assert world.leaders() == {"prewarm-controller-1"}
    standby.close()
    leader.child.wait_until(leader.ready, "the first to lead again", 60)
    wait_for(lambda: world.leaders() == {"prewarm-controller-0"}, "the label to come back", 30)


# ---- without the API server, and rights --------------------------------------------------------------------------


def test_nobody_is_let_in_while_the_api_server_is_away(world, leader):
    known = token(world.cluster, "release")
    unknown = token(world.cluster, "reader")
    for one in ("release", "reader"):
        bind(world.cluster, "prewarm-view", one)
    leader.close()
    patient = world.controller("prewarm-controller-2", lease="2m")
    assert allowed(patient.call, "GET", "/api/v1/prewarms", token=known) is not None
    world.cluster.stop_api_server()
    try:
        problem = refusal(patient.call, "GET", "/api/v1/prewarms", token=unknown)
        assert problem.status == 503 and int(problem.headers["Retry-After"]) >= 1, problem
        assert patient.call("GET", "/api/v1/prewarms", token=known) is not None, "known half a minute ago at most"
    finally:
        world.cluster.start_api_server()
    wait_for(lambda: status_of(patient, unknown) == 200, "the API server to be asked")


def test_what_was_granted_for_this_was_used_and_nothing_was_missing(world):
    granted = rights.granted(shipped(), "prewarm-controller", OURS)
    user = f"system:serviceaccount:{OURS}:prewarm-controller"
    used = rights.used(world.cluster.audit_events(user))
    assert ACCESS <= {(one.verb, one.group, one.resource) for one in used}
    assert ACCESS <= {(one.verb, one.group, one.resource) for one in granted}
    # Kinds that are not installed in this cluster are asked for and are not there.
    assert {one for one in rights.missing(granted, used) if one.group not in ("",)} == set()
    assert rights.missing(granted, used) == set()
