"""For the test: threads of the master that log while the master forks, two of Python and two of Rust.

They stand in a module, because gunicorn runs its configuration file again at SIGHUP, and a module only once.
"""

import logging
import threading

import prefork_host

_THREADS = 2
_over = threading.Event()
_python = []
_rust = []


def start(rest_us):
    """Starts the threads. Each logs, and then rests for so many microseconds; with 0 there are none."""
    if rest_us:
        _rust.append(prefork_host.Ticks(_THREADS, rest_us))
        _python.extend(threading.Thread(target=_tick, args=(thread, rest_us)) for thread in range(_THREADS))
        for thread in _python:
            thread.start()


def end():
    """Ends the threads: no thread should log while its process ends."""
    _over.set()
    for thread in _python:
        thread.join()
    for threads in _rust:
        threads.end()


def _tick(thread, rest_us):
    logger = logging.getLogger("python.ticks")
    number = 0
    while not _over.is_set():
        number += 1
        logger.info("tick %d of thread %d", number, thread)
        _over.wait(rest_us / 1e6)
    logger.info("thread %d ends after %d ticks", thread, number)
