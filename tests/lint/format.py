"""Fails if clang-format would change a C++ file. `format.py --fix` changes it."""

import subprocess
import sys

import sources


def main():
    files = [str(path) for path in sources.tracked(".h", ".cc")]
    mode = ["-i"] if sys.argv[1:] == ["--fix"] else ["--dry-run", "-Werror"]
    result = subprocess.run(["clang-format-19", *mode, *files], cwd=sources.ROOT)
    if result.returncode == 0:
        print(f"{len(files)} files are formatted")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
