"""The images: what deploy/docker/rootfs.sh puts into them, and that each program starts from nothing else with the
configuration, user, capabilities, read-only root and rights that deploy/kubernetes gives it. Neither an image builder
nor a container runtime takes part; deploy/docker/README.md says what that leaves unseen."""

import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import urllib.error
import urllib.request

import pytest
import yaml

from conftest import SUMMARY
from rig.fleet import CONTROLLER
from rig.image import DEPLOY, ImagePod, make_image
from rig.kube import TOOLS, Cluster
from rig.kube_api import documents
from rig.process import AGENT, free_port

PROGRAMS = {"prewarm-agent": AGENT, "prewarm-controller": CONTROLLER}
KINDS = {"prewarm-agent": "DaemonSet", "prewarm-controller": "Deployment"}
USERS = {"prewarm-agent": 0, "prewarm-controller": 65532}
MOST_MIB = 64
NODE = "gpu-1"
NAMESPACE = "prewarm-system"
WATCHED = {"nodes", "pods", "deployments", "horizontalpodautoscalers", "persistentvolumes", "persistentvolumeclaims",
           "storageclasses", "prewarmpolicies"}
OVERLAYS = sorted(path.name for path in (DEPLOY / "kubernetes/overlays").iterdir())
CACHES = ("/var/jfsCache", "/mnt/stateful_partition/kube-ephemeral-ssd/jfsCache")
SECRETS = {"prewarm-volumes": {"models": "redis://127.0.0.1:1/1\n"}}


@pytest.fixture(scope="module")
def images(module_folder):
    made = {}
    for name, program in PROGRAMS.items():
        made[name] = module_folder / name
        done = make_image(program, made[name])
        assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def secrets():
    """What the guide has made before it installs."""
    certificates = subprocess.run([DEPLOY / "kubernetes/make-certificates.sh", "2", "gpu-0", NODE], capture_output=True,
                                  text=True, timeout=60, check=True).stdout
    return documents(certificates) + [json.loads(subprocess.run(
        [TOOLS / "kubectl", "create", "secret", "generic", name, "--dry-run=client", "--output=json",
         *(f"--from-literal={key}={text}" for key, text in files.items())],
        capture_output=True, text=True, timeout=60, check=True).stdout) for name, files in SECRETS.items()]


def site(folder, overlay):
    """deploy/kubernetes/examples/site, copied out of the tree and put on an overlay, as the guide says."""
    copy = folder / "site"
    shutil.copytree(DEPLOY / "kubernetes/examples/site", copy, dirs_exist_ok=True)
    kustomization = yaml.safe_load((copy / "kustomization.yaml").read_text())
    kustomization["resources"] = [os.path.relpath(DEPLOY / "kubernetes/overlays" / overlay, copy)]
    if overlay == "gke":
        shutil.copy(DEPLOY / "kubernetes/overlays/csi/agent.yaml", copy / "csi.yaml")
        kustomization["patches"].append({"path": "csi.yaml"})
    (copy / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return documents(subprocess.run([TOOLS / "kubectl", "kustomize", copy], capture_output=True, text=True, timeout=60,
                                    check=True).stdout)


@pytest.fixture
def pod_of(secrets, folder):
    def make(name, overlay="csi"):
        objects = site(folder, overlay)
        [workload] = [one for one in objects if (one["kind"], one["metadata"]["name"]) == (KINDS[name], name)]
        for path in ("cache", "mounts"):
            (folder / path).mkdir(exist_ok=True)
        return ImagePod(folder, objects + secrets, workload["spec"]["template"], tokens={"prewarm.dev": "some.bound.token"},
                        host_paths={path: folder / "cache" for path in CACHES} | {
                            "/var/lib/juicefs/volume": folder / "mounts"},
                        downward={"spec.nodeName": NODE, "metadata.name": "prewarm-controller-0",
                                  "status.podIP": "10.0.0.7"})
    return make


def files_of(image):
    return [path for path in image.rglob("*") if path.is_file() and not path.is_symlink()]


def run(pod, name, images, folder, *args):
    child = pod.start(name.removeprefix("prewarm-"), images[name], folder / f"{name}.log", args=list(args))
    return child.process.wait(60), child.output()


# ---- what is in it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_image_holds_one_program_and_no_way_to_become_another_user(images, name):
    image = images[name]
    runnable = {str(path.relative_to(image)) for path in files_of(image) if path.stat().st_mode & 0o111}
    assert runnable == {f"usr/bin/{name}", "usr/lib64/ld-linux-x86-64.so.2"}
    for path in [image, *image.rglob("*")]:
        mode = path.lstat().st_mode
        assert stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode), path
        assert not mode & (stat.S_ISUID | stat.S_ISGID), path
        assert stat.S_ISLNK(mode) or path == image / "tmp" or not mode & 0o022, path
        assert "security.capability" not in os.listxattr(path, follow_symlinks=False), path
        assert (path.lstat().st_uid, path.lstat().st_gid) == (0, 0), path


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_link_of_an_image_leads_to_what_it_does_not_hold(images, name):
    image = images[name]
    for link in (path for path in image.rglob("*") if path.is_symlink()):
        target = os.readlink(link)
        assert (image / target.lstrip("/") if target.startswith("/") else link.parent / target).exists(), (link, target)


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_image_is_small(images, name):
    size = sum(path.stat().st_size for path in files_of(images[name])) / (1 << 20)
    SUMMARY.append(f"image {name}: {size:.1f} MiB in {len(files_of(images[name]))} files")
    assert 5 < size < MOST_MIB


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_image_says_which_packages_it_is_made_of_and_under_which_licences(images, name):
    image = images[name]
    packages = {path.name: path.read_text() for path in (image / "var/lib/dpkg/status.d").iterdir()}
    for package in ("libc6", "libssl3", "libgrpc29", "libstdc++6", "ca-certificates"):
        version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True,
                                 timeout=60, check=True).stdout
        assert f"\nVersion: {version}\n" in packages[package]
    for package in [*packages, "prewarm"]:
        assert (image / "usr/share/doc" / package / "copyright").stat().st_size > 100, package
    assert "bookworm" in (image / "etc/os-release").read_text()


