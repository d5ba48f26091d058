"""Images as deploy/docker/rootfs.sh makes them, and containers of rendered manifests that run from them on this machine:
their files are those of the image, of the volumes and of the runtime (/proc, /dev, hosts, resolv.conf), and no others."""

import os
import pathlib
import shlex
import subprocess
import sys

from rig.pod import DEVICES, Pod, bind

DEPLOY = pathlib.Path(__file__).resolve().parents[3] / "deploy"
CONFINED = pathlib.Path(__file__).resolve().with_name("confined.py")


def make_image(program, target, env=None):
    return subprocess.run([DEPLOY / "docker/rootfs.sh", program, target], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **(env or {})})


class ImagePod(Pod):
    """`start` takes the image's folder in place of a program, and runs the one program in it."""

    def steps(self, container, program, words):
        root = self.folder / "root"
        root.mkdir(parents=True, exist_ok=True)
        [entrypoint] = (program / "usr/bin").iterdir()
        # A copy, because the runtime adds files and mount points to what the image holds.
        yield f"mount -t tmpfs -o mode=755 root {root}"
        yield f"cp -a {shlex.quote(str(program))}/. {root} && cd {root}"
        for path in ("etc/hosts", "etc/resolv.conf"):
            yield from bind(f"/{path}", path)
        for name in DEVICES:
            yield from bind(f"/dev/{name}", f"dev/{name}", writable=True)
        yield "mount --bind /proc proc"
        volumes = {one["name"]: one for one in self.spec["volumes"]}
        for one in container["volumeMounts"]:
            source, writable = self.source(volumes[one["name"]])
            yield from bind(source, one["mountPath"].lstrip("/"), writable=writable and not one.get("readOnly"))
        context = {**self.spec.get("securityContext", {}), **container["securityContext"]}
        assert context["readOnlyRootFilesystem"] and context["capabilities"] == {"drop": ["ALL"]}
        assert context["allowPrivilegeEscalation"] is False
        yield "mount -o remount,ro ."
        yield shlex.join(["exec", sys.executable, str(CONFINED), ".", str(context["runAsUser"]), str(context["runAsGroup"]),
                          str(context.get("fsGroup", "")), f"/usr/bin/{entrypoint.name}", *words])
