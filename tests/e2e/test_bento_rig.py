"""Models that BentoML itself made, on a real JuiceFS volume, lie where the image builder's seeder puts them, and the
agent warms them there."""

import subprocess

import pytest

from rig import bento_store
from rig.agent import verify, warm
from rig.stores import S3Store
from rig.tree import random_bytes
from rig.volume import Volume

TAG = "minilm:hx7q2d5m6cxa3"
REVISION = "8afb486c1db24fe5011ec46dfbe5b5dccdb575c2"


def test_a_bento_of_bentoml_names_its_models_under_its_services(folder):
    store = bento_store.BentoStore(folder / "home")
    small = folder / "small"
    small.mkdir()
    (small / "config.json").write_text("{}")
    model = store.model(TAG, small)
    assert {path.name for path in model.iterdir()} == {"model.yaml", "config.json"}
    description = store.bento("chat:k6v2x7m4kq3aq", [TAG])
    assert description["models"] == [] and bento_store.models_of(description) == [TAG]


@pytest.fixture
def volume(folder, store_folder, redis, closing):
    store = S3Store(store_folder)
    closing.append(store)
    volume = Volume(folder / "volume", redis.new_database(), store)
    closing.append(volume)
    return volume


def test_a_seeded_model_is_the_one_that_was_built_and_warms_whole(folder, volume):
    model = bento_store.BentoStore(folder / "home").model(TAG)
    with volume.mount() as root:
        directory = bento_store.seed(root, TAG, model, storage_namespace="org-42")
        assert directory.relative_to(root).as_posix() == "models/org-42/minilm/hx7q2d5m6cxa3"
        compared = subprocess.run(["diff", "-r", model, directory], capture_output=True, text=True, timeout=60)
        assert compared.stdout.splitlines() == [f"Only in {directory}: .exists"]
        assert (directory / "model.yaml").is_file()
        size = int(bento_store.sized(TAG, directory)["size"])
    report = warm(volume, folder / "cache", "models/org-42/minilm/hx7q2d5m6cxa3", env=volume.store.env)
    assert size > 90_000_000 and report["bytes"] == report["blocks"]["planned_bytes"] == size, report
    verify(volume, folder / "cache", "models/org-42/minilm/hx7q2d5m6cxa3")


def test_revisions_of_a_hub_model_share_what_did_not_change(volume):
    first = bento_store.hub_model("Meta-Llama/Tiny", REVISION)
    second = bento_store.hub_model("Meta-Llama/Tiny", "f" * 40, exclude=["original/*"])
    assert first["tag"].startswith("meta-llama--tiny:") and first["tag"] != second["tag"]
    assert second["downloadUrl"] == f"hf://meta-llama/tiny@{'f' * 40}@https://huggingface.co@@original/*"
    weights, config = random_bytes(5_000_000, 1), b"{}"
    with volume.mount() as root:
        snapshot = bento_store.seed_hub(root, first, REVISION, {"model.safetensors": weights, "config.json": config})
        newer = bento_store.seed_hub(root, second, "f" * 40, {"model.safetensors": weights, "config.json": b"{ }"},
                                     branch="main")
        cache = root / "models/.shared/meta-llama--tiny/all"
        assert snapshot == cache / f"models--meta-llama--tiny/snapshots/{REVISION}"
        assert (snapshot / "model.safetensors").is_symlink() and (snapshot / "model.safetensors").read_bytes() == weights
        assert (newer / "config.json").read_bytes() == b"{ }" and (snapshot / "config.json").read_bytes() == config
        assert len(list((cache / "models--meta-llama--tiny/blobs").iterdir())) == 3
        markers = {path.name for path in cache.glob("*.exists")}
        assert markers == {f"{one['tag'].split(':')[1]}.exists" for one in (first, second)}
