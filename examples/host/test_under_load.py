"""The server under load: each answered request is in the log files exactly once, whole, and in the right file.

Clients send requests. Meanwhile workers are killed (SIGKILL), the master is told to reload (SIGHUP), and workers are
replaced because of `max_requests`. In the master four threads log all the time. A new log file begins each second.

What happens when is set by the number of answers, and not by a clock.
"""

import argparse
import collections
import contextlib
import http.client
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENTS = 8
WORKERS = 4
THREADS_OF_A_WORKER = 4
# One of so many requests is answered with a traceback in the log.
FAILS = 50
# For a server that hangs. Each run takes some seconds.
PATIENCE = 300
DAMAGES = ["lost", "repeated", "torn", "misplaced"]

MODES = {
    "direct": {"HOST_BUILD": "master", "HOST_BUFFERED": "0"},
    "buffered": {"HOST_BUILD": "master", "HOST_BUFFERED": "1"},
    "direct, built in each worker": {"HOST_BUILD": "worker", "HOST_BUFFERED": "0"},
    "buffered, built in each worker": {"HOST_BUILD": "worker", "HOST_BUFFERED": "1"},
}


class Connection(http.client.HTTPConnection):
    """To a Unix socket, which needs no free port."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Journal:
    """What the clients have sent, and which process has answered."""

    def __init__(self):
        self.lock = threading.Lock()
        self.ids = itertools.count()
        self.sent = set()
        self.answered = {}
        self.unanswered = 0
        self.last_process = None
        self.failures = []

    def count(self):
        with self.lock:
            return len(self.answered)


def fails(request):
    return int(request[1:]) % FAILS == 0


def client(path, journal, over):
    """Sends requests until it is told to end, each with an id of its own."""
    connection = Connection(path)
    while not over.is_set():
        with journal.lock:
            request = f"r{next(journal.ids)}"
            journal.sent.add(request)
        try:
            connection.request("GET", f"/{'fail' if fails(request) else ''}?id={request}")
            response = connection.getresponse()
            body = response.read()
        except (http.client.HTTPException, OSError) as error:
            # What the end of a worker does to a connection. A server that is silent is a fault.
            connection.close()
            with journal.lock:
                journal.unanswered += 1
                if isinstance(error, TimeoutError):
                    journal.failures.append(f"no answer to {request}")
            continue
        with journal.lock:
            if response.status != (500 if fails(request) else 200):
                journal.failures.append(f"{request}: status {response.status}")
            journal.last_process = int(body)
            journal.answered[request] = int(body)


def wait_until(what, is_true):
    deadline = time.monotonic() + PATIENCE
    while not is_true():
        if time.monotonic() > deadline:
            raise SystemExit(f"FAILED: in {PATIENCE} s not happened: {what}")
        time.sleep(0.002)


def is_child(process, parent):
    """Whether the process is alive and the parent's: only such a one is killed."""
    try:
        state, ppid = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()[:2]
    except OSError:
        return False
    return state not in "ZX" and int(ppid) == parent


