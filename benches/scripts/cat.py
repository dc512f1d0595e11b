#!/usr/bin/env python3
"""Compares `prefork-log cat` with cat, zcat and lnav: seconds and peak memory, medians of interleaved rounds.

    cargo build --release -p prefork-log
    benches/scripts/cat.py /tmp/cat-bench                       # 10 GB in 1000 files, plain and gzip: 12 GB of disk
    benches/scripts/cat.py /tmp/cat-bench --gigabytes 1 --rounds 5

The files are made in the directory if they are not there. Remove the directory afterwards. Each command writes to a
pipe that is read and thrown away, because cat and GNU tools are told that they write to /dev/null and do not work then.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

START = datetime(2026, 11, 21, tzinfo=timezone.utc)
OPTIONS = ["--prefix", "app", "--suffix", "log"]


def tails():
    """What stands behind the microseconds: 4096 lines of a web server."""
    rng = random.Random(1)
    paths = ["/", "/login", "/api/v1/orders", "/api/v1/orders/%d", "/static/app.js"]
    for _ in range(4096):
        path = rng.choice(paths)
        path = path % rng.randrange(100000) if "%" in path else path
        yield 'Z %5s request{id=%08x method=%s path="%s"}: server::http: finished status=%d ms=%d bytes=%d\n' % (
            rng.choice(["INFO"] * 8 + ["DEBUG", "WARN", "ERROR"]), rng.getrandbits(32), rng.choice(["GET", "GET", "POST"]),
            path, rng.choice([200, 200, 204, 304, 404, 500]), rng.randrange(900), rng.randrange(100000))


def text(begin, seconds, size, first, ends):
    """About `size` bytes of lines that are spread over `seconds` from `begin` on."""
    lines = max(size // 124, 1)
    step = seconds * 1_000_000 // (lines + 1)
    day = begin.strftime("%Y-%m-%dT")
    offset = (begin.hour * 3600) * 1_000_000
    made = []
    for line in range(lines):
        second, micros = divmod(offset + first + line * step, 1_000_000)
        minute, second = divmod(second, 60)
        made.append("%s%02d:%02d:%02d.%06d%s" % (
            day, minute // 60, minute % 60, second, micros, ends[(line * 2654435761 >> 7) & 4095]))
    return "".join(made).encode()


def make(directory, files, size, by_tag):
    """Files one after the other (hourly), or all of one day (each of another tag)."""
    plain, packed = os.path.join(directory, "plain"), os.path.join(directory, "gzip")
    if os.path.exists(os.path.join(directory, "made")):
        return plain, packed
    ends = list(tails())
    for folder in (plain, packed):
        os.makedirs(folder, exist_ok=True)
    # The hours have the same lines, each with its own date and hour.
    hour = b"" if by_tag else b"\n" + text(START, 3600, size, 0, ends)[:-1]
    of_first = START.strftime("\n%Y-%m-%dT%H:").encode()
    for number in range(files):
        if by_tag:
            name = START.strftime(f"app.worker-{number}.%Y-%m-%d.log")
            lines = text(START, 86_000, size, number, ends)
        else:
            begin = START + timedelta(hours=number)
            name = begin.strftime("app.%Y-%m-%d-%H.log")
            lines = hour.replace(of_first, begin.strftime("\n%Y-%m-%dT%H:").encode())[1:] + b"\n"
        path = os.path.join(plain, name)
        with open(path, "wb") as file:
            file.write(lines)
        with open(os.path.join(packed, name + ".gz"), "wb") as output:
            subprocess.run(["gzip", "-1", "-c", path], stdout=output, check=True)
    open(os.path.join(directory, "made"), "w").close()
    return plain, packed


def run(command, environment):
    """Seconds, peak memory in MiB, and bytes printed."""
    begin = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    read, peak, looked, piece = 0, 0, 0, bytearray(1 << 20)
    with open(child.stdout.fileno(), "rb", buffering=0, closefd=False) as output:
        while count := output.readinto(piece):
            read += count
            # `ru_maxrss` of a child has the memory of this program in it.
            if time.monotonic() - looked > 0.02:
                looked = time.monotonic()
                peak = max(peak, peak_memory(child.pid))
    if child.wait() != 0:
        sys.exit(f"{command[:2]} ended with {child.returncode}")
    return time.monotonic() - begin, peak, read


def peak_memory(process):
    """The most memory that a process has had until now, in MiB."""
    with open(f"/proc/{process}/status") as status:
        peaks = [line.split()[1] for line in status if line.startswith("VmHWM:")]
    return int(peaks[0]) / 1024 if peaks else 0


def compare(title, commands, rounds):
    """Prints a table: median of the rounds (all rounds), peak memory."""
    home = os.path.join("/tmp", f"lnav-home-{os.getpid()}")
    os.makedirs(home, exist_ok=True)
    results = {name: [] for name, _ in commands}
    for _ in range(rounds):
        for name, command in commands:
            results[name].append(run(command, {**os.environ, "HOME": home, "TERM": "dumb"}))
    shutil.rmtree(home, ignore_errors=True)
    print(f"\n{title}\n\n| command | seconds, median (all) | MB of text a second | peak memory, MiB |\n|---|---|---|---|")
    for name, _ in commands:
        seconds = [seconds for seconds, _, _ in results[name]]
        median = statistics.median(seconds)
        memory = max(memory for _, memory, _ in results[name])
        read = results[name][0][2]
        every = ", ".join(f"{seconds:.1f}" for seconds in seconds)
        print(f"| {name} | {median:.2f} ({every}) | {read / median / 1e6:.0f} | {memory:.1f} |", flush=True)


def main():
    """The tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--lnav-gigabytes", type=float, default=1, help="lnav keeps an index: it gets less (default 1)")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", default=os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release/prefork-log"))
    parser.add_argument("--only", nargs="*", choices=["rows", "tags", "lnav"], default=["rows", "tags", "lnav"])
    arguments = parser.parse_args()
    ours = [arguments.program, "cat"]
    hourly, daily = ["--rotate", "hourly", *OPTIONS], ["--rotate", "daily", *OPTIONS]

    def files(folder):
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]

    def hours(name, gigabytes, count):
        return make(os.path.join(arguments.directory, name), count, int(gigabytes * 1e9 / count), False)

    count = arguments.files
    if "rows" in arguments.only:
        plain, packed = hours("rows", arguments.gigabytes, count)
        text = f"{arguments.gigabytes} GB in {count} files, one after the other"
        compare(f"{text}, plain", [("cat", ["cat", *files(plain)]), ("prefork-log cat", [*ours, plain, *hourly])],
                arguments.rounds)
        compare(f"{text}, gzip", [("zcat", ["zcat", *files(packed)]), ("prefork-log cat", [*ours, packed, *hourly])],
                arguments.rounds)
    if "tags" in arguments.only:
        size = int(arguments.gigabytes * 1e9 / 5 / count)
        plain, packed = make(os.path.join(arguments.directory, "tags"), count, size, True)
        tagged = [*daily, "--tag", *" --tag ".join(f"worker-{number}" for number in range(count)).split()]
        compare(f"{arguments.gigabytes / 5} GB in {count} files of one day, which are merged line by line", [
            ("cat, not merged", ["cat", *files(plain)]),
            ("sort -m", ["sort", "-m", f"--batch-size={count + 1}", *files(plain)]),
            ("prefork-log cat, plain", [*ours, plain, *tagged]),
            ("prefork-log cat, gzip", [*ours, packed, *tagged]),
        ], arguments.rounds)
    if "lnav" in arguments.only:
        plain, packed = hours("lnav", arguments.lnav_gigabytes, 100)
        compare(f"{arguments.lnav_gigabytes} GB in 100 files, beside lnav", [
            ("lnav -n, plain", ["lnav", "-n", *files(plain)]),
            ("prefork-log cat, plain", [*ours, plain, *hourly]),
            ("lnav -n, gzip", ["lnav", "-n", *files(packed)]),
            ("prefork-log cat, gzip", [*ours, packed, *hourly]),
        ], arguments.rounds)


if __name__ == "__main__":
    main()
