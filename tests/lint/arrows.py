"""Holds the arrows between folders: which folder may include which, and what pure folders never see;
and that a source includes its own header first, which proves that the header stands alone.

Reads #include lines only. Whatever a pure file reaches through our own headers counts as its own.
Usage: arrows.py [ROOT]; arrows.py --self-test plants violations and demands that each is found.
"""

import pathlib
import re
import sys
import tempfile

import sources

# folder -> folders and single headers of ours that it may include (itself is understood).
ARROWS = {
    "common/base": [],
    "common/juicefs": ["common/base"],
    "common/async": ["common/base"],
    "common/net": ["common/base", "common/async"],
    "common/metadata": ["common/base", "common/async", "common/net", "common/juicefs"],
    "common/process": ["common/base", "common/async", "common/net"],
    "agent/store": ["common/base", "common/async", "common/net", "common/juicefs"],
    "agent/cache": ["common/base", "common/async", "common/juicefs"],
    "agent/mount": ["common/base", "common/juicefs"],
    "agent/warm": ["common/base", "common/async", "common/juicefs", "agent/store", "agent/cache"],
    "agent/tasks": ["common", "agent/agent_config.h", "agent/store", "agent/cache", "agent/mount",
                    "agent/warm"],
    "agent/link": ["common", "prewarm/v1", "agent/agent_config.h", "agent/tasks",
                   "agent/warm/end_signal.h"],
    "agent/commands": ["common", "agent/agent_config.h", "agent/store", "agent/cache", "agent/mount",
                       "agent/warm", "agent/tasks"],
    "agent": ["common", "agent"],
    "prewarm/v1": [],  # generated from proto/prewarm/v1
    "controller/plan": ["common/base", "common/juicefs"],
    "controller/demand": ["common/base"],
    "controller/kube": ["common/base", "common/async", "common/net"],
    "controller/bento": ["common/base"],
    "controller/admission": ["common/base", "common/async", "common/net", "controller/demand",
                             "controller/kube"],
    "controller/jobs": ["common", "controller/plan", "controller/kube"],
    "controller/agents": ["common", "prewarm/v1", "controller/plan"],
    "controller/api": ["common", "prewarm/v1", "controller/plan"],
    "controller/access": ["common", "controller/plan", "controller/kube", "controller/agents",
                          "controller/api"],
    "controller/reconcile": ["common", "controller/controller_config.h", "controller/plan",
                             "controller/jobs", "controller/agents", "controller/api"],
    "controller/operator": ["common/base", "common/async", "common/process", "common/juicefs",
                            "common/metadata", "controller/plan", "controller/bento",
                            "controller/demand", "controller/kube", "controller/jobs",
                            "controller/agents", "controller/api", "controller/reconcile",
                            "controller/controller_config.h"],
    "controller/cli": ["common", "prewarm/v1", "controller/plan"],
    "controller": ["common", "prewarm/v1", "controller"],
    "tests": ["common", "agent", "controller", "prewarm/v1", "tests"],
}

# Folders and single files that decide and compute, and do no input or output.
PURE = [
    "common/base/", "common/juicefs/", "controller/plan/", "controller/bento/", "controller/demand/",
    "agent/mount/cache_verdict.", "agent/mount/check_reply.",
    "agent/warm/concurrency.", "agent/warm/presence.", "agent/warm/request_window.",
    "agent/warm/retry_policy.", "agent/warm/run_queue.", "agent/warm/run_rank.",
    "agent/warm/run_work.", "controller/reconcile/follow_timer.",
    "controller/kube/resource.", "controller/kube/reflector_machine.",
    "controller/kube/event_series.", "controller/kube/json_access.", "controller/kube/micro_time.",
    "controller/kube/watch_decoder.", "controller/kube/conditions.", "controller/jobs/prewarm_object.",
    "controller/operator/desired.", "controller/operator/workload_plan.", "controller/operator/volume_object.",
    "controller/operator/node_cache_object.", "controller/operator/policy_object.", "controller/operator/status_pacer.",
    "controller/jobs/prewarm_conditions.", "controller/jobs/known_prewarms.",
    "controller/operator/workload_report.", "controller/operator/touched_workloads.",
    "controller/operator/look_pacer.",
]
IMPURE_HEADERS = re.compile(
    r"boost/(asio|beast)|grpcpp/|google/protobuf|openssl/ssl\.h|hiredis|yaml-cpp|spdlog|prometheus")

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def folder_of(path):
    """The longest folder with a rule of its own that the path lies in."""
    parts = pathlib.PurePosixPath(path).parent.parts
    for length in range(len(parts), 0, -1):
        if "/".join(parts[:length]) in ARROWS:
            return "/".join(parts[:length])
    return None


