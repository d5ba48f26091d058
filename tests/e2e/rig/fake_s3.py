"""The S3 server that misbehaves on demand (tests/fakes/fake_s3_main.cc), over a FileStore's objects."""

import json
import os
import pathlib
import signal

from rig.process import BUILD, Child, wait_for

FAKE_S3 = pathlib.Path(os.environ.get("PREWARM_FAKE_S3", BUILD / "bin/fake_s3"))


class FakeS3:
    def __init__(self, store, log, *faults, checksums=True, seed=1):
        """`faults` as for --fault, for example "flip:1:/chunks/" or "503:first20"."""
        self.bucket_name = store.folder.name
        options = [word for fault in faults for word in ("--fault", fault)]
        if not checksums:
            options.append("--no-checksums")
        self.server = Child([FAKE_S3, "--root", store.folder.parent, "--seed", seed, *options], log)
        self.server.wait_until(lambda: '"port"' in self.server.output(), "fake_s3 to listen")
        self.port = json.loads(self.server.output().splitlines()[0])["port"]

    @property
    def options(self):
        """Points prewarm-agent here instead of at the volume's own store."""
        return ["--storage", "s3", "--bucket", f"http://127.0.0.1:{self.port}/{self.bucket_name}"]

    environment = {"ACCESS_KEY": "anonymous"}

    def finish(self):
        """Ends the server: {"requests": N, "fired": {fault: times}}."""
        self.server.stop(signal.SIGTERM)
        wait_for(lambda: '"fired"' in self.server.output(), "fake_s3's count")
        return json.loads(self.server.output().splitlines()[-1])

    def close(self):
        self.server.stop()
