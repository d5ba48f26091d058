"""Rules that a line of text can break, each with the reason that is printed.

Usage: text_rules.py; planted lines are checked first, so that a rule that finds nothing can be trusted.
"""

import dataclasses
import re
import sys

import sources

PRODUCT = r"^(common|agent|controller)/.*\.(h|cc)$"
ANYTHING = r""


@dataclasses.dataclass
class Rule:
    pattern: str
    where: str
    why: str
    breaks: str       # a line that must be found
    keeps: str        # a line that must not
    excepted: str = r"^$"
    code_only: bool = True


# Words that would otherwise be found in this file are written in pieces.
RULES = [
    Rule(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b", ANYTHING, "finish it or leave it out",
         "// TO" "DO: later", "mastodons", code_only=False, excepted=r"^LICENSE$|\.sum$"),
    Rule(r"(?<![\w.$/}])/(work|root|home(?!/bentoml/)|Users)/", ANYTHING, "a path of one machine",
         'cd /ho' 'me/somebody', "$HOME/Users/x", code_only=False),
    Rule(r"pypi\.org|pythonhosted\.org|proxy\.golang\.org|deb\.debian\.org|registry\.npmjs|crates\.io",
         ANYTHING, "a registry's host: name packages, let the machine say from where",
         "https://pyp" "i.org/simple", "pip install", code_only=False,
         excepted=r"^tests/lint/text_rules\.py$"),
    Rule(r"\b(steady|system|high_resolution)_clock::now\b|\b(clock_gettime|gettimeofday|time)\s*\(\s*(NULL|nullptr|CLOCK_|&)",
         PRODUCT, "read time through common/base/clock.h",
         "auto t = std::chrono::steady_clock::now();", "std::chrono::steady_clock::time_point t;",
         excepted=r"^common/base/clock\.h$|^agent/mount/mount_process\.cc$"),  # start times count from boot
    Rule(r"(?<![\w.>:])(::)?(std::)?(system|popen|fork|vfork|posix_spawnp?|exec[lv]p?e?)\s*\(",
         PRODUCT, "the product starts no processes",
         '  system("rm");', "request.system(x)"),
    Rule(r"std::(recursive_|shared_|timed_)?mutex\b", PRODUCT, "share through common/async/guarded.h",
         "std::mutex m;", "Guarded<int> m;", excepted=r"^common/async/"),
    Rule(r"\basio::detached\b|\bco_spawn\s*\(", PRODUCT, "only TaskGroup::Spawn starts a coroutine",
         "co_spawn(executor, f(), asio::detached);", "group.Spawn(f());",
         excepted=r"^common/async/(task_group|io_thread)\.(h|cc)$"),
    Rule(r"\[[^\[\]]*[&=\w][^\[\]]*\]\s*\([^()]*\)\s*(mutable\s*)?->\s*(asio::awaitable|Task)<",
         PRODUCT, "a coroutine lambda captures nothing: it outlives its closure",
         "[this](int x) -> Task<void> {", "[](Me* me) -> Task<void> {"),
    Rule(r"\bexit\s*\(|\b(quick_exit|abort)\s*\(", PRODUCT, "return from main; PREWARM_CHECK for bugs",
         "exit(1);", "on_exit_;", excepted=r"^common/base/check\.h$|^common/async/task_group\.cc$"),
]


def code_of(line):
    """The line without a trailing // comment and without string literals."""
    return re.sub(r'"(\\.|[^"\\])*"', '""', line).split("//")[0]


def broken(rule, line):
    return re.search(rule.pattern, code_of(line) if rule.code_only else line) is not None


def self_test():
    for rule in RULES:
        assert broken(rule, rule.breaks), f"does not find: {rule.breaks}"
        assert not broken(rule, rule.keeps), f"false alarm: {rule.keeps}"


def main():
    self_test()
    found, count = [], 0
    for path in sources.tracked():
        rules = [rule for rule in RULES
                 if re.search(rule.where, str(path)) and not re.search(rule.excepted, str(path))]
        count += 1
        for number, line in enumerate(sources.text(path).splitlines(), 1):
            found += [f"{path}:{number}: {rule.why}: {line.strip()}" for rule in rules if broken(rule, line)]
    print("\n".join(found) or f"{count} files keep the rules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
