"""Whatever comes between the controller and the API server while workloads change: afterwards the same is warm as if
nothing had been, no prewarm that was accepted is lost, and nobody asks the server for everything again and again.

PREWARM_SEED repeats a run."""

import os
import time

import pytest

import conftest
from rig.bento_world import FINAL, BentoWorld
from rig.changing_workloads import PATHS, ChangingWorkloads, seed_models
from rig.kube_proxy import KubeProxy
from rig.process import wait_for
from rig.submitter import Submitter, end_all

SEED = int(os.environ.get("PREWARM_SEED", time.time_ns() % 1_000_000))
NODES = ("node-a", "node-b", "node-c")
FAULT_SECONDS = 3  # how long each is there while workloads change
CONVERGE_SECONDS = 60
LEASE = "30s"  # no fault is to last so long that the lead is lost
WATCHED = 20  # resources, at most


class Storm(BentoWorld):
    def __init__(self, *fixtures):
        super().__init__(*fixtures)
        seed_models(self)
        self.proxy = self.closed(KubeProxy(self.cluster, SEED))
        self.controller = self.start_controller(server=self.proxy.url, lease=LEASE)
        self.add_nodes(*NODES, gpus=0)
        self.workloads = ChangingWorkloads(self, SEED)
        self.workloads.apply_all()
        self.workloads.start()
        self.submitter = Submitter([self.controller], 1, lambda key, count: {
            "volume": "models", "paths": [PATHS[count % 2]], "model": key}, pause=0.2)
        self.submitter.start()

    def converges(self, after):
        self.proxy.heal()
        self.workloads.pause_changes()
        self.workloads.restore()
        begin = time.monotonic()
        try:
            wait_for(self.workloads.in_step, f"everything to be in step after {after} (seed {SEED})", CONVERGE_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\nexpected {self.workloads.expected()}\nis {self.workloads.warm()}\n"
                                 f"{self.controller.child.output()}") from None
        assert self.controller.child.running(), self.controller.child.output()
        return time.monotonic() - begin

    def meanwhile(self, fault):
        """Workloads change before, during and after the fault's beginning."""
        self.workloads.begin()
        fault()
        deadline = time.monotonic() + FAULT_SECONDS
        wait_for(lambda: time.monotonic() > deadline, "the time of the fault")


@pytest.fixture
def storm(folder, store_folder, redis, closing):
    return Storm(folder, store_folder, redis, closing)


def cut_watches(storm):
    storm.proxy.cut_after = 2000
    storm.proxy.cut_all()


def stall(storm):
    storm.proxy.stall()


def expire_by_status(storm):
    storm.proxy.expire("", in_stream=False, times=WATCHED)
    storm.proxy.cut_all()


def expire_in_stream(storm):
    storm.proxy.expire("", in_stream=True, times=WATCHED)
    storm.proxy.cut_all()


def too_many_requests(storm):
    storm.proxy.answer(429, headers={"Retry-After": "1"})
    storm.proxy.cut_all()


def disorder(storm):
    storm.proxy.disorder = True


def kill_api_server(storm):
    storm.cluster.stop_api_server()
    storm.cluster.start_api_server()
    storm.cluster.start_scheduling()  # these have given up, or wait for longer than a test does


# Each with the counter of the proxy that shows that it happened, how often at least, and how often all of one resource
# may have been asked for meanwhile.
FAULTS = [
    (cut_watches, "cut in a line", 10, 1),
    (stall, "stalled", 3, 1),
    (expire_by_status, "410", 10, 3),
    (expire_in_stream, "200 in stream", 10, 3),
    (too_many_requests, "429", 10, 2),
    (disorder, "reordered", 3, 3),
    (disorder, "repeated", 1, 3),
    (kill_api_server, None, 0, 2),
]


def test_what_comes_in_between_changes_nothing_in_the_end(storm):
    print(f"seed {SEED}")
    assert storm.converges("the start") < CONVERGE_SECONDS
    conftest.SUMMARY.append(
        f"{'fault':20}{'times':>6}{'changes':>9}{'requests':>10}{'lists':>7}{'of one':>7}{'in step, s':>12}")
    wrong = []
    for fault, counter, times, most_lists in FAULTS:
        before_lists, before = storm.proxy.lists.copy(), storm.proxy.fired[counter]
        changes, requests = storm.workloads.changes, storm.proxy.requests.total()
        storm.meanwhile(lambda fault=fault: fault(storm))
        seconds = storm.converges(fault.__name__)
        fired, changes = storm.proxy.fired[counter] - before, storm.workloads.changes - changes
        lists = storm.proxy.lists - before_lists
        path, most = lists.most_common(1)[0] if lists else ("", 0)
        conftest.SUMMARY.append(f"{fault.__name__:20}{fired:6}{changes:9}{storm.proxy.requests.total() - requests:10}"
                                f"{lists.total():7}{most:7}{seconds:12.1f}")
        if fired < times or changes == 0:
            wrong.append(f"{fault.__name__} happened {fired} times, over {changes} changes")
        if most > most_lists:
            wrong.append(f"{fault.__name__}: all of {path} was asked for {most} times")
    assert not wrong, (SEED, wrong)
    accepted = end_all([storm.submitter])
    storm.wait_for(lambda: all(one.get("status", {}).get("state") in FINAL for one in storm.prewarms()
                               if "workload" not in one["spec"]), "what was submitted to end")
    known = {one["metadata"]["name"]: one for one in storm.prewarms()}
    lost = [one for one in accepted.values() if one.removeprefix("default.") not in known]
    assert len(accepted) > 20 and not lost, f"seed {SEED}: {len(lost)} of {len(accepted)} are gone"
    stuck = {}
    for prewarm in accepted.values():
        state = known[prewarm.removeprefix("default.")].get("status", {}).get("state")
        if state != "succeeded":
            stuck[prewarm] = [line for line in storm.controller.child.log.read_text().splitlines() if prewarm in line]
    assert not stuck, (SEED, stuck)