def allowed(source, target):
    return source == target or any(
        target == arrow or target.startswith(arrow + "/") for arrow in ARROWS[source])


class Tree:
    def __init__(self, root, paths):
        self.includes = {}
        for path in paths:
            content = (root / path).read_text(encoding="utf-8", errors="replace")
            self.includes[str(path)] = INCLUDE.findall(content)

    def violations(self):
        found = []
        for path in self.includes:
            source = folder_of(path)
            if source is None:
                found.append(f"{path}: lies in a folder that no arrow names")
                continue
            found += self.wrong_arrows(path, source)
            found += self.own_header_not_first(path)
            if any(path.startswith(pure) for pure in PURE):
                found += self.impurities(path)
        return found

    def wrong_arrows(self, path, source):
        for ours, _ in self.includes[path]:
            target = folder_of(ours) if ours else None
            if ours and target is None:
                yield f'{path}: includes "{ours}", which is not a path from the root'
            elif ours and ours not in ARROWS[source] and not allowed(source, target):
                yield f"{path}: {source} may not include {target} ({ours})"

    def own_header_not_first(self, path):
        header = re.sub(r"\.cc$", ".h", path)
        if header == path or header not in self.includes:
            return
        if not self.includes[path] or self.includes[path][0][0] != header:
            yield f"{path}: does not include its own header first"

    def impurities(self, path):
        waiting, seen = [(path, [])], {path}
        while waiting:
            current, way = waiting.pop()
            for ours, theirs in self.includes.get(current, []):
                if theirs and IMPURE_HEADERS.search(theirs):
                    through = "".join(f" through {step}" for step in way)
                    yield f"{path}: is pure but reaches <{theirs}>{through}"
                if ours and ours not in seen:
                    seen.add(ours)
                    waiting.append((ours, way + [ours]))


def check(root, paths):
    return list(Tree(root, paths).violations())


PLANTED = {
    "common/base/a.h": ('#include "agent/warm/b.h"\n', "common/base may not include agent/warm"),
    "agent/warm/b.h": ("#include <vector>\n", None),
    "common/juicefs/c.cc": ("#include <boost/asio/awaitable.hpp>\n", "is pure but reaches"),
    "common/async/d.h": ("# include <boost/asio.hpp>\n", None),
    "agent/warm/concurrency.h": ('#include "common/async/d.h"\n', "through common/async/d.h"),
    "agent/store/e.cc": ('#include "agent/cache/f.h"\n', "agent/store may not include agent/cache"),
    "agent/cache/f.h": ('#include "common/base/g.h"\n', None),
    "common/base/g.h": ("", None),
    "common/net/h.cc": ('#include "h.h"\n', "not a path from the root"),
    "elsewhere/i.cc": ("", "no arrow names"),
    "common/base/g.cc": ('#include <vector>\n#include "common/base/g.h"\n', "its own header first"),
    "agent/cache/f.cc": ('#include "agent/cache/f.h"\n#include <vector>\n', None),
}


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, (content, _) in PLANTED.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        found = check(root, PLANTED)
    for name, (_, expected) in PLANTED.items():
        about = [line for line in found if line.startswith(name + ":")]
        if expected is None:
            assert not about, f"false alarm: {about}"
        else:
            assert any(expected in line for line in about), f"not found in {name}: {expected}"


def main():
    self_test()
    if sys.argv[1:] == ["--self-test"]:
        return 0
    paths = [path for path in sources.tracked(".h", ".cc")]
    found = check(sources.ROOT, paths)
    print("\n".join(found) or f"{len(paths)} files keep the arrows")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
