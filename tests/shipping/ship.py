#!/usr/bin/env python3
"""Ships the lines of 8 processes to a centre, end to end, and looks for each line there.

    tests/shipping/ship.py rsyslog [--lines 1000000]
    tests/shipping/ship.py syslog-ng

`cargo build -p prefork-log` makes the program that writes. Eight `prefork-log pipe` processes write one directory, with
a rollover each second. The engine follows the files and sends the lines through a proxy to the centre. The run has
phases. In the middle of a phase, something breaks: the connection, the centre, the shipper. Each phase ends when the
centre has all lines. Then all files but the newest two are removed, so that the file system gives their inodes to the
files of the next phase.

The configurations are those of docs/shipping.md: a block of code there that begins with the path of a file is
taken from the page, and only its paths and ports are replaced.
"""

import argparse
import collections
import os
import pathlib
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
WRITERS = 8
# How many lines are on their way, sent and not acknowledged: the window of RELP, and the batch-lines of HTTP.
UNDERWAY = {"rsyslog": 128, "syslog-ng": 1000, "syslog-ng-tcp": 0}
RANDOM = random.Random(1)
CENTRAL = "var/log/central/app.log"


# ---- the lines ----

def line(number):
    """A line that says itself whether it is whole. Some lines are long, and some have a tab or letters like `é`."""
    size = 40 + number * 7919 % 120
    if number % 20_000 == 7:
        size = 1_000_000 if number % 100_000 == 7 else 100_000
    text = f"INFO app: n={number} é\t{'x' * size}".encode()
    return b"%s %08x\n" % (text, zlib.crc32(text))


class Count:
    """How often each line is at the centre."""

    def __init__(self, lines):
        self.seen = bytearray(lines)
        self.distinct = self.doubled = self.torn = 0

    def add(self, text):
        """Counts whole lines of the centre's file. A line of ours begins at ` INFO `."""
        for found in text.splitlines():
            body, _, checksum = found.partition(b" INFO ")[2].rpartition(b" ")
            try:
                fits = zlib.crc32(b"INFO " + body) == int(checksum, 16)
                number = int(body.split(b" ", 2)[1][2:])
            except (ValueError, IndexError):
                fits = False
            if not fits:
                self.torn += 1
                continue
            if self.seen[number]:
                self.doubled += 1
            else:
                self.distinct += 1
            self.seen[number] = 1


def check(path, lines):
    """Reads the centre's file from its beginning."""
    count = Count(lines)
    with open(path, "rb") as file:
        while part := file.readlines(1 << 24):
            count.add(b"".join(part))
    return lines - count.distinct, count.torn, count.doubled


