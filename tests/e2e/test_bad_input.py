"""Wrong use and a world at fault: one clear line, the right exit code, no backtrace, nothing lost."""

import json
import os
import subprocess

import pytest

from conftest import PASSPHRASE
from rig.agent import LITTLE_FLOOR, agent
from rig.process import free_port
from rig.stores import FileStore, S3Store
from rig.tree import MIB, random_bytes
from rig.volume import Redis, Volume


@pytest.fixture(scope="module")
def volume(module_folder, redis):
    volume = Volume(module_folder / "volume", redis.new_database(), FileStore(module_folder / "store"))
    with volume.mount() as root:
        (root / "models" / "llama").mkdir(parents=True)
        (root / "models" / "llama" / "weights").write_bytes(random_bytes(9 * MIB, 1))
        os.mkfifo(root / "models" / "pipe")
    yield volume
    volume.close()


@pytest.fixture
def cache(folder):
    (folder / "nvme").mkdir()
    return folder / "nvme"


def refused(answer, code, *words):
    """Exit code and message; stdout stays free for what was asked for."""
    assert answer.code == code, answer
    assert not answer.stdout, answer
    assert 0 < len(answer.stderr.strip().splitlines()) <= 2, answer
    for word in words:
        assert str(word).lower() in answer.stderr.lower(), (word, answer)
    for sign_of_a_crash in ("terminate called", "what():", "broken invariant", ".cc:", "Sanitizer"):
        assert sign_of_a_crash not in answer.stderr, answer


def nothing_in(cache):
    return [path for path in cache.rglob("*") if path.is_file() and path.name != ".lock"] == []


# ---- wrong use: exit 2 -----------------------------------------------------------------------------

COMPLETE = ["warm", "--meta", "redis://127.0.0.1:1/1", "--cache-dir", "/nowhere"]
WRONG_USE = {
    "unknown command": (["warmm"], "unknown command warmm", "warm?"),
    "unknown option": (COMPLETE + ["--cache-dirs", "/x"], "--cache-dirs", "did you mean --cache-dir?"),
    "no metadata URL": (["warm", "--cache-dir", "/x"], "--meta"),
    "no cache directory": (["warm", "--meta", "redis://h/1"], "--cache-dir"),
    "cache in memory": (COMPLETE[:3] + ["--cache-dir", "memory"], "memory", "nothing to warm"),
    "scheme of another engine": (["warm", "--meta", "mysql://h/1", "--cache-dir", "/x"], "mysql"),
    "no host": (["warm", "--meta", "redis://", "--cache-dir", "/x"], "a host name is missing"),
    "database is no number": (["warm", "--meta", "redis://h/one", "--cache-dir", "/x"], "the database must be a number"),
    "size zero": (COMPLETE + ["--cache-size", "0"], "--cache-size"),
    "size negative": (COMPLETE + ["--buffer-size", "-1"], "--buffer-size", "-1"),
    "size with an odd unit": (COMPLETE + ["--cache-size", "5 parsec"], "--cache-size", "5 parsec"),
    "size too large": (COMPLETE + ["--cache-size", "99999999999999999999G"], "--cache-size"),
    "rate with an odd unit": (COMPLETE + ["--download-limit", "fast"], "--download-limit", "fast"),
    "ratio above one": (COMPLETE + ["--free-space-ratio", "1.5"], "--free-space-ratio", "1.5"),
    "mode is not octal": (COMPLETE + ["--cache-mode", "0999"], "--cache-mode", "0999"),
    "no requests": (COMPLETE + ["--max-downloads", "0"], "--max-downloads"),
    "option without value": (COMPLETE + ["--bucket"], "--bucket"),
    "mount and cache directory": (COMPLETE + ["--mount", "/mnt"], "--mount", "--cache-dir"),
}


@pytest.mark.parametrize("name", WRONG_USE)
def test_wrong_use_is_said_in_one_line_with_exit_2(name):
    words, *expected = WRONG_USE[name]
    refused(agent(*words), 2, *expected)


def test_a_mount_that_is_none():
    refused(agent("warm", "--mount", "/tmp"), 1, "/tmp", "not inside a JuiceFS mount")


# ---- the volume ------------------------------------------------------------------------------------

def warm(meta, cache, *words, env=None):
    return agent("warm", "--meta", meta, "--cache-dir", cache, *LITTLE_FLOOR, *words, env=env)


def test_an_unreachable_redis(cache):
    refused(warm(f"redis://127.0.0.1:{free_port()}/1", cache), 1, "127.0.0.1", "refused")
    assert nothing_in(cache)


def test_a_database_without_a_volume(redis, cache):
    refused(warm(redis.new_database(), cache), 1, "no JuiceFS volume", "database")
    assert nothing_in(cache)


def test_a_wrong_password(cache, folder, closing):
    locked = Redis(folder / "locked", "--requirepass", "right")
    closing.append(locked)
    answer = warm(f"redis://:wrong@127.0.0.1:{locked.port}/1", cache)
    refused(answer, 1, "password")
    assert "wrong@" not in answer.stderr


@pytest.fixture
def altered(volume, redis):
    """Changes the volume's setting for one test."""
    database = volume.meta.rsplit("/", 1)[1]
    original = redis.cli("-n", database, "get", "setting")

    def alter(**changes):
        setting = json.dumps({**json.loads(original), **changes})
        redis.cli("-n", database, "set", "setting", setting)
    yield alter
    redis.cli("-n", database, "set", "setting", original)


def test_a_volume_of_a_later_format(volume, cache, altered):
    altered(MetaVersion=2)
    refused(warm(volume.meta, cache), 2, "version", "2")
    assert nothing_in(cache)


