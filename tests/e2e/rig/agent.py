"""Runs prewarm-agent as a user would and takes its answer apart."""

import dataclasses
import json
import os
import subprocess

from rig.process import AGENT, Child


@dataclasses.dataclass
class Answer:
    code: int
    stdout: str
    stderr: str

    @property
    def json(self):
        return json.loads(self.stdout)

    def __str__(self):
        return f"exit {self.code}\n{self.stdout}\n{self.stderr}"


def agent(*words, env=None, seconds=120):
    done = subprocess.run([AGENT, *map(str, words)], capture_output=True, text=True, timeout=seconds,
                          stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
    return Answer(done.returncode, done.stdout, done.stderr)


# The disk of a test machine may be nearly full; what the floor does has tests of its own.
LITTLE_FLOOR = ("--free-space-ratio", "0.01", "--min-free", "0")


def volume_options(volume, cache_dir):
    return ("--meta", volume.meta, "--cache-dir", cache_dir, *LITTLE_FLOOR)


def warm(volume, cache_dir, *words, env=None, expect=0):
    """The JSON report of a warm that must end with the expected exit code."""
    answer = agent("warm", "--json", *volume_options(volume, cache_dir), *words,
                   env={**volume.env, **(env or {})})
    assert answer.code == expect, answer
    return answer.json


def verify(volume, cache_dir, *words, expect=0):
    answer = agent("verify", "--json", *volume_options(volume, cache_dir), *words, env=volume.env)
    assert answer.code == expect, answer
    return answer.json


def start(log, *words, env=None):
    """A prewarm-agent in the background, to be stopped or killed."""
    return Child([AGENT, *words], log, env)


def report_of(child):
    """The JSON document of an ended run, behind its progress lines."""
    return json.loads(child.output().splitlines()[-1])