def check_the_checker(path, lines, expected):
    """The checker must find a line that is missing, one that is cut, and one that comes twice."""
    lost, torn, doubled = expected
    with open(path, "rb") as file:
        text = file.readlines()
    numbers = [found.split(b" n=", 1)[1].split(b" ", 1)[0] for found in text]
    copies = collections.Counter(numbers)
    once = next(at for at in range(len(text) // 2, len(text)) if copies[numbers[at]] == 1)
    for name, changed, want in [
        ("is missing", [], (lost + 1, torn, doubled)),
        ("is cut", [text[once][:-20] + b"\n"], (lost + 1, torn + 1, doubled)),
        ("comes twice", [text[once]] * 2, (lost, torn, doubled + 1)),
    ]:
        path.write_bytes(b"".join(text[:once] + changed + text[once + 1:]))
        found = check(path, lines)
        assert found == want, f"the checker does not see that a line {name}: {found}, not {want}"


# ---- the connection ----

class Proxy:
    """Passes connections on to the centre, and can cut them."""

    def __init__(self, to):
        self.to, self.up, self.open = to, True, set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                if not self.up:
                    raise OSError
                centre = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                client.close()
                continue
            self.open |= {client, centre}
            for pair in [(client, centre), (centre, client)]:
                threading.Thread(target=self.copy, args=pair, daemon=True).start()

    def copy(self, source, target):
        try:
            while part := source.recv(1 << 16):
                target.sendall(part)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.up = False
        for end in list(self.open):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open.clear()

    def mend(self):
        self.up = True


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


# ---- the processes ----

class Program:
    """A program that can be killed and started again."""

    def __init__(self, command, log, before=None):
        self.command, self.log, self.before = command, open(log, "ab"), before
        self.process, self.over = None, False

    def start(self):
        if self.over:
            return
        if self.before:
            subprocess.run(self.before, check=True)
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def kill(self, how=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait()


def blocks(page):
    """The blocks of code of the page that are files, by the path in their first line."""
    found = {}
    for block in page.read_text().split("\n```")[1:]:
        head, _, body = block.partition("\n")
        first = body.partition("\n")[0]
        if first.startswith(("# /etc/", "# /usr/")):
            found[first[2:]] = body
    return found


def configuration(page, name, directory, port):
    """Writes a file of the page into the directory, with paths and ports of this run."""
    text = blocks(page)[name].replace("centre.example", "127.0.0.1").replace("2514", str(port))
    for path in ("/var/log/app", "/var/log/central", "/var/spool/rsyslog", "/var/lib/syslog-ng"):
        (directory / path[1:]).mkdir(parents=True, exist_ok=True)
        text = text.replace(path, str(directory / path[1:]))
    path = directory / name.replace("/", "_")
    path.write_text(text)
    return path


def rsyslog(page, directory, proxy, centre):
    def program(name, port):
        path = configuration(page, f"/etc/rsyslog.d/{name}.conf", directory, port)
        work = directory / f"{name}-work"
        work.mkdir()
        path.write_text(path.read_text().replace(str(directory / "var/spool/rsyslog"), str(work)))
        return Program(["rsyslogd", "-n", "-i", directory / f"{name}.pid", "-f", path], directory / f"{name}.out")

    shipper = program("app", proxy)
    unit = "/etc/systemd/system/rsyslog.service.d/app.conf"
    if unit in blocks(page):
        text = configuration(page, unit, directory, proxy).read_text()
        text = text.replace(str(directory / "var/spool/rsyslog"), str(directory / "app-work"))
        shipper.before = shlex.split(text.partition("ExecStartPre=")[2].partition("\n")[0])
    return shipper, program("centre", centre)


def syslog_ng(page, directory, proxy, centre, tcp=""):
    def program(name, port):
        path = configuration(page, f"/etc/syslog-ng/conf.d/{name}{tcp}.conf", directory, port)
        files = [f"--{option}={directory / name}.{option}" for option in ("persist-file", "pidfile", "control")]
        return Program([SYSLOG_NG, "-F", "--no-caps", "-f", path, *files], directory / f"{name}.out")

    if tcp:
        return program("app", proxy), program("centre", centre)
    receiver = [sys.executable, pathlib.Path(__file__).with_name("http_centre.py"), str(centre)]
    return program("app", proxy), Program([*receiver, directory / CENTRAL], directory / "centre.out")


def syslog_ng_tcp(*arguments):
    return syslog_ng(*arguments, tcp="-tcp")


SYSLOG_NG = os.environ.get("SYSLOG_NG", "syslog-ng")
ENGINES = {
    "rsyslog": (rsyslog, "rsyslogd"),
    "syslog-ng": (syslog_ng, SYSLOG_NG),
    # Without acknowledgements: this one loses lines.
    "syslog-ng-tcp": (syslog_ng_tcp, SYSLOG_NG),
}


# ---- the run ----

class Run:
    def __init__(self, engine, page, patience, lines, phases, directory):
        self.phases = [PHASES[number] for number in phases] or PHASES
        self.engine, self.page, self.lines, self.directory, self.patience = engine, page, lines, directory, patience
        centre_port = free_port()
        self.proxy = Proxy(centre_port)
        self.shipper, self.centre = ENGINES[engine][0](page, directory, self.proxy.port, centre_port)
        self.logs, self.at_centre = directory / "var/log/app", directory / CENTRAL
        self.count, self.read, self.sent, self.reloads = Count(lines), 0, 0, 0
        self.files, self.inodes = set(), {}
        target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
        self.prefork_log = f"{target}/debug/prefork-log"
        names = ["--prefix", "app", "--suffix", "log", "--rotate", "secondly", "--latest-hard-link", "app.log"]
        self.command = [self.prefork_log, "pipe", self.logs, *names, "--stamp"]
        self.writers = []

    def start(self):
        self.centre.start()
        self.shipper.start()
        for _ in range(WRITERS):
            self.writers.append(subprocess.Popen(self.command, stdin=subprocess.PIPE))

    def write(self, number):
        """Hands so many lines to the writers, in turn, over the rest of this second, and sees which files there are."""
        end, next_second = min(self.sent + number, self.lines), int(time.time()) + 1
        for begin in range(self.sent, end, 100):
            part = b"".join(line(each) for each in range(begin, min(begin + 100, end)))
            writer = self.writers[begin // 100 % WRITERS].stdin
            writer.write(part)
            writer.flush()
            time.sleep(max(0, (next_second - time.time()) * 100 / max(end - begin, 100)))
        self.sent = end
        time.sleep(max(0, next_second - time.time()))
        for entry in os.scandir(self.logs):
            if entry.name.startswith("app.2"):
                self.files.add(entry.name)
                self.inodes.setdefault(entry.inode(), set()).add(entry.name)

    def look(self):
        """Counts what is new at the centre."""
        try:
            with open(self.at_centre, "rb") as file:
                file.seek(self.read)
                text = file.read(1 << 26)
        except FileNotFoundError:
            return
        text = text[:text.rfind(b"\n") + 1]
        self.read += len(text)
        self.count.add(text)

    def wait(self):
        """Waits until the centre has all lines, or until nothing new has come for a long time."""
        last, since, told = -1, time.monotonic(), False
        while self.count.distinct < self.sent and time.monotonic() - since < self.patience:
            time.sleep(0.1)
            self.look()
            if self.count.distinct != last:
                last, since = self.count.distinct, time.monotonic()
            if time.monotonic() - since > 10 and not told and self.engine != "rsyslog":
                # What the timer of the page does: syslog-ng misses a file that is made in the moment of its start.
                told, self.reloads = True, self.reloads + 1
                self.shipper.process.send_signal(signal.SIGHUP)

    def prune(self):
        """Removes all files but the newest two. The file system gives their inodes to the next files."""
        command = [self.prefork_log, "prune", self.logs, "--prefix", "app", "--suffix", "log", "--keep", "2"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def phase(self, name, lines, breaks):
        """Writes the lines over seven seconds. Meanwhile something breaks. Then the centre gets all lines."""
        doubled, start = self.count.doubled, time.monotonic()
        thread = threading.Thread(target=breaks, args=(self,), daemon=True)
        thread.start()
        for piece in range(7):
            self.write((lines + piece) // 7)
        thread.join()
        self.wait()
        time.sleep(1)  # more copies of a line that the centre has
        self.look()
        missing, doubled = self.sent - self.count.distinct, self.count.doubled - doubled
        seconds = time.monotonic() - start
        print(f"{name:52} {lines:8} {missing:8} {self.count.torn:6} {doubled:10} {seconds:8.0f}", flush=True)
        self.prune()
        return missing, doubled

    def stop(self):
        for program in (self.shipper, self.centre):
            program.over = True
            program.kill()
        for writer in self.writers:
            writer.kill()
            writer.wait()


# ---- what breaks ----

def pause(longest=0.6):
    time.sleep(RANDOM.uniform(0.01, longest))


def nothing(run):
    pass


def connection_cut(run):
    for _ in range(3):
        pause()
        run.proxy.cut()
        pause()
        run.proxy.mend()
        pause(2)


def centre_killed(run):
    for _ in range(3):
        pause()
        run.centre.kill()
        pause()
        run.centre.start()
        pause(2)


def shipper_ended(run):
    pause(2)
    run.shipper.kill(signal.SIGTERM)
    pause()
    run.shipper.start()


def shipper_ended_while_cut(run):
    pause(2)
    run.proxy.cut()
    pause(3)
    run.shipper.kill(signal.SIGTERM)
    run.proxy.mend()
    run.shipper.start()


def shipper_killed(run):
    for _ in range(10):
        pause()
        run.shipper.kill()
        pause(0.3)
        run.shipper.start()


def shipper_killed_while_cut(run):
    for _ in range(5):
        pause()
        run.proxy.cut()
        pause(2)
        run.shipper.kill()
        run.proxy.mend()
        run.shipper.start()


def both_killed(run):
    for _ in range(3):
        pause(2)
        run.centre.kill()
        pause()
        run.shipper.kill()
        run.centre.start()
        run.shipper.start()


def inodes_again(run):
    """The shipper is away while files go, and while others come that have their inodes."""
    run.shipper.kill()
    run.prune()
    time.sleep(3)
    run.shipper.start()


PHASES = [
    # How often what was on its way may come twice. No limit if the shipper has ended.
    ("nothing", nothing, 0),
    ("the connection is cut 3 times", connection_cut, 3),
    ("the centre is killed 3 times", centre_killed, 3),
    ("the shipper is ended by SIGTERM", shipper_ended, None),
    ("the shipper is ended while the connection is cut", shipper_ended_while_cut, None),
    ("the shipper is killed 10 times", shipper_killed, None),
    ("5 times, it is killed while the connection is cut", shipper_killed_while_cut, None),
    ("3 times, the centre and the shipper are killed", both_killed, None),
    ("it is killed, and files get the inodes of others", inodes_again, None),
]


def play(run):
    """All phases; returns what is wrong."""
    print(f"{'what happens':52} {'lines':>8} {'missing':>8} {'torn':>6} {'duplicates':>10} {'seconds':>8}")
    phases = run.phases
    for number, (name, breaks, allowed) in enumerate(phases):
        missing, doubled = run.phase(name, (run.lines + number) // len(phases), breaks)
        for program in (run.shipper, run.centre):
            if program.process.poll() is not None:
                return [f"{name}: {program.command[0]} has ended with {program.process.returncode}"]
        if missing:
            return [f"{name}: {missing} lines are missing"]
        if allowed is not None and doubled > allowed * UNDERWAY[run.engine]:
            return [f"{name}: {doubled} duplicates, more than what was on its way"]
    again = sum(len(names) > 1 for names in run.inodes.values())
    # Some file systems, such as btrfs and tmpfs, never give an inode out again.
    print(f"{len(run.files)} files; {again} inodes belonged to more than one of them")
    if run.reloads:
        print(f"{run.reloads} times, the shipper found a file only after SIGHUP")
    found = check(run.at_centre, run.lines)
    print("the centre's file, read again: %d lost, %d torn, %d duplicates" % found)
    wrong = [] if found[:2] == (0, 0) else ["lines are lost or torn"]
    if run.phases is PHASES and len(run.files) <= 20:
        wrong.append(f"only {len(run.files)} files")
    if run.engine == "rsyslog":
        text = blocks(run.page)["/usr/local/bin/once"]
        once = run.directory / "once"
        with open(run.at_centre, "rb") as file, open(once, "wb") as output:
            subprocess.run(["sh", "-c", text], stdin=file, stdout=output, check=True)
        left = check(once, run.lines)
        # Each line is there once, because its file and offset are its name.
        print("after /usr/local/bin/once of the page: %d lost, %d torn, %d duplicates" % left)
        wrong += [] if left == (0, 0, 0) else ["once is wrong"]
    check_the_checker(run.at_centre, run.lines, found)
    print("the checker finds a line that is taken out, one that is cut, and one that is put in twice")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "docs/shipping.md", help="has the configurations")
    parser.add_argument("--patience", type=int, default=120, help="seconds without a new line at the centre")
    parser.add_argument("--phases", type=int, nargs="*", default=[], help="some only, counted from 0")
    parser.add_argument("--keep", action="store_true", help="keep the directory")
    arguments = parser.parse_args()
    if not shutil.which(ENGINES[arguments.engine][1]):
        print(f"skipped: {arguments.engine} is not installed")
        return 0
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    if not os.path.exists(f"{target}/debug/prefork-log"):
        sys.exit("cargo build -p prefork-log comes first")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    directory = pathlib.Path(tempfile.mkdtemp(prefix="shipping-"))
    run = Run(arguments.engine, arguments.page, arguments.patience, arguments.lines, arguments.phases, directory)
    wrong = ["the run broke off"]
    try:
        run.start()
        wrong = play(run)
    finally:
        run.stop()
        if wrong:
            for name in ("app.out", "centre.out"):
                print(f"{name}: {(directory / name).read_text(errors='replace')[-2000:]}")
        if arguments.keep:
            print(f"the files are in {directory}")
        else:
            shutil.rmtree(directory)
    print("\n".join(wrong) or f"{arguments.engine}: each of {arguments.lines} lines is at the centre")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
