"""Two controllers whose jobs and lease are objects of a cluster, under constant change: the leader is killed, stopped and
continued, or its lease is stolen. Nothing accepted is lost, nothing ends twice, and a leader that was replaced changes
nothing any more, neither in the cluster nor on a node.

PREWARM_TAKEOVERS says how many rounds (default 8), PREWARM_SEED repeats a run."""

import os
import random
import re
import signal
import statistics
import threading
import time
import urllib.error

import pytest

import conftest
from rig.bento_world import FINAL, BentoWorld
from rig.changing_workloads import PATHS, POLICY, seed_models
from rig.cluster_world import NAMESPACE
from rig.fleet import Problem
from rig.process import wait_for
from rig.submitter import Submitter, end_all

ROUNDS = int(os.environ.get("PREWARM_TAKEOVERS", "8"))
SEED = int(os.environ.get("PREWARM_SEED", time.time_ns() % 1_000_000))
LEASE = "2s"
NODES = ("node-a", "node-b")


class Witness(threading.Thread):
    """Watches all prewarms: none ends twice, and none is written by a leader after its successor wrote it."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.ends, self.epochs, self.wrong, self.seen = {}, {}, [], 0

    def run(self):
        while True:
            for _, one in self.cluster.watch("Prewarm"):
                self.look(one)

    def look(self, one):
        self.seen += 1
        uid, status = one["metadata"]["uid"], one.get("status", {})
        state, epoch = status.get("state"), status.get("epoch", 0)
        if uid in self.ends and state != self.ends[uid]:
            self.wrong.append(f"{one['metadata']['name']} was {self.ends[uid]} and then {state}")
        if state in FINAL:
            self.ends[uid] = state
        if epoch < self.epochs.get(uid, 0):
            self.wrong.append(f"{one['metadata']['name']} was written in epoch {epoch} after {self.epochs[uid]}")
        self.epochs[uid] = max(epoch, self.epochs.get(uid, 0))


class Changer(threading.Thread):
    """Lets two annotated Deployments want another number of nodes, all the time."""

    def __init__(self, cluster, seed):
        super().__init__(daemon=True)
        self.cluster, self.random = cluster, random.Random(seed)
        self.ending = threading.Event()
        self.wanted, self.changes = {"w-0": 1, "w-1": 1}, 0
        for index, path in enumerate(PATHS):
            cluster.apply({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": f"w-{index}", "namespace": "default",
                             "annotations": {"prewarm.dev/models": f"models:{path}"}},
                "spec": {"replicas": 1, "selector": {"matchLabels": {"app": path}}, "template": {
                    "metadata": {"labels": {"app": path}},
                    "spec": {"containers": [{"name": "main", "image": "plain"}]}}}})

    def run(self):
        while not self.ending.wait(0.3):
            name, count = self.random.choice(("w-0", "w-1")), self.random.randint(0, len(NODES))
            try:
                self.cluster.patch("Deployment", name, {"spec": {"replicas": count}})
            except OSError:
                continue  # whether it was done is seen when it is done again
            self.wanted[name] = count
            self.changes += 1


class Pair(BentoWorld):
    def __init__(self, *fixtures):
        super().__init__(*fixtures, with_scheduling=False)
        seed_models(self)
        self.cluster.apply(POLICY)
        self.start_controller(lease=LEASE)
        self.start_controller(lease=LEASE, beside=self.controllers[0])
        self.add_nodes(*NODES, gpus=0)
        self.leader, self.standby = self.controllers
        self.epoch = self.leader.epoch()

    def wait_for_leader(self, among):
        """The controller that leads in a newer epoch, and when it was seen to."""
        def leader():
            for one in among:
                if one.child.running() and epoch_of(one) > self.epoch:
                    return one
            return None
        found = wait_for(leader, f"a new leader (seed {SEED})\n{[one.child.output()[-1500:] for one in among]}", 60)
        self.epoch = epoch_of(found)
        self.leader, = (one for one in self.controllers if one is found)
        self.standby, = (one for one in self.controllers if one is not found)
        return time.monotonic()

    def lease(self):
        return self.cluster.get("Lease", "prewarm-controller", NAMESPACE)


def epoch_of(controller):
    """0: it stands by, or does not answer."""
    try:
        return controller.epoch()
    except (OSError, urllib.error.URLError, TypeError):
        return 0


@pytest.fixture
def pair(folder, store_folder, redis, closing):
    return Pair(folder, store_folder, redis, closing)


# Each begins the fault and says when that was; the old leader is up again, as a standby, when `after` has returned.
class Killed:
    def begin(self, pair):
        pair.leader.kill()

    def after(self, pair, old):
        old.start(lead=False)


class Stopped:
    def begin(self, pair):
        pair.leader.child.process.send_signal(signal.SIGSTOP)

    def after(self, pair, old):
        """It accepts nothing more, and ends as soon as it finds out."""
        old.child.process.send_signal(signal.SIGCONT)

        def has_ended():
            try:
                accepted = old.create({"volume": "models", "paths": [PATHS[0]], "model": "too late"}, seconds=2)
                raise AssertionError(f"a leader that was replaced accepted {accepted['id']}")
            except (Problem, urllib.error.URLError, OSError, ValueError):
                return not old.child.running()
        wait_for_end(old, has_ended)
        assert old.child.process.returncode == 1 and "lead_lost" in old.child.output()
        old.start(lead=False)


class Stolen:
    def begin(self, pair):
        lease = pair.lease()
        pair.cluster.patch("Lease", "prewarm-controller", {"spec": {
            "holderIdentity": "thief", "leaseTransitions": lease["spec"]["leaseTransitions"] + 1}}, NAMESPACE)

    def after(self, pair, old):
        wait_for_end(old, lambda: not old.child.running())
        assert old.child.process.returncode == 1 and "lead_lost" in old.child.output()
        old.start(lead=False)


def wait_for_end(old, has_ended):
    try:
        wait_for(has_ended, "the old leader to end", 30)
    except AssertionError as error:
        raise AssertionError(f"{error}; epoch {epoch_of(old)}\n{old.child.output()}") from None


def epochs_heard(agent):
    """By all processes of the agent, in order."""
    logs = sorted(agent.folder.glob("agent-*.log"))
    return [int(epoch) for log in logs for epoch in re.findall(r"controller_connected epoch=(\d+)", log.read_text())]


def test_nothing_is_lost_and_nobody_obeys_an_old_leader(pair):
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    witness, changer = Witness(pair.cluster), Changer(pair.cluster, SEED)
    submitters = [Submitter(pair.controllers, number, lambda key, count: {
        "volume": "models", "paths": [PATHS[count % 2]], "model": key}, pause=0.25, seconds=2) for number in range(2)]
    for one in (witness, changer, *submitters):
        one.start()
    faults = [kind() for kind in (Killed, Stopped, Stolen)] * (ROUNDS // 3 + 1)
    chance.shuffle(faults)
    times = {}
    for fault in faults[:ROUNDS]:
        old = pair.leader
        begin = time.monotonic()
        fault.begin(pair)
        if isinstance(fault, Stolen):
            fault.after(pair, old)
            among = pair.controllers
        else:
            among = [pair.standby]
        led = pair.wait_for_leader(among)
        times.setdefault(type(fault).__name__.lower(), []).append(led - begin)
        if not isinstance(fault, Stolen):
            fault.after(pair, old)
        pair.leader.wait_for_nodes(len(NODES), seconds=60)
        assert not witness.wrong, f"seed {SEED}: {witness.wrong}"
    changer.ending.set()
    changer.join(30)
    accepted = end_all(submitters)
    check_ends(pair, witness, changer, accepted)
    for node, agent in pair.agents.items():
        epochs = epochs_heard(agent)
        assert epochs == sorted(epochs), f"{node} went back to an older leader: {epochs}"
        assert epochs[-1] == pair.epoch
    every = [seconds for of_one in times.values() for seconds in of_one]
    conftest.SUMMARY.append(
        f"takeovers with lease {LEASE}: {ROUNDS}, {len(accepted)} prewarms accepted, {changer.changes} changes of "
        f"workloads, 0 lost; until the next leads: median {statistics.median(every):.2f} s, max {max(every):.2f} s ("
        + ", ".join(f"{kind} {len(of)}: {statistics.median(of):.2f}/{max(of):.2f}" for kind, of in times.items()) + ")")


def check_ends(pair, witness, changer, accepted):
    def objects():
        return {one["metadata"]["name"]: one for one in pair.prewarms()}

    def state_of(found, prewarm):
        one = found.get(prewarm.removeprefix("default."))
        return one and one.get("status", {}).get("state")

    def all_ended():
        found = objects()
        return all(state_of(found, prewarm) in (*FINAL, None) for prewarm in accepted.values())
    wait_for(all_ended, f"every accepted prewarm to end (seed {SEED})", 120)
    found = objects()
    states = {key: state_of(found, prewarm) for key, prewarm in accepted.items()}
    wrong = {key: state for key, state in states.items() if state != "succeeded"}
    assert not wrong, f"seed {SEED}: of {len(accepted)} accepted: {wrong}"
    assert len(set(accepted.values())) == len(accepted), "two keys, one prewarm"
    assert len(accepted) > ROUNDS and not witness.wrong, witness.wrong
    # The workloads have what they want, once, whoever led while they changed.
    wanted = {name: count for name, count in changer.wanted.items() if count > 0}

    def in_step():
        ours = [one["spec"] for one in pair.unfinished() if "workload" in one["spec"]]
        names = [spec["workload"]["name"] for spec in ours if len(spec["targets"])]
        return sorted(names) == sorted(wanted) and all(
            len(spec["targets"]) == wanted[spec["workload"]["name"]] for spec in ours)
    wait_for(in_step, f"what workloads want to be so: {wanted} (seed {SEED})", 60)
    assert witness.seen > len(accepted)
