"""The real client writes awkward files, prewarm-agent warms an empty cache, the store is cut off, and the
unmodified client reads every byte from that cache and counts no miss.

Each pair of values of two settings occurs in at least one case.
"""

import dataclasses
import itertools
import random
import time

import pytest

import conftest
from rig.agent import warm
from rig.stores import FileStore, S3Store
from rig.tree import contents, write_awkward_files
from rig.volume import Volume

SETTINGS = {
    "client": ["1.3.1", "1.4.2"],
    "storage": ["file", "s3"],
    "compression": ["none", "lz4", "zstd"],
    "encryption": ["none", "aes256gcm-rsa", "chacha20-rsa"],
    "directories": [1, 3],
    "hash_prefix": [False, True],
    "block_kib": [64, 4096],
}
BIG_MEGABYTES, SMALL_MEGABYTES = 300, 24


@dataclasses.dataclass(frozen=True)
class Case:
    client: str
    storage: str
    compression: str
    encryption: str
    directories: int
    hash_prefix: bool
    block_kib: int

    def __str__(self):
        return "-".join(str(value) for value in dataclasses.astuple(self))

    def pairs(self):
        return set(itertools.combinations(sorted(dataclasses.asdict(self).items()), 2))


ALL_CASES = [Case(*values) for values in itertools.product(*SETTINGS.values())]
ALL_PAIRS = set().union(*(case.pairs() for case in ALL_CASES))


def pairwise():
    """Greedy, from a fixed seed: the case that covers most of what is missing comes next."""
    candidates, missing, chosen = list(ALL_CASES), set(ALL_PAIRS), []
    random.Random(20).shuffle(candidates)
    while missing:
        best = max(candidates, key=lambda case: len(case.pairs() & missing))
        chosen.append(best)
        missing -= best.pairs()
    return chosen


CASES = pairwise()
# The first case with large blocks of each storage carries the 300 MB file.
BIG_CASES = {next(case for case in CASES if case.storage == storage and case.block_kib == 4096)
             for storage in SETTINGS["storage"]}


def test_every_pair_of_settings_occurs_in_a_case():
    assert set().union(*(case.pairs() for case in CASES)) == ALL_PAIRS
    assert {case.storage for case in BIG_CASES} == set(SETTINGS["storage"])


@pytest.fixture(scope="module")
def expected(module_folder):
    """What the reader must find, by the size of the largest file."""
    known = {}

    def look_up(megabytes):
        if megabytes not in known:
            folder = module_folder / f"truth-{megabytes}"
            write_awkward_files(folder, megabytes)
            known[megabytes] = contents(folder)
        return known[megabytes]
    return look_up


def format_options(case, private_key):
    options = ["--block-size", case.block_kib, "--compress", case.compression]
    if case.encryption != "none":
        options += ["--encrypt-rsa-key", private_key, "--encrypt-algo", case.encryption]
    if case.hash_prefix:
        options.append("--hash-prefix")
    return options


def check_report(report, truth):
    """Nothing that the report says may be stronger than what happened."""
    blocks = report["blocks"]
    assert report["status"] == "done"
    files = [path for path, seen in truth.items() if seen != "folder" and not seen.startswith("->")]
    assert report["files"] == len(files) - 1  # "hard link" is a second name of a file
    assert blocks["planned"] == blocks["fetched"] > 0
    assert blocks["failed"] == 0 and not report["errors"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_client_reads_everything_with_the_store_cut_off(
        case, folder, store_folder, redis, closing, private_key, expected):
    megabytes = BIG_MEGABYTES if case in BIG_CASES else SMALL_MEGABYTES
    store = {"file": FileStore, "s3": S3Store}[case.storage](store_folder / "store")
    closing.append(store)
    env = {"JFS_RSA_PASSPHRASE": conftest.PASSPHRASE} if case.encryption != "none" else {}
    volume = Volume(folder / "volume", redis.new_database(), store, version=case.client,
                    options=format_options(case, private_key), env=env)
    closing.append(volume)
    with volume.mount() as root:
        write_awkward_files(root / "files", megabytes)

    cache_dir = ":".join(str(folder / f"nvme{number}") for number in range(case.directories))
    started = time.monotonic()
    report = warm(volume, cache_dir)
    warm_seconds = time.monotonic() - started
    check_report(report, expected(megabytes))

    store.cut_off()
    reader = volume.mount(cache_dir)
    assert contents(reader.path / "files") == expected(megabytes)
    counters = reader.counters()
    assert counters["blockcache_miss"] == 0
    assert counters["object_request_errors"] == 0
    assert counters["blockcache_hits"] > 0

    TABLE.append((case, report, warm_seconds, counters))
    warm_again(volume, cache_dir)


def warm_again(volume, cache_dir):
    """With the store still cut off: what is whole on disk is not asked for."""
    report = warm(volume, cache_dir)
    assert report["blocks"]["fetched"] == 0
    assert report["blocks"]["already_there"] == report["blocks"]["planned"]
    return report


TABLE = []


@pytest.fixture(scope="module", autouse=True)
def table():
    yield
    head = f"{'client':7} {'storage':8} {'compr.':7} {'encryption':14} {'dirs':4} {'prefix':6} {'block':>8} " \
           f"{'blocks':>7} {'MiB':>6} {'warm s':>7} {'hits':>6} {'misses':>6} {'errors':>6}"
    conftest.SUMMARY += ["", head]
    for case, report, seconds, counters in TABLE:
        conftest.SUMMARY.append(
            f"{case.client:7} {case.storage:8} {case.compression:7} {case.encryption:14} {case.directories:<4} "
            f"{'on' if case.hash_prefix else 'off':6} {case.block_kib:>4} KiB {report['blocks']['planned']:>7} "
            f"{report['bytes'] / 2**20:>6.0f} {seconds:>7.2f} {counters['blockcache_hits']:>6.0f} "
            f"{counters['blockcache_miss']:>6.0f} {counters['object_request_errors']:>6.0f}")
