"""Runs shellcheck over every shell script: files that end in .sh or start with a shell's #! line."""

import re
import subprocess
import sys

import sources


def is_shell(path):
    return path.suffix == ".sh" or re.match(r"#!.*\b(ba|da)?sh\b", sources.text(path).split("\n", 1)[0])


def main():
    scripts = [str(path) for path in sources.tracked("", ".sh") if is_shell(path)]
    if not scripts:
        print("found no shell script", file=sys.stderr)
        return 1
    return subprocess.run(["shellcheck", "--", *scripts], cwd=sources.ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
