"""What every end-to-end test is given: a folder of its own and a Redis, both gone afterwards."""

import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from rig.volume import Redis, detach_everything_below

SUMMARY = []  # lines that a test file wants to see at the end of the run
OVERALL_SECONDS = 570
ROOM_FOR_STORES = 4 << 30
PASSPHRASE = "correct horse battery staple"


@pytest.fixture(scope="session", autouse=True)
def deadline():
    """Ends the run in time to clean up: the outer time limit kills without warning."""
    def give_up(*_):
        raise TimeoutError(f"the tests took more than {OVERALL_SECONDS} s")
    signal.signal(signal.SIGALRM, give_up)
    signal.signal(signal.SIGTERM, give_up)
    signal.alarm(OVERALL_SECONDS)
    yield
    signal.alarm(0)


def temporary_folder(where=None):
    path = pathlib.Path(tempfile.mkdtemp(prefix="prewarm-e2e-", dir=where)).resolve()
    try:
        yield path
    finally:
        detach_everything_below(path)
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def folder():
    yield from temporary_folder()


@pytest.fixture
def store_folder():
    """For what only other programs write: in memory where there is room, to spare the disk."""
    shared_memory = pathlib.Path("/dev/shm")
    roomy = shared_memory.is_dir() and shutil.disk_usage(shared_memory).free > ROOM_FOR_STORES
    yield from temporary_folder(shared_memory if roomy else None)


@pytest.fixture(scope="module")
def module_folder():
    yield from temporary_folder()


@pytest.fixture(scope="module")
def redis(module_folder):
    server = Redis(module_folder / "redis")
    yield server
    server.close()


@pytest.fixture(scope="module")
def private_key(module_folder):
    """For --encrypt-rsa-key, behind PASSPHRASE."""
    path = module_folder / "key.pem"
    subprocess.run(["openssl", "genrsa", "-aes256", "-passout", f"pass:{PASSPHRASE}", "-out", path, "2048"],
                   check=True, capture_output=True, timeout=60)
    return path


@pytest.fixture
def closing():
    """Whatever is appended is closed at the end, the last first."""
    things = []
    yield things
    for thing in reversed(things):
        thing.close()


def pytest_terminal_summary(terminalreporter):
    for line in SUMMARY:
        terminalreporter.write_line(line)
