"""The files that the lint tests look at: what git tracks, or would track once added."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def tracked(*suffixes):
    """Paths relative to the root, of all files or of those with one of the suffixes."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = sorted(set(filter(None, listing.split("\0"))))
    paths = [pathlib.PurePosixPath(name) for name in names if (ROOT / name).is_file()]
    return [path for path in paths if not suffixes or path.suffix in suffixes]


def text(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")