def disturb(server, journal, options):
    """Kills and reloads, each when so many requests are answered. Returns how many workers were killed."""
    events = [(options.requests * (n + 1) // (options.kills + 1), "kill") for n in range(options.kills)]
    events += [(options.requests * (2 * n + 1) // (2 * options.reloads), "reload") for n in range(options.reloads)]
    killed = set()
    for answers, event in sorted(events):
        wait_until(f"{answers} answers", lambda: journal.count() >= answers)
        if event == "reload":
            server.send_signal(signal.SIGHUP)
            continue

        def victim():
            process = journal.last_process
            return process if process not in killed and is_child(process, server.pid) else None

        wait_until("a worker answers that can be killed", victim)
        if process := victim():
            os.kill(process, signal.SIGKILL)
            killed.add(process)
    return len(killed)


@contextlib.contextmanager
def gunicorn(directory, settings):
    environment = os.environ | settings | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOST_LOGS": str(directory / "logs"),
        "HOST_ROTATION": "secondly",
        "HOST_MAX_LOG_FILES": "100000",
        "HOST_WORKERS": str(WORKERS),
        "HOST_TICKS_REST_US": "500",
    }
    command = [sys.executable, "-m", "gunicorn", "--bind", f"unix:{directory}/sock", "app:application"]
    with open(directory / "stderr", "wb") as stderr:
        server = subprocess.Popen(command, cwd=HERE, env=environment, stdout=stderr, stderr=stderr)
        try:
            yield server
        finally:
            if server.poll() is None:
                # A master that is killed has workers that notice it, and end.
                server.kill()
                server.wait()


def run(directory, settings, options):
    """Runs the server under load. Returns the journal and the number of killed workers."""
    journal, over = Journal(), threading.Event()
    with gunicorn(directory, settings | {"HOST_MAX_REQUESTS": str(options.max_requests)}) as server:
        path = f"{directory}/sock"
        wait_until("the server listens", lambda: os.path.exists(path) or server.poll() is not None)
        clients = [threading.Thread(target=client, args=(path, journal, over), daemon=True) for _ in range(CLIENTS)]
        for thread in clients:
            thread.start()
        try:
            killed = disturb(server, journal, options)
            wait_until("all answers", lambda: journal.count() >= options.requests)
        finally:
            over.set()
        for thread in clients:
            thread.join()
        server.send_signal(signal.SIGTERM)
        wait_until("the server has ended", lambda: server.poll() is not None)
        if server.returncode != 0:
            journal.failures.append(f"the server has ended with {server.returncode}")
    stderr = (directory / "stderr").read_text()
    if stderr:
        journal.failures.append(f"on standard error: {stderr[:2000]}")
    return journal, killed


RECOVER = """
import prefork_host, sys
prefork_host.build(sys.argv[1], rotation="secondly", max_log_files=100000, buffered=True)
prefork_host.flush()
"""


STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
HEAD = re.compile(rf"({STAMP}) ( INFO| WARN|ERROR) ([\w.]+): (.*)")
REQUEST = re.compile(r"request '(r\d+)' (answered by|failed in) process (\d+)")
TICK = re.compile(r"tick (\d+) of thread (\d+)")
LAST_TICK = re.compile(r"thread (\d+) ends after (\d+) ticks")
# Each byte of what is not UTF-8 becomes this character.
SURROGATE = "surrogate \ufffd\ufffd\ufffd of a name"
ACCESS = re.compile(r"GET /(fail)? (200|500)")


def records(file):
    """The records of a file: head and further lines. A line that is of no record is a record of its own."""
    text = file.read_bytes().decode("utf-8", "replace")
    # A file without a line is one that `build` has made.
    if text and not text.endswith("\n"):
        text += "(the end of this line is missing)\n"
    found = []
    in_traceback = False
    for line in text.split("\n")[:-1]:
        head = HEAD.fullmatch(line)
        if head or not in_traceback:
            found.append([line])
            in_traceback = bool(head) and head[3] == "app.requests" and " failed in " in head[4]
        else:
            found[-1].append(line)
            in_traceback = line.startswith(("Traceback", " "))
    return found


def is_traceback(lines, request):
    return (
        len(lines) >= 3
        and lines[0] == "Traceback (most recent call last):"
        and lines[-1] == f"ValueError: '{request}'"
        and all(line.startswith("  ") for line in lines[1:-1])
    )


class Found:
    """What is in the log files."""

    def __init__(self, logs):
        self.requests = collections.Counter()
        self.processes = {}
        self.ticks = collections.Counter()
        self.last_ticks = {}
        self.lines = 0
        self.files = 0
        self.others = collections.Counter()
        self.torn = []
        self.misplaced = []
        for file in sorted(logs.glob("app.*.log")):
            self.files += 1
            for record in records(file):
                self.lines += 1
                if not self.takes(record, file):
                    self.torn.append(f"{file.name}: {' / '.join(record)[:300]}")

    def takes(self, record, file):
        """Whether the record is whole."""
        head = HEAD.fullmatch(record[0])
        if not head or re.search(STAMP, head[4]):
            return False
        stamp, _, logger, text = head.groups()
        if file.name != f"app.{stamp[:19].replace('T', '-').replace(':', '-')}.log":
            self.misplaced.append(f"{file.name}: {record[0]}")
        if logger == "app.requests":
            return self.takes_request(text, record[1:])
        if logger.endswith(".ticks"):
            if tick := TICK.fullmatch(text):
                self.ticks[logger, int(tick[2]), int(tick[1])] += 1
            elif last := LAST_TICK.fullmatch(text):
                self.last_ticks[logger, int(last[1])] = int(last[2])
            else:
                return False
            return len(record) == 1
        self.others[logger, text if logger != "gunicorn.access" else ""] += 1
        is_whole = logger in ("app", "gunicorn.error") or logger == "gunicorn.access" and ACCESS.fullmatch(text)
        return is_whole and len(record) == 1

    def takes_request(self, text, further):
        request = REQUEST.fullmatch(text)
        if not request or fails(request[1]) != (request[2] == "failed in"):
            return False
        if not (is_traceback(further, request[1]) if fails(request[1]) else further == []):
            return False
        self.requests[request[1]] += 1
        self.processes[request[1]] = int(request[3])
        return True

    def told(self, begin):
        """How many lines of gunicorn begin so."""
        counts = self.others.items()
        return sum(n for (logger, text), n in counts if logger == "gunicorn.error" and text.startswith(begin))


def check(logs, journal, in_master, fragments):
    """The figures, and what is wrong. So many fragments are allowed: of lines of processes that were killed."""
    found = Found(logs)
    lost = [request for request in journal.answered if request not in found.requests]
    repeated = [request for request, count in found.requests.items() if count > 1]
    threads = found.last_ticks.items()
    ticks = {(logger, thread, n + 1) for (logger, thread), last in threads for n in range(last)}
    figures = {
        "answered": len(journal.answered),
        "unanswered": journal.unanswered,
        "ticks": len(ticks),
        "lines": found.lines,
        "files": found.files,
        "lost": len(lost) + len([tick for tick in ticks if tick not in found.ticks]),
        "repeated": len(repeated) + len([tick for tick, count in found.ticks.items() if count > 1]),
        "torn": len(found.torn),
        "misplaced": len(found.misplaced),
    }
    wrong = list(journal.failures)
    for name, cases in [("lost", lost), ("repeated", repeated), ("misplaced", found.misplaced)]:
        if figures[name]:
            wrong.append(f"{figures[name]} {name}: {cases[:3]}")
    if len(found.torn) > fragments:
        wrong.append(f"{len(found.torn)} torn: {found.torn[:3]}")
    if unknown := [request for request in found.requests if request not in journal.sent]:
        wrong.append(f"nobody sent {unknown[:3]}")
    if unknown := [tick for tick in found.ticks if tick not in ticks]:
        wrong.append(f"ticks after the last one: {unknown[:3]}")
    processes = journal.answered.items()
    if others := [item for item in processes if found.processes.get(*item) != item[1]]:
        wrong.append(f"logged by another process: {others[:3]}")
    if in_master:
        if len(found.last_ticks) != 4 or min(found.last_ticks.values()) < 100:
            wrong.append(f"the master's threads have hardly logged: {found.last_ticks}")
        if not found.told("Handling signal: hup") or not found.others["app", SURROGATE]:
            wrong.append("lines of the master are missing")
    if found.files < 3:
        wrong.append(f"{found.files} files are too few for rollovers")
    if found.told("WORKER TIMEOUT"):
        wrong.append("a worker hung")
    if any(logger == "app.noise" for logger, _ in found.others):
        wrong.append("`levels` does not hold")
    figures["reloads"] = found.told("Handling signal: hup")
    figures["full workers"] = found.told("Autorestarting worker")
    return figures, wrong


def damage(logs, how, journal):
    """Does to one line of an answered request what must never happen."""
    files = sorted(logs.glob("app.*.log"))
    for file, other in zip(files, files[1:]):
        lines = file.read_bytes().splitlines(keepends=True)
        for n, line in enumerate(lines):
            request = re.search(rb"request '(r\d+)' answered by", line)
            if not request or request[1].decode() not in journal.answered:
                continue
            if how == "misplaced":
                other.write_bytes(other.read_bytes() + line)
            replaced = {"lost": b"", "misplaced": b"", "repeated": line + line, "torn": line[:40] + b"\n" + line[40:]}
            file.write_bytes(b"".join(lines[:n]) + replaced[how] + b"".join(lines[n + 1:]))
            return
    raise SystemExit("FAILED: no line that could be damaged")


def test_of_the_check(directory, journal, in_master, fragments, figures):
    """The check finds each kind of damage, done to a copy of good files, and counts it, and nothing else."""
    # A torn line is two pieces, and its request is lost.
    damages = {how: {how: 1} for how in DAMAGES} | {"torn": {"torn": 2, "lost": 1}}
    for how, expected in damages.items():
        copy = directory / f"with one line {how}"
        shutil.copytree(directory / "logs", copy)
        damage(copy, how, journal)
        damaged, wrong = check(copy, journal, in_master, fragments)
        more = {name: damaged[name] - figures[name] for name in damages if damaged[name] != figures[name]}
        if not wrong or more != expected:
            return [f"a line is {how}, and the check finds {more}, {wrong}"]
    return []


def play(mode, options, directory):
    settings = MODES[mode]
    in_master, is_buffered = settings["HOST_BUILD"] == "master", settings["HOST_BUFFERED"] == "1"
    journal, killed = run(directory, settings, options)
    if is_buffered:
        # The next process that builds writes what the last killed ones have left. Here it is one that does only this.
        subprocess.run([sys.executable, "-c", RECOVER, directory / "logs"], check=True)
    if options.damage:
        damage(directory / "logs", options.damage, journal)
    # A killed process leaves a piece of each line that its threads were writing, unless it was buffered. That line was
    # not answered: else it counts as lost.
    fragments = 0 if is_buffered else killed * THREADS_OF_A_WORKER
    figures, wrong = check(directory / "logs", journal, in_master, fragments)
    print(f"{mode}: {killed} killed, " + ", ".join(f"{value} {name}" for name, value in figures.items()), flush=True)
    if not wrong:
        wrong = test_of_the_check(directory, journal, in_master, fragments, figures)
    if killed != options.kills:
        wrong.append(f"{killed} of {options.kills} workers killed")
    if in_master and figures["reloads"] != options.reloads:
        wrong.append(f"{options.reloads} reloads, and {figures['reloads']} in the log")
    if in_master and not figures["full workers"]:
        wrong.append("no worker was replaced because of max_requests")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000, help="answers in each mode")
    parser.add_argument("--kills", type=int, default=12, help="workers to kill in each mode")
    parser.add_argument("--reloads", type=int, default=2, help="times that the master is told to reload")
    parser.add_argument("--max-requests", type=int, default=400, help="requests after which a worker is replaced")
    parser.add_argument("--mode", choices=MODES, action="append", help="only this one")
    parser.add_argument("--damage", choices=DAMAGES, help="damage one line on purpose: the test must fail")
    parser.add_argument("--keep", action="store_true", help="keep the files")
    options = parser.parse_args()
    failed = False
    for mode in options.mode or MODES:
        directory = Path(tempfile.mkdtemp(prefix="prefork-host-"))
        try:
            wrong = play(mode, options, directory)
        finally:
            if options.keep:
                print(f"the files are in {directory}")
            else:
                shutil.rmtree(directory)
        for finding in wrong:
            failed = True
            print(f"FAILED: {mode}: {finding}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
