"""A caller who submits prewarms all the time and takes care that none is lost on his side."""

import threading
import time
import urllib.error

from rig.fleet import Problem


class Submitter(threading.Thread):
    """Submits `spec_of(key, count)` with the key, to one controller after the other, again until it was answered."""

    def __init__(self, controllers, number, spec_of, *, pause=0.0, seconds=5):
        super().__init__(daemon=True)
        self.controllers, self.number, self.spec_of = list(controllers), number, spec_of
        self.pause, self.seconds = pause, seconds
        self.accepted = {}  # key -> id, as answered
        self.failures = []
        self.unanswered = 0
        self.ending = threading.Event()

    def run(self):
        count = 0
        while not self.ending.wait(self.pause):
            count += 1
            key = f"submitter-{self.number}-{count}"
            if not self.submit(key, self.spec_of(key, count)):
                return

    def submit(self, key, spec):
        while not self.ending.is_set():
            try:
                self.accepted[key] = self.controllers[0].create(spec, key=key, seconds=self.seconds)["id"]
                return True
            except Problem as problem:
                if problem.status not in (429, 503):
                    self.failures.append(str(problem))
                    return False
                time.sleep(0.01)
            except (urllib.error.URLError, ConnectionError, TimeoutError, ValueError, OSError):
                self.unanswered += 1
                time.sleep(0.005)  # the pace of a caller whose server is away
            self.controllers.append(self.controllers.pop(0))
        return True


def end_all(submitters):
    """Stops them; what was accepted, id by key."""
    for one in submitters:
        one.ending.set()
    for one in submitters:
        one.join(20)
        assert not one.failures, one.failures
    return {key: prewarm for one in submitters for key, prewarm in one.accepted.items()}
