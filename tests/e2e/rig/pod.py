"""A container of a rendered manifest, run on this machine as the kubelet would have it run: its arguments, user, groups,
capabilities, read-only root and mounts, and nothing else. Needs root. What is not reproduced: images, network
namespaces, seccomp, limits of memory."""

import base64
import os
import pathlib
import re
import shlex

from rig.process import Child

# What an image brings besides the program.
SYSTEM = ("usr", "etc/ssl", "etc/nsswitch.conf", "etc/hosts", "etc/resolv.conf")
DEVICES = ("null", "zero", "urandom")


class Pod:
    """`objects`: the rendered manifests. `downward`: values of field references ("spec.nodeName"). `host_paths`:
    folders of this machine in place of the node's. `tokens`: of projected service account tokens, by audience."""

    def __init__(self, folder, objects, template, *, downward=None, host_paths=None, tokens=None):
        self.folder = pathlib.Path(folder)
        self.objects, self.spec = objects, template["spec"]
        self.downward, self.host_paths, self.tokens = downward or {}, host_paths or {}, tokens or {}

    def start(self, container_name, program, log, *, args=None, env=None):
        """`args` in place of the rendered ones, for commands that the manifest does not run."""
        [container] = [one for one in self.spec["containers"] if one["name"] == container_name]
        variables = {**{one["name"]: self.value_of(one) for one in container.get("env", [])}, **(env or {})}
        words = [re.sub(r"\$\((\w+)\)", lambda found: variables.get(found[1], found[0]), word)
                 for word in (args if args is not None else container["args"])]
        script = self.folder / f"{container_name}-start.sh"
        script.write_text("\n".join(self.steps(container, pathlib.Path(program).resolve(), words)) + "\n")
        return Child(["unshare", "--mount", "--propagation", "private", "sh", "-eu", script], log, variables)

    def value_of(self, variable):
        if "value" in variable:
            return variable["value"]
        return self.downward[variable["valueFrom"]["fieldRef"]["fieldPath"]]

    def steps(self, container, program, words):
        root = self.folder / "root"
        root.mkdir(parents=True, exist_ok=True)
        yield f"mount -t tmpfs -o mode=755 root {root}"
        yield f"cd {root} && mkdir -p proc dev etc app && for link in bin sbin lib lib64; do ln -s usr/$link $link; done"
        for path in SYSTEM:
            if os.path.exists(f"/{path}"):
                yield from bind(f"/{path}", path)
        for name in DEVICES:
            yield from bind(f"/dev/{name}", f"dev/{name}", writable=True)
        yield "mount --bind /proc proc"
        yield from bind(program, f"app/{program.name}")
        volumes = {one["name"]: one for one in self.spec["volumes"]}
        for one in container["volumeMounts"]:
            source, writable = self.source(volumes[one["name"]])
            yield from bind(source, one["mountPath"].lstrip("/"), writable=writable and not one.get("readOnly"))
        context = {**self.spec.get("securityContext", {}), **container.get("securityContext", {})}
        if context.get("readOnlyRootFilesystem"):
            yield "mount -o remount,ro ."
        yield shlex.join(["exec", *became(context), f"/app/{program.name}", *words])

    def source(self, volume):
        """A folder of this machine with what the volume holds, and whether it may be written."""
        if "hostPath" in volume:
            return self.host_paths[volume["hostPath"]["path"]], True
        folder = self.folder / "volumes" / volume["name"]
        folder.mkdir(parents=True, exist_ok=True)
        group = self.spec.get("securityContext", {}).get("fsGroup", 0)
        for file, data, mode in self.files(volume):
            path = folder / file
            path.write_bytes(data)
            path.chmod(mode)
            os.chown(path, 0, group)
        return folder, False

    def files(self, volume):
        if "configMap" in volume:
            for file, text in self.find("ConfigMap", volume["configMap"]["name"])["data"].items():
                yield file, text.encode(), 0o644
        elif "secret" in volume:
            secret = self.find("Secret", volume["secret"]["secretName"])
            for file, text in secret["data"].items():
                yield file, base64.b64decode(text), volume["secret"].get("defaultMode", 0o644)
        else:
            for one in volume["projected"]["sources"]:
                token = one["serviceAccountToken"]
                yield token["path"], self.tokens[token["audience"]].encode(), volume["projected"]["defaultMode"]

    def find(self, kind, name):
        [found] = [one for one in self.objects if (one["kind"], one["metadata"]["name"]) == (kind, name)]
        return found


def bind(source, target, writable=False):
    source, target = shlex.quote(str(source)), shlex.quote(target)
    yield f"if [ -d {source} ]; then mkdir -p {target}; else mkdir -p $(dirname {target}); touch {target}; fi"
    yield f"mount --bind {source} {target}"
    if not writable:
        yield f"mount -o remount,bind,ro {target}"


def became(context):
    """The user, with only the capabilities that the container is left with."""
    assert context["capabilities"] == {"drop": ["ALL"]} and context["allowPrivilegeEscalation"] is False
    groups = ["--groups", str(context["fsGroup"])] if "fsGroup" in context else ["--clear-groups"]
    return ["chroot", ".", "setpriv", "--reuid", str(context["runAsUser"]), "--regid", str(context["runAsGroup"]), *groups,
            "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
