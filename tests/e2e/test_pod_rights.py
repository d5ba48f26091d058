"""Agent and controller with the user, capabilities, read-only root and mounts of the rendered manifests, on this
machine: what they may not do they cannot, and what they must do they can."""

import json
import pathlib
import re
import subprocess

import pytest

from rig.agent import LITTLE_FLOOR, verify
from rig.fleet import CONTROLLER
from rig.kube import TOOLS
from rig.kube_api import documents
from rig.pod import Pod
from rig.process import AGENT
from rig.stores import S3Store
from rig.tree import random_bytes
from rig.volume import Volume

KUBERNETES = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
LOOK = ("id -u; id -g; grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs)' /proc/self/status | tr -d '\\t'; "
        "for path in /new /etc/new /usr/new /etc/prewarm/config/new {cache}; do "
        "if (: >$path) 2>/dev/null; then echo writes $path; fi; done; ls /etc/prewarm/tls; cat /etc/prewarm/tls/tls.key "
        ">/dev/null && echo reads its key; [ -e /root ] || echo no home")


@pytest.fixture(scope="module")
def rendered():
    objects = subprocess.run([TOOLS / "kubectl", "kustomize", KUBERNETES / "base"], capture_output=True, text=True,
                             timeout=60, check=True).stdout
    secrets = subprocess.run([KUBERNETES / "make-certificates.sh"], capture_output=True, text=True, timeout=60, check=True)
    return documents([objects, secrets.stdout])


def pod_of(rendered, folder, kind, name):
    [workload] = [one for one in rendered if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    cache = folder / "cache"
    cache.mkdir(exist_ok=True)
    return Pod(folder, rendered, workload["spec"]["template"], host_paths={"/var/jfsCache": cache},
               downward={"spec.nodeName": "gpu-1", "metadata.name": "prewarm-controller-0", "status.podIP": "10.0.0.7"},
               tokens={"prewarm.dev": "some.bound.token"})


def output_of(child, code=0):
    assert child.process.wait(60) == code, child.output()
    return child.log.read_text()


@pytest.mark.parametrize("kind, name, uid, key_mode", [
    ("DaemonSet", "prewarm-agent", 0, 0o400), ("Deployment", "prewarm-controller", 65532, 0o440)])
def test_a_container_can_do_no_more_than_it_is_meant_to(rendered, folder, kind, name, uid, key_mode):
    pod = pod_of(rendered, folder, kind, name)
    container = name.removeprefix("prewarm-")
    said = output_of(pod.start(container, "/bin/dash", folder / "look.log",
                               args=["-c", LOOK.format(cache="/var/jfsCache/new")])).split("\n")
    assert said[:2] == [str(uid), str(uid)]
    assert {line.partition(":")[0]: int(line.partition(":")[2], 16) for line in said[2:6]} == {
        "CapPrm": 0, "CapEff": 0, "CapBnd": 0, "NoNewPrivs": 1}
    assert [line for line in said if line.startswith("writes")] == (
        ["writes /var/jfsCache/new"] if name == "prewarm-agent" else [])
    assert {"ca.crt", "tls.crt", "tls.key", "reads its key", "no home"} <= set(said)
    assert (folder / "volumes/tls/tls.key").stat().st_mode & 0o777 == key_mode


def test_an_agent_without_any_capability_fills_the_cache_of_its_node(rendered, folder, store_folder, redis, closing):
    store = S3Store(store_folder)
    closing.append(store)
    volume = Volume(folder / "volume", redis.new_database(), store)
    closing.append(volume)
    with volume.mount() as root:
        (root / "weights").write_bytes(random_bytes(9_000_000, 1))
    pod = pod_of(rendered, folder, "DaemonSet", "prewarm-agent")
    words = ["warm", "--json", "--meta", volume.meta, "--cache-dir", "/var/jfsCache", *LITTLE_FLOOR, "weights"]
    child = pod.start("agent", AGENT, folder / "warm.log", args=words, env=volume.store.env)
    report = json.loads(output_of(child).splitlines()[-1])
    assert report["status"] == "done" and report["bytes_fetched"] == 9_000_000
    assert verify(volume, folder / "cache", "weights")["status"]
    blocks = [path for path in (folder / "cache").rglob("*") if path.is_file() and "/raw/" in str(path)]
    assert blocks and {(path.stat().st_uid, path.stat().st_mode & 0o777) for path in blocks} == {(0, 0o600)}


@pytest.mark.parametrize("kind, name, program", [
    ("DaemonSet", "prewarm-agent", AGENT), ("Deployment", "prewarm-controller", CONTROLLER)])
def test_a_program_starts_from_what_its_container_holds(rendered, folder, kind, name, program):
    pod = pod_of(rendered, folder, kind, name)
    said = output_of(pod.start(name.removeprefix("prewarm-"), program, folder / "version.log", args=["--version"]))
    assert re.match(rf"{name} \d+\.\d+\.\d+", said)
