"""One bench: makes a volume with the real client, serves its objects with nginx, lets each contender
warm an empty directory several times in turn, and prints medians per GiB."""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import contenders
import peers

GIB = 1 << 30
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse_size(text):
    return int(text[:-1]) * UNITS[text[-1].upper()] if text[-1].upper() in UNITS else int(text)


def parse_arguments():
    names = [contender.name for contender in contenders.all_contenders()]
    parser = argparse.ArgumentParser(prog="tests/bench/run.sh", description=__doc__)
    parser.add_argument("--size", default="2G", help="bytes of the volume (default 2G)")
    parser.add_argument("--block-size", default="4M", help="as `juicefs format` takes it (default 4M)")
    parser.add_argument("--compress", default="none", choices=["none", "lz4", "zstd"])
    parser.add_argument("--encrypt", action="store_true", help="a volume with an RSA key")
    parser.add_argument("--tls", action="store_true", help="nginx speaks TLS; clients verify its certificate")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each program (default 3)")
    parser.add_argument("--settle", type=float, default=8, metavar="SECONDS",
                        help="idle before each run, until freed memory is as cold as on a fresh node (default 8)")
    parser.add_argument("--cases", default=",".join(names), help=f"which programs (default {','.join(names)})")
    parser.add_argument("--json", metavar="FILE", help="write all measured values there")
    arguments = parser.parse_args()
    unknown = set(arguments.cases.split(",")) - set(names)
    if unknown:
        parser.error(f"unknown case {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if arguments.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return arguments


def find_programs(cases):
    programs = {}
    for name, needed_by in {"juicefs": None, "agent": "prewarm", "s5cmd": "s5cmd", "floor": "floor"}.items():
        path = pathlib.Path(os.environ[f"PREWARM_BENCH_{name.upper()}"])
        if path.is_file():
            programs[name] = path
        elif needed_by is None or needed_by in cases:
            raise peers.BenchError(f"{path} is not there: build it, or name it in PREWARM_BENCH_{name.upper()}")
    return programs


def pick_contenders(arguments):
    """In the order asked for. Some can do plain volumes only and are left out aloud elsewhere."""
    everyone = {contender.name: contender for contender in contenders.all_contenders()}
    chosen = [everyone[name] for name in arguments.cases.split(",")]
    plain = arguments.compress == "none" and not arguments.encrypt
    able = []
    for contender in chosen:
        if contender.plain_only and (not plain or (arguments.tls and contender.name == "floor")):
            print(f"{contender.name}: not for this volume, left out", file=sys.stderr)
        else:
            able.append(contender)
    return able


def write_files(volume, folder, size, half_compressible):
    """Writes the volume's data through a mount of the real client, in files of 256 MiB."""
    cache = folder / "filling-cache"
    mount = volume.mount(folder / "mnt", cache)
    try:
        for start in range(0, size, 256 << 20):
            with open(mount.point / f"weights-{start >> 28:04}.bin", "wb", buffering=0) as file:
                for _ in range(min(256 << 20, size - start) >> 20):
                    file.write(os.urandom(1 << 19) + (bytes(1 << 19) if half_compressible else os.urandom(1 << 19)))
    finally:
        mount.unmount()
        shutil.rmtree(cache, ignore_errors=True)


def prepare(arguments, folder, programs, stack):
    redis = peers.start_redis(folder)
    stack.callback(redis.stop)
    volume = peers.Volume(programs["juicefs"], redis, folder, arguments)
    write_files(volume, folder, parse_size(arguments.size), arguments.compress != "none")
    environment = volume.environment
    environment.update(AWS_REGION="us-east-1")
    if arguments.tls:
        environment["SSL_CERT_FILE"] = environment["AWS_CA_BUNDLE"] = str(peers.make_certificates(folder))
    nginx = peers.start_nginx(folder, volume.objects, arguments.tls)
    stack.callback(nginx.stop)
    bench = contenders.Bench(volume, volume.keys(), nginx.port, "https" if arguments.tls else "http", folder, programs,
                             environment)
    volume.point_at(f"{bench.endpoint()}/bench")
    return bench


def one_run(bench, contender, settle):
    """Everybody starts alike: the dirty pages of the run before are written, and its freed memory has
    gone back to where fresh memory comes from (a virtual machine returns it to its host after some
    seconds; until then buffered writers get it back at half the price)."""
    target = bench.folder / "target"
    target.mkdir()
    os.sync()
    time.sleep(settle)
    try:
        cost = contender.warm(bench, target)
        contender.check(bench, target)
        return cost
    finally:
        shutil.rmtree(target)


def run_rounds(bench, chosen, arguments):
    """Every round runs everyone once, in turn and then in reverse, so that drift hits all alike."""
    costs = {contender.name: [] for contender in chosen}
    gib = sum(contenders.size_of(key) for key in bench.keys) / GIB
    for number in range(arguments.rounds):
        for contender in chosen if number % 2 == 0 else reversed(chosen):
            cost = one_run(bench, contender, arguments.settle)
            costs[contender.name].append(cost)
            print(f"round {number + 1} {contender.name:12} {cost.wall / gib:6.2f} s/GiB wall "
                  f"{cost.cpu / gib:6.2f} s/GiB CPU {cost.peak_bytes >> 20:6} MiB", file=sys.stderr, flush=True)
    return costs, gib


def medians(costs, gib):
    return {name: {"wall": statistics.median(cost.wall for cost in runs) / gib,
                   "cpu": statistics.median(cost.cpu for cost in runs) / gib,
                   "peak_mib": max(cost.peak_bytes for cost in runs) >> 20,
                   "worst_wall": max(cost.wall for cost in runs) / gib,
                   "best_wall": min(cost.wall for cost in runs) / gib}
            for name, runs in costs.items()}


def print_table(table):
    print("| program | wall until durable, s/GiB | best - worst | client CPU, s/GiB | peak memory, MiB |")
    print("|---|---|---|---|---|")
    for name, row in table.items():
        print(f"| {name} | {row['wall']:.2f} | {row['best_wall']:.2f} - {row['worst_wall']:.2f} | {row['cpu']:.2f} "
              f"| {row['peak_mib']} |")


def print_ratios(table):
    """How many times the better warm-up of the client costs, and how far the floor is away."""
    ours = table.get("prewarm")
    floor = table.get("floor")
    theirs = [row for name, row in table.items() if name.startswith("juicefs-")]
    print()
    for value in ("wall", "cpu"):
        better = min((row[value] for row in theirs), default=None)
        if ours and better:
            print(f"better juicefs warmup / prewarm, {value}: {better / ours[value]:.2f}")
        if ours and floor:
            print(f"prewarm / floor, {value}: {ours[value] / floor[value]:.2f}")
        if floor and better:
            print(f"better juicefs warmup / floor, {value}: {better / floor[value]:.2f}")


def main():
    arguments = parse_arguments()
    chosen = pick_contenders(arguments)
    programs = find_programs([contender.name for contender in chosen])
    base = pathlib.Path(os.environ["PREWARM_BENCH_DIR"])
    base.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(dir=base)))
        folder.chmod(0o755)
        bench = prepare(arguments, folder, programs, stack)
        bench.volume.read_objects()
        print(f"{len(bench.keys)} blocks, {arguments.rounds} rounds, {os.cpu_count()} cores", file=sys.stderr)
        costs, gib = run_rounds(bench, chosen, arguments)
    table = medians(costs, gib)
    print_table(table)
    print_ratios(table)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps({"options": vars(arguments), "programs": table}, indent=1))


if __name__ == "__main__":
    try:
        main()
    except (peers.BenchError, subprocess.SubprocessError) as error:
        print(f"run.sh: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