def test_a_library_that_no_package_owns_is_no_part_of_an_image(folder):
    library = pathlib.Path("/usr/lib/x86_64-linux-gnu/liblz4.so.1")
    shutil.copy(library, folder / library.name)
    done = make_image(AGENT, folder / "image", {"LD_LIBRARY_PATH": str(folder)})
    assert done.returncode != 0 and f"no package owns {folder / library.name}" in done.stderr
    done = make_image(AGENT, folder / "image")
    assert done.returncode == 2 and "is not empty" in done.stderr


def test_the_build_sees_every_file_that_it_needs(folder):
    root = DEPLOY.parent
    wanted = [line[1:] for line in (DEPLOY / "docker/Dockerfile.dockerignore").read_text().splitlines()
              if line.startswith("!")]
    for path in wanted:
        target = folder / "src" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (root / path).is_dir() else shutil.copy2)(root / path, target)
    [configure] = re.findall(r"cmake --preset release -B /build (.*?) &&", (DEPLOY / "docker/Dockerfile").read_text())
    subprocess.run(["cmake", "--preset", "release", "-B", folder / "build", *configure.split()], cwd=folder / "src",
                   check=True, capture_output=True, timeout=120)
    subprocess.run(["ninja", "-n", "-C", folder / "build", *PROGRAMS], check=True, capture_output=True, timeout=120)


# ---- how it starts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_an_image_tells_about_itself(pod_of, images, folder, name):
    pod = pod_of(name)
    code, said = run(pod, name, images, folder, "--version")
    assert code == 0 and said.startswith(f"{name} ")
    code, said = run(pod, name, images, folder, "--help")
    assert code == 0 and "Usage: " in said
    code, said = run(pod, name, images, folder, "--no-such-option")
    assert code == 2


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_configuration_that_the_guide_installs_is_right(pod_of, images, folder, name, overlay):
    pod = pod_of(name, overlay)
    [container] = pod.spec["containers"]
    code, said = run(pod, name, images, folder, *container["args"], "--check-config")
    assert code == 0, said


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def assert_confined(child, uid):
    status = pathlib.Path(f"/proc/{child.process.pid}/status").read_text()
    assert {key: int(value, 16) for key, value in re.findall(r"^(Cap\w+):\s+(\w+)$", status, re.MULTILINE)} == {
        "CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapAmb": 0}
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    assert re.search(r"^Uid:\s+(\d+)\s+(\d+)\s+(\d+)", status, re.MULTILINE).groups() == (str(uid),) * 3
    mounts = pathlib.Path(f"/proc/{child.process.pid}/mountinfo").read_text()
    [root] = [line for line in mounts.splitlines() if line.split()[4] == "/"]
    assert root.split()[5].split(",")[0] == "ro"


def test_the_agent_serves_from_its_image_until_it_is_asked_to_end(pod_of, images, folder):
    pod = pod_of("prewarm-agent")
    [container] = pod.spec["containers"]
    port = free_port()
    child = pod.start("agent", images["prewarm-agent"], folder / "agent.log",
                      args=[*container["args"], f"--listen=127.0.0.1:{port}"])
    try:
        child.wait_until(lambda: get(port, "/healthz") == 200, "the agent's health", 60)
        assert_confined(child, USERS["prewarm-agent"])
        assert child.stop(signal.SIGTERM) == 0, child.output()
    finally:
        child.stop()