def test_a_volume_whose_secret_was_removed(volume, cache, altered):
    altered(Storage="s3", Bucket="http://127.0.0.1:1/models", AccessKey="someone", SecretKey="removed",
            KeyEncrypted=False)
    refused(warm(volume.meta, cache), 2, "removed")


def test_a_setting_that_is_no_setting(volume, cache, redis, altered):
    redis.cli("-n", volume.meta.rsplit("/", 1)[1], "set", "setting", "{\"Name\": ")
    refused(warm(volume.meta, cache), 1, "setting")


def test_a_kind_of_store_that_is_not_known(volume, cache, altered):
    altered(Storage="tape")
    refused(warm(volume.meta, cache), 2, "tape")


def test_a_wrong_passphrase(redis, folder, cache, closing, private_key):
    volume = Volume(folder / "volume", redis.new_database(), FileStore(folder / "store"),
                    options=["--encrypt-rsa-key", private_key], env={"JFS_RSA_PASSPHRASE": PASSPHRASE})
    closing.append(volume)
    for passphrase, word in (("wrong", "passphrase"), ("", "JFS_RSA_PASSPHRASE")):
        refused(warm(volume.meta, cache, env={"JFS_RSA_PASSPHRASE": passphrase}), 2, word)


# ---- the store -------------------------------------------------------------------------------------

def test_a_folder_of_objects_that_is_gone(volume, cache):
    volume.store.cut_off()
    try:
        refused(warm(volume.meta, cache), 1, volume.store.folder)
        assert nothing_in(cache)
    finally:
        volume.store.bring_back()


def test_a_bucket_that_is_missing_and_keys_that_are_wrong(redis, folder, cache, closing):
    store = S3Store(folder / "store")
    closing.append(store)
    volume = Volume(folder / "volume", redis.new_database(), store)
    closing.append(volume)
    with volume.mount() as root:
        (root / "file").write_bytes(random_bytes(MIB, 1))
    refused(warm(volume.meta, cache, "--bucket", f"http://127.0.0.1:{store.port}/nobucket"), 1, "nobucket")
    keys = {"ACCESS_KEY": "prewarm-test", "SECRET_KEY": "wrong"}
    refused(warm(volume.meta, cache, env=keys), 1, "models")
    assert nothing_in(cache)
    assert warm(volume.meta, cache).code == 0


# ---- paths -----------------------------------------------------------------------------------------

def test_a_path_that_does_not_exist_names_the_nearest_parent(volume, cache):
    refused(warm(volume.meta, cache, "models/llama/7b/weights"), 1, "models/llama/7b", "models/llama")
    assert nothing_in(cache)


def test_a_path_that_is_a_pipe(volume, cache):
    refused(warm(volume.meta, cache, "models/pipe"), 2, "models/pipe")


def test_a_subdirectory_that_does_not_exist(volume, cache):
    refused(warm(volume.meta, cache, "--subdir", "models/none"), 1, "none")


# ---- the cache directory ---------------------------------------------------------------------------

def test_a_cache_directory_that_is_a_file(volume, folder):
    (folder / "file").touch()
    answer = warm(volume.meta, folder / "file")
    refused(answer, answer.code, folder / "file")
    assert answer.code in (1, 2)


def test_a_wildcard_that_matches_nothing(volume, folder):
    answer = warm(volume.meta, folder / "disk*")
    refused(answer, answer.code, "disk*")
    assert answer.code in (1, 2)


@pytest.fixture
def small_disk(folder):
    """8 MiB in memory, smaller than the model; needs root, and a container may forbid it."""
    path = folder / "small"
    path.mkdir()
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    subprocess.run([*root, "mount", "-t", "tmpfs", "-o", f"size=8m,uid={os.getuid()}", "tmpfs", path],
                   check=True, timeout=20)
    yield path
    subprocess.run([*root, "umount", path], check=True, timeout=20)


def test_a_disk_too_small_for_the_plan_says_by_how_much(volume, small_disk):
    answer = warm(volume.meta, small_disk)
    refused(answer, 1, small_disk, "too small", "MiB")
    assert nothing_in(small_disk)


def test_a_cache_size_too_small_for_the_plan_says_by_how_much(volume, cache):
    answer = warm(volume.meta, cache, "--cache-size", "5M")
    refused(answer, 1, cache, "too small", "--cache-size", "MiB")
    assert nothing_in(cache)


def test_a_read_only_disk(volume, small_disk):
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    subprocess.run([*root, "mount", "-o", "remount,ro", small_disk], check=True, timeout=20)
    refused(warm(volume.meta, small_disk), 1, small_disk, "read-only")


def test_verify_of_a_missing_cache_directory_finds_nothing_and_creates_nothing(volume, folder):
    answer = agent("verify", "--json", "--meta", volume.meta, "--cache-dir", folder / "none", *LITTLE_FLOOR)
    assert answer.code == 1, answer
    assert answer.json["blocks"]["absent"] == answer.json["blocks"]["planned"] == 3
    assert not (folder / "none").exists()


def test_a_dry_run_writes_nothing_and_says_the_plan(volume, folder):
    answer = warm(volume.meta, folder / "none", "--dry-run", "--json")
    assert answer.code == 0, answer
    assert answer.json["blocks"]["planned"] == answer.json["blocks"]["missing"] == 3
    assert not (folder / "none").exists()


def test_the_right_input_succeeds(volume, cache):
    """Else the tests above would prove little."""
    answer = warm(volume.meta, cache, "--json")
    assert answer.code == 0, answer
    assert answer.json["blocks"]["fetched"] == 3
