"""schemathesis tries the served API by what /openapi.yaml says of it: no server error, no answer that the
description does not have, whatever is sent."""

import os
import re
import subprocess
import urllib.request

import conftest
from rig.fleet import TOKEN, AgentDaemon, Controller
from rig.process import BUILD
from rig.stores import FileStore
from rig.volume import Volume

SCHEMATHESIS = BUILD / "venv-schemathesis/bin/schemathesis"
SEED = os.environ.get("PREWARM_SEED", "4711")
# What must hold whatever is sent. Left out: that everything which the description allows is accepted, since
# it cannot say which volumes and nodes there are.
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance",
          "response_headers_conformance", "response_schema_conformance", "ignored_auth")


def test_what_is_served_is_what_is_described(folder, redis, closing):
    volume = Volume(folder / "volume", redis.new_database(), FileStore(folder / "store"))
    closing.append(volume)
    with volume.mount() as root:
        (root / "weights").write_bytes(b"w" * 100_000)
    controller = Controller(folder / "controller", {"models": {"meta": volume.meta}})
    closing.append(controller)
    closing.append(AgentDaemon(folder / "node", "node-a", [controller]))
    controller.wait_for_nodes(1)
    controller.wait(controller.create({"volume": "models"})["id"])
    url = f"http://127.0.0.1:{controller.http}"
    with urllib.request.urlopen(f"{url}/openapi.yaml", timeout=10) as answer:
        (folder / "openapi.yaml").write_bytes(answer.read())
    done = subprocess.run(
        [SCHEMATHESIS, "run", folder / "openapi.yaml", "--url", url, "--header",
         f"Authorization: Bearer {TOKEN}", "--checks", ",".join(CHECKS), "--max-examples", "30", "--seed", SEED,
         "--request-timeout", "20", "--no-color", "--exclude-path-regex", "/events$"],
        cwd=folder, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    cases = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert cases and int(cases[1]) > 100, done.stdout[-3000:]
    conftest.SUMMARY.append(f"schemathesis: {cases[0]}, seed {SEED}")
