"""Files that are awkward for a block cache, and what a reader must find in them.

The same steps run on a JuiceFS mount and on an ordinary folder; the ordinary folder is the truth.
"""

import hashlib
import os
import pathlib
import random

MIB = 1 << 20


def random_bytes(count, seed):
    return random.Random(seed).randbytes(count)


def half_compressible(count, seed):
    """Alternating megabytes of noise and of one repeated line."""
    noise, line = random.Random(seed), b"layer.weight 0.0 0.0 0.0 0.0 prewarm\n"
    pieces = []
    while count > 0:
        size = min(count, MIB)
        pieces.append(noise.randbytes(size) if len(pieces) % 2 == 0 else (line * (size // len(line) + 1))[:size])
        count -= size
    return b"".join(pieces)


def write_awkward_files(root, big_megabytes):
    """No chunk is made of more than four pieces: at five a client that reads it starts to compact it."""
    root = pathlib.Path(root)
    root.mkdir()
    weights = root / "model" / "weights"
    weights.mkdir(parents=True)
    (weights / "model-00001-of-00002.safetensors").write_bytes(half_compressible(big_megabytes * MIB + 12345, 1))
    (weights / "model-00002-of-00002.safetensors").write_bytes(random_bytes(5 * MIB + 1, 2))
    (root / "model" / "config.json").write_text('{"layers": 6}\n')
    (root / "model" / "empty").touch()

    overwritten = root / "overwritten in the middle"
    overwritten.write_bytes(half_compressible(9 * MIB + 77, 3))
    with open(overwritten, "r+b") as file:
        file.seek(3 * MIB + 1000)
        file.write(random_bytes(2 * MIB + 3, 4))
        file.flush()
        os.fsync(file.fileno())
        file.seek(5 * MIB + 1001)
        file.write(b"short")

    with open(root / "holes", "wb") as file:
        file.write(b"before the hole")
        file.seek(70 * MIB)  # the next chunk
        file.write(random_bytes(300_000, 5))
        file.truncate(71 * MIB + 5)

    truncated = root / "truncated down and up"
    truncated.write_bytes(random_bytes(6 * MIB, 6))
    os.truncate(truncated, 2 * MIB + 13)
    os.truncate(truncated, 5 * MIB)

    appended = root / "appended"
    appended.write_bytes(random_bytes(1_000_000, 7))
    with open(appended, "ab") as file:
        file.write(random_bytes(1_500_000, 8))

    os.link(appended, root / "hard link")
    clone(overwritten, root / "cloned", 1 * MIB + 1, 7 * MIB)
    os.symlink("model/config.json", root / "symlink")
    (root / "Ünïcode — имя 模型 mit Leerzeichen.bin").write_bytes(random_bytes(123_457, 9))


def clone(source, target, start, length):
    with open(source, "rb") as reading, open(target, "wb") as writing:
        position = 0
        while position < length:
            copied = os.copy_file_range(reading.fileno(), writing.fileno(), length - position,
                                        start + position, position)
            assert copied > 0
            position += copied


def cached_blocks(cache):
    """The files of the blocks in a cache directory."""
    return sorted(path for path in cache.glob("*/raw/chunks/**/*") if path.is_file())


def contents(root):
    """Path -> what a reader sees: a digest of a file's bytes, a link's target, or a folder's mark."""
    root = pathlib.Path(root)
    seen = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = pathlib.Path(folder) / name
            seen[str(path.relative_to(root))] = content_of(path)
    return seen


def content_of(path):
    if path.is_symlink():
        return f"-> {os.readlink(path)}"
    if path.is_dir():
        return "folder"
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
