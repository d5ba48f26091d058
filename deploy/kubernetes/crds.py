#!/usr/bin/env python3
"""Writes the custom resource definitions of prewarm.dev/v1alpha1 from the short description below: each field is
one line with its type, its bound and what `kubectl explain` says of it.
Usage: deploy/kubernetes/crds.py [FOLDER]     (deploy/kubernetes/base/crds if none is given)

Every text has a longest length and every list a largest size: the API server refuses rules in CEL whose cost it
cannot bound, and nobody can fill the controller's memory with one object.
"""

import pathlib
import sys

sys.dont_write_bytecode = True  # this is a folder of manifests

from crd_schema import (choice, column, condition, count, duration, flag, keyed, labels, lines, listed, number, record,
                        rule, text, time, unchangeable, unique)

GROUP, VERSION = "prewarm.dev", "v1alpha1"
UINT32_MAX = 4294967295
NO_PARENT_STEPS = {"rule": r"!self.matches('(^|/)\\.\\.(/|$)')", "message": "must not hold a step '..'"}
PATH_RULES = [NO_PARENT_STEPS, {"rule": "!self.startsWith('-')",
                                "message": "must not begin with '-': write '/-…' for such a name"}]

CONDITIONS = keyed(["type"], {
    "type": text(longest=316),
    "status": choice(["True", "False", "Unknown"]),
    "reason": text("one CamelCase word", 1024, minLength=1, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
    "message": text("for people", 32768),
    "observedGeneration": count("of the spec that this was said about"),
    "lastTransitionTime": time("when the status last changed"),
}, 16, required=["status", "reason", "message", "lastTransitionTime"])
OBSERVED = count("of the spec that this status was computed from")
PATH = text("from the volume's root", 4096, minLength=1, **{"x-kubernetes-validations": PATH_RULES})
REASON = text("one CamelCase word", 128)
MESSAGE = text("for people", 32768)


def secret_ref(description, key_default):
    return record({
        "name": text("", minLength=1),
        "namespace": text("of the secret; the controller's own if absent", 63),
        "key": text("", default=key_default),
    }, description, required=["name"])


AGE = column("Age", "date", ".metadata.creationTimestamp")

# ---- Prewarm: a job -----------------------------------------------------------------------------------------

PREWARM_STATES = ["pending", "running", "warm", "succeeded", "failed", "cancelled", "superseded"]
TASK_STATES = ["waiting", "queued", "running", "stored", "stale", "visible", "failed", "cancelled"]

def unless_for_workload(field):
    """Users may change how urgent a prewarm is and nothing else; the controller changes those that it makes."""
    return rule(f"has(self.workload) || (has(self.{field}) == has(oldSelf.{field}) && "
                f"(!has(self.{field}) || self.{field} == oldSelf.{field}))",
                "cannot be changed, only priority and deadline can: make another one", f".{field}")


PREWARM_SPEC = record({
    "volume": text("the name of a PrewarmVolume", 63, minLength=1),
    "paths": listed(PATH, 1000, "files or directories from the volume's root; none: the whole volume",
                    **{"x-kubernetes-list-type": "atomic"}),
    "nodes": record({
        "names": unique(text(minLength=1), 1000, "exact; none: any"),
        "labels": labels("all must match", 253),  # an agent may say longer ones than a Node has
        "count": number("at most so many, the best first; 0: all that match", format="int64", maximum=UINT32_MAX),
    }, "where; absent: every node"),
    "priority": number("larger is more urgent", default=0, maximum=1000),
    "deadline": time("when the bytes should be visible"),
    "refuseIfLate": flag("fail at once if the deadline cannot be met by today's rates, instead of being late"),
    "keep": flag("stay: warm what the paths will hold later, too, until deleted or superseded"),
    "model": text("a newer prewarm with the same model, volume and namespace supersedes what is left of this one; "
                  "absent: the volume and the paths are the name"),
    "workload": record({
        "apiVersion": text(minLength=1), "kind": text(longest=63, minLength=1), "name": text(minLength=1),
        "uid": text(longest=64, minLength=1),
    }, "made by the controller for this object, whose pods will need the bytes",
        required=["apiVersion", "kind", "name", "uid"]),
    "targets": keyed(["node"], {
        "node": text(minLength=1),
        "priority": number("in place of the prewarm's", maximum=1000),
        "signal": text("that made it one", 64),
        "why": text("for people", 4096),
    }, 5000, "the nodes that were chosen for the workload"),
    "idempotencyKey": text("the same key with the same spec is the same prewarm", 128, pattern=r"^[!-~]+$"),
}, "what is to be warm, and where", required=["volume"], rules=[
    rule("self.volume == oldSelf.volume", "cannot be changed: make another one", ".volume"),
    unchangeable("idempotencyKey"),
    unchangeable("workload"),
    *[unless_for_workload(field) for field in ("paths", "nodes", "refuseIfLate", "keep", "model", "targets")],
    rule("!has(self.refuseIfLate) || !self.refuseIfLate || has(self.deadline)",
         "means nothing without a deadline: give one", ".refuseIfLate"),
])

PREWARM_STATUS = record({
    "observedGeneration": OBSERVED,
    "state": choice(PREWARM_STATES, "succeeded, failed, cancelled and superseded are final"),
    "reason": REASON,
    "message": MESSAGE,
    "age": count("order of acceptance"),
    "epoch": count("of the leader that wrote this; a write by an older one is refused", **{
        "x-kubernetes-validations": [rule("self >= oldSelf", "is older than the leader that wrote last")]}),
    "generation": count("how often the paths were resolved to something new; 0: not yet"),
    "planHash": text("of the blocks of that generation", 20),
    "files": count("named by the paths"),
    "bytes": count("of these files, for each node"),
    "createdAt": time("when it was accepted"),
    "endedAt": time(),
    "supersededBy": text("the name of the newer one"),
    "nodesVisible": count("where every client that mounts the volume would find the bytes"),
    "nodesTotal": count("that have a task"),
    "progress": record({
        "plannedBytes": count(), "storedBytes": count("whole on disk, also what was there before"),
        "visibleBytes": count("on nodes whose clients find all of it"),
        "stored": text("of the bytes, rounded down: 63%", 8),
        "expectedAt": time("when all of it should be visible, by today's rates"),
    }, "over all nodes; told at most every 10 seconds, and with every change of a state"),
    "tasks": keyed(["node"], {
        "node": text(minLength=1),
        "generation": count("of the plan that this is about"),
        "state": choice(TASK_STATES),
        "reason": REASON,
        "message": text("for people", 8192),
        "plannedBytes": count(), "presentBytes": count("whole before the task began"), "fetchedBytes": count(),
        "plannedBlocks": count(), "presentBlocks": count(), "fetchedBlocks": count(), "failedBlocks": count(),
        "wireBytes": count("from stores"), "requests": count(), "retries": count(), "bytesPerSecond": count(),
        "visibleAt": time("when clients will find what is stored, if that is known"),
    }, 5000, "what each node does"),
    "conditions": CONDITIONS,
}, "how it goes; written by the controller")

PREWARM = {
    "kind": "Prewarm", "plural": "prewarms", "short": ["pw"], "scope": "Namespaced",
    "description": "A job: these paths of this volume onto these nodes. It ends in exactly one final state, unless it is "
                   "to be kept. Deleting it cancels it; what is cached stays.",
    "spec": PREWARM_SPEC, "status": PREWARM_STATUS,
    "columns": [
        column("State", "string", ".status.state"),
        column("Stored", "string", ".status.progress.stored", "of the bytes over all nodes"),
        column("Visible", "integer", ".status.nodesVisible", "nodes that are done"),
        column("Nodes", "integer", ".status.nodesTotal", "nodes that have a task"),
        column("Volume", "string", ".spec.volume"),
        column("Model", "string", ".spec.model"),
        column("Priority", "integer", ".spec.priority"),
        column("Files", "integer", ".status.files", wide=True),
        column("Bytes", "integer", ".status.bytes", "for each node", wide=True),
        column("Deadline", "string", ".spec.deadline", wide=True),
        column("Expected", "string", ".status.progress.expectedAt", "when all of it should be visible", wide=True),
        column("On-Time", "string", condition("OnTime", "status"), wide=True),
        column("Reason", "string", ".status.reason"),
        column("Message", "string", ".status.message", wide=True),
        AGE,
    ],
}

# ---- PrewarmPolicy: how workloads turn into prewarms ----------------------------------------------------------

SELECTOR = record({
    "matchLabels": labels("all must match"),
    "matchExpressions": listed(record({
        "key": text(longest=317, minLength=1),
        "operator": choice(["In", "NotIn", "Exists", "DoesNotExist"]),
        "values": listed(text(longest=63), 64, **{"x-kubernetes-list-type": "atomic"}),
    }, required=["key", "operator"], rules=[
        rule("self.operator in ['In', 'NotIn'] == (has(self.values) && size(self.values) > 0)",
             "In and NotIn need values, Exists and DoesNotExist have none", ".values")]),
        64, **{"x-kubernetes-list-type": "atomic"}),
}, "over the labels of workloads in this namespace; empty: all of them", **{"x-kubernetes-map-type": "atomic"})

PATTERN = text("of the path below the model: * and ? match anything, / too; ending with /: all below", 1024,
               minLength=1)

POLICY_SPEC = record({
    "selector": SELECTOR,
    "suspend": flag("warm nothing for these workloads", default=False),
    "priority": number("what every signal starts from; larger is more urgent", default=100, maximum=1000),
    "triggers": record({
        "onSeeded": flag("warm as soon as the models are complete on the volume", default=True),
        "onDeploymentChange": flag("warm for new and changed workloads", default=True),
        "onForecast": record({
            "enabled": flag("warm spare nodes when the autoscaler is likely to act", default=True),
            "ratio": {"type": "number", "description": "of a metric to its target, from which on that is likely",
                      "minimum": 0, "exclusiveMinimum": True, "maximum": 10, "default": 0.85},
            "extraReplicas": number("how many more to be ready for", default=1, maximum=1000),
        }, default={}),
        "onPendingPod": flag("warm where a pod that waits for a node could go", default=True),
        "onNodeJoin": flag("warm a matching node as soon as it appears", default=True),
    }, "which signals count", default={}),
    "target": record({
        "nodeSelector": labels("besides the constraints of the pods themselves"),
        "maxNodes": number("0: as many as there are replicas", default=0, maximum=10000),
    }, "which nodes", default={}),
    "keepWarm": record({
        "minNodes": number("warm even if no replica runs", default=1, maximum=10000),
        "afterScaleDown": duration("how long nodes stay warm that no replica needs any more", default="30m"),
    }, default={}),
    "gate": record({
        "mode": choice(["None", "StartupTaint"],
                       "None: nothing we do stops a pod from starting. StartupTaint: new nodes that were made with our "
                       "taint lose it when they are warm, or at the timeout", default="None"),
        "timeout": duration("when the taint goes whatever happened", default="5m"),
    }, "whether pods wait for warm nodes", default={}),
    "files": record({
        "include": listed(PATTERN, 100, "none: all that a loader reads",
                          **{"x-kubernetes-list-type": "atomic"}),
        "exclude": listed(PATTERN, 100, "wins over include",
                          **{"x-kubernetes-list-type": "atomic"}),
    }, "which files of a model"),
}, "how the workloads of this namespace turn into prewarms")

POLICY = {
    "kind": "PrewarmPolicy", "plural": "prewarmpolicies", "short": ["pwp"], "scope": "Namespaced",
    "description": "How the workloads of a namespace turn into prewarms. Without any policy the defaults below hold for "
                   "every workload; of several that match one, the most specific does.",
    "spec": POLICY_SPEC,
    "status": record({
        "observedGeneration": OBSERVED, "workloads": count("that it holds for"),
        "notes": listed(record({
            "workload": text("kind and name", 400),
            "reason": text("as in its Event", 128),
            "message": text(longest=1024),
            "unresolved": flag("a model cannot be found: somebody has to act"),
        }), 64, "of these workloads: why there is nothing to warm, or what cannot be found; of many the first",
            **{"x-kubernetes-list-type": "atomic"}),
        "conditions": CONDITIONS}, "written by the controller"),
    "columns": [
        column("Suspend", "boolean", ".spec.suspend"),
        column("Priority", "integer", ".spec.priority"),
        column("Gate", "string", ".spec.gate.mode"),
        column("Keep", "integer", ".spec.keepWarm.minNodes", "nodes that stay warm without a replica"),
        column("Workloads", "integer", ".status.workloads"),
        column("Accepted", "string", condition("Accepted", "status"), wide=True),
        column("In-Force", "string", condition("InForce", "reason")),
        column("Resolved", "string", condition("ModelsResolved", "status")),
        column("Message", "string", condition("InForce", "message"), wide=True),
        AGE,
    ],
}

# ---- PrewarmVolume: a JuiceFS volume ------------------------------------------------------------------------

NAMESPACE_NAME = text(longest=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
ABSOLUTE = text("", 4096, pattern="^/", **{"x-kubernetes-validations": [NO_PARENT_STEPS]})

VOLUME_SPEC = record({
    "metaSecretRef": secret_ref("where the metadata URL is, with its password", "metaurl"),
    "meta": text("the metadata URL if it has no password: redis://, rediss:// or unix://", 2048,
                 pattern="^(redis|rediss|unix)://", **{"x-kubernetes-validations": [
                     rule("!self.matches('^[a-z]+://[^/]*:[^/]*@')",
                          "must not hold a password: put the URL into a secret and name it as metaSecretRef")]}),
    "storage": text("kind of store, instead of the volume's setting", 32),
    "bucket": text("bucket as nodes reach it, instead of the volume's setting", 2048),
    "subdir": text("paths of prewarms are relative to this directory of the volume", 4096,
                   **{"x-kubernetes-validations": [NO_PARENT_STEPS]}),
    "cacheDirs": listed(ABSOLUTE, 16, "cache directories on the nodes; none: those of each agent's configuration",
                        **{"x-kubernetes-list-type": "atomic"}),
    "credentials": choice(["ambient", "handed-over"],
                          "ambient: agents have credentials of their own. handed-over: those of the volume's setting "
                          "are sent over the agent link", default="ambient"),
    "rsaPassphraseSecretRef": secret_ref("the passphrase of an encrypted volume, to be handed over", "passphrase"),
    "storageClassNames": unique(text(), 64, "StorageClasses whose PersistentVolumes are this volume"),
    "volumeHandles": unique(text(), 256, "of PersistentVolumes that were made by hand and are this volume"),
    "csiSecretRefs": listed(record({
        "name": text("", minLength=1), "namespace": text("any if absent", 63)}, required=["name"]), 64,
        "secrets of the CSI driver that hold this volume's metadata URL", **{"x-kubernetes-list-type": "atomic"}),
    "modelsDirectory": text("where the models of all tenants lie, from the volume's root", 4096, default="models",
                            **{"x-kubernetes-validations": [NO_PARENT_STEPS]}),
    "allowedNamespaces": unique(NAMESPACE_NAME, 1000, "whose workloads and prewarms may use it; none: all"),
    "tenants": keyed(["namespace"], {
        "namespace": NAMESPACE_NAME,
        "storageNamespaces": unique(text(minLength=1, pattern=r"^[^/]+$"), 64,
                                    "directories below the models' directory"),
    }, 1000, "which directories, beside the shared one, a namespace may use; none: the one of its own name",
        required=["storageNamespaces"]),
}, "where it is and who may use it", rules=[
    rule("has(self.meta) != has(self.metaSecretRef)",
         "exactly one of meta and metaSecretRef says where the metadata is", ".meta"),
    rule("!has(self.rsaPassphraseSecretRef) || self.credentials == 'handed-over'",
         "is only used with credentials: handed-over", ".rsaPassphraseSecretRef"),
])

VOLUME = {
    "kind": "PrewarmVolume", "plural": "prewarmvolumes", "short": ["pwv"], "scope": "Cluster",
    "description": "A JuiceFS volume that prewarms may name. Only operators may write these: what is said here is where "
                   "the controller connects to.",
    "spec": VOLUME_SPEC, "spec_required": True,
    "status": record({
        "observedGeneration": OBSERVED,
        "uuid": text("of the file system, once its metadata was read", 36),
        "formatName": text("of the file system, as it was formatted"),
        "blockSize": count("bytes"),
        "conditions": CONDITIONS,
    }, "written by the controller; it stays what it was while the metadata cannot be read"),
    "rules": [rule("self.metadata.name.matches('^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$')",
                   "metadata.name: a volume's name has 1 to 63 characters")],
    "columns": [
        column("Ready", "string", condition("Ready", "status"), "its metadata can be read"),
        column("Reason", "string", condition("Ready", "reason")),
        column("Storage", "string", ".spec.storage"),
        column("Bucket", "string", ".spec.bucket", wide=True),
        column("UUID", "string", ".status.uuid"),
        column("Message", "string", condition("Ready", "message"), wide=True),
        AGE,
    ],
}

# ---- NodeCache: what a node holds ---------------------------------------------------------------------------

NODE_CACHE = {
    "kind": "NodeCache", "plural": "nodecaches", "short": ["nc"], "scope": "Cluster",
    "description": "What the agent on the node of this name says of its cache. Written by the controller; deleting it "
                   "changes nothing on the node.",
    "spec": record({}, "nothing: a node's agent says what there is"),
    "status": record({
        "connected": flag("its agent has a stream to the controller"),
        "agentVersion": text(longest=64),
        "seenAt": time("when its agent last said something"),
        "directories": keyed(["path"], {
            "path": text(longest=4096, minLength=1),
            "capacity": count("bytes"),
            "available": count("bytes that may still be written"),
            "disk": text("what kind it is, as measured", 64),
        }, 16, "cache directories"),
        "volumes": listed(record({
            "name": text("empty: not one of ours", 63),
            "uuid": text(longest=36),
            "cachedBytes": count("blocks of ours and of the client"),
            "visibleBytes": count("of prewarms that are visible here"),
            "mounted": flag("a client has it mounted on this node"),
            "adoption": text("when clients see what is stored", 32),
        }, required=["uuid"]), 64, "volumes with a cache or a mount here", **{"x-kubernetes-list-type": "atomic"}),
        "tasksRunning": count(),
        "tasksQueued": count(),
        "secondsUntilWarm": count("until everything ordered so far is visible; absent: not known"),
        "models": listed(record({
            "namespace": text(longest=63),
            "prewarm": text("its name"),
            "volume": text(longest=63),
            "state": choice(TASK_STATES),
            "plannedBytes": count(),
            "doneBytes": count("stored, also what was there before"),
        }, required=["namespace", "prewarm"]), 1000, "what was ordered of this node",
            **{"x-kubernetes-list-type": "atomic"}),
        "conditions": CONDITIONS,
    }, "written by the controller"),
    "columns": [
        column("Connected", "boolean", ".status.connected"),
        column("Disk", "string", ".status.directories[0].disk"),
        column("Running", "integer", ".status.tasksRunning"),
        column("Queued", "integer", ".status.tasksQueued"),
        column("Warm-In", "integer", ".status.secondsUntilWarm", "seconds until everything ordered is visible"),
        column("Available", "integer", ".status.directories[0].available", "bytes, first directory", wide=True),
        column("Version", "string", ".status.agentVersion", wide=True),
        column("Seen", "date", ".status.seenAt"),
        AGE,
    ],
}

ALL = [PREWARM, POLICY, VOLUME, NODE_CACHE]


def definition(one):
    name = one["kind"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{one['plural']}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "prewarm"}},
        "spec": {
            "group": GROUP,
            "scope": one["scope"],
            "names": {"kind": name, "listKind": f"{name}List", "plural": one["plural"], "singular": name.lower(),
                      "shortNames": one["short"],
                      # Not "prewarm": kubectl takes a category before a kind, so `get prewarm NAME` would fail.
                      "categories": ["prewarming"]},
            "versions": [{
                "name": VERSION, "served": True, "storage": True, "subresources": {"status": {}},
                "additionalPrinterColumns": one["columns"],
                "schema": {"openAPIV3Schema": record({
                    "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
                    "spec": one["spec"], "status": one["status"],
                }, one["description"], required=["spec"], rules=one.get("rules", ()))},
            }],
        },
    }


def main():
    here = pathlib.Path(__file__).resolve().parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "base" / "crds"
    for one in ALL:
        head = "# Written by deploy/kubernetes/crds.py: change it there.\n"
        (folder / f"{one['plural']}.yaml").write_text(head + "\n".join(lines(definition(one))) + "\n")


if __name__ == "__main__":
    main()