def test_agent_and_controller_find_each_other_from_their_images(pod_of, images, folder):
    """The controller keeps its jobs in a file here, because no cluster is at hand."""
    grpc, http, admin = free_port(), free_port(), free_port()
    controller = pod_of("prewarm-controller")
    (folder / "state").mkdir()
    os.chown(folder / "state", USERS["prewarm-controller"], USERS["prewarm-controller"])
    [container] = controller.spec["containers"]
    controller.spec = {**controller.spec, "volumes": [*controller.spec["volumes"],
                                                      {"name": "state", "hostPath": {"path": "/var/lib/prewarm"}}],
                       "containers": [{**container, "volumeMounts": [
                           *container["volumeMounts"], {"name": "state", "mountPath": "/var/lib/prewarm"}]}]}
    controller.host_paths["/var/lib/prewarm"] = folder / "state"
    (folder / "state/tokens").write_text("some-long-token,release,yatai,get+create+cancel+metrics\n")
    (folder / "state/controller.yaml").write_text(json.dumps({
        "listen": {"grpc": f"127.0.0.1:{grpc}", "http": f"127.0.0.1:{http}", "certificate": "/etc/prewarm/tls/tls.crt",
                   "key": "/etc/prewarm/tls/tls.key", "client-ca": "/etc/prewarm/tls/ca.crt"},
        "api": {"tokens": "/var/lib/prewarm/tokens"}}))
    leader = controller.start("controller", images["prewarm-controller"], folder / "controller.log",
                              args=["--config=/var/lib/prewarm/controller.yaml"])
    (folder / "node").mkdir()
    agent = pod_of("prewarm-agent")
    agent.folder = folder / "node"
    [container] = agent.spec["containers"]
    node = agent.start("agent", images["prewarm-agent"], folder / "agent.log", args=[
        *container["args"], f"--listen=127.0.0.1:{admin}", f"--addresses=127.0.0.1:{grpc}",
        "--server-name=prewarm-controller.prewarm-system.svc"])
    try:
        node.wait_until(lambda: "controller_connected" in node.log.read_text(), "the agent at the controller", 30)
        node.wait_until(lambda: get(admin, "/readyz") == 200, "the agent to be ready", 60)
        assert_confined(leader, USERS["prewarm-controller"])
        assert (folder / "state/controller.db").stat().st_uid == USERS["prewarm-controller"]
        assert [child.stop(signal.SIGTERM) for child in (node, leader)] == [0, 0]
    finally:
        node.stop()
        leader.stop()


# ---- in a cluster ---------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(folder):
    cluster = Cluster(folder / "kube", audit=True)
    try:
        yield cluster
    finally:
        cluster.close()


def asked(cluster, account):
    """What the account has asked the API server: (verb, resource, answer)."""
    return [(one["verb"], one["objectRef"]["resource"], one["responseStatus"]["code"])
            for one in cluster.audit_events(account) if "objectRef" in one and "responseStatus" in one]


def test_the_controller_leads_in_a_cluster_from_its_image_with_the_rights_that_are_shipped(
        pod_of, images, folder, cluster):
    pod = pod_of("prewarm-controller")
    cluster.apply([one for one in pod.objects if one["kind"] != "Secret" and one["apiVersion"] != "cert-manager.io/v1"])
    token = cluster.call("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/prewarm-controller/token", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})["status"]["token"]
    identity = folder / "identity"
    identity.mkdir()
    (identity / "token").write_text(token)
    (identity / "namespace").write_text(NAMESPACE)
    shutil.copy(cluster.authority.certificate, identity / "ca.crt")
    # What the API server adds to every pod, and ports of the test's own.
    [container] = pod.spec["containers"]
    pod.spec["volumes"].append({"name": "kube-api-access", "hostPath": {"path": "identity"}})
    container["volumeMounts"].append({"name": "kube-api-access", "readOnly": True,
                                      "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"})
    pod.host_paths["identity"] = identity
    for one in pod.objects:
        if one["kind"] == "ConfigMap" and "controller.yaml" in one["data"]:
            one["data"]["controller.yaml"] = re.sub(
                r"0\.0\.0\.0:\d+", lambda _: f"127.0.0.1:{free_port()}", one["data"]["controller.yaml"])
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "prewarm-controller-0", "namespace": NAMESPACE},
                   "spec": {"containers": [{"name": "controller", "image": "prewarm-controller"}]}})
    child = pod.start("controller", images["prewarm-controller"], folder / "controller.log", env={
        "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(cluster.port)})
    account = f"system:serviceaccount:{NAMESPACE}:prewarm-controller"
    try:
        child.wait_until(lambda: '"leading"' in child.log.read_text(), "the controller to lead", 60)
        child.wait_until(lambda: WATCHED <= {resource for verb, resource, _ in asked(cluster, account) if verb == "watch"},
                         "the controller to watch the cluster", 60)
        lease = cluster.get("Lease", "prewarm-controller", NAMESPACE)
        assert lease["spec"]["holderIdentity"].startswith("prewarm-controller-0/")
        child.wait_until(lambda: cluster.get("Pod", "prewarm-controller-0", NAMESPACE)["metadata"].get("labels") == {
            "prewarm.dev/leads": "true"}, "the pod to have the leader's label", 30)
        assert_confined(child, USERS["prewarm-controller"])
        assert [one for one in asked(cluster, account) if one[2] in (401, 403)] == []
        assert child.stop(signal.SIGTERM) == 0, child.output()
    finally:
        child.stop()
