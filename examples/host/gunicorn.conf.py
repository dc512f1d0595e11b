"""The settings of gunicorn, which its master reads at its start, and again at SIGHUP.

To start the server by hand, run this in this folder, after `test.sh` has built the extension. `BUILT` is the folder
that `test.sh` prints, and 3.11 is the version of Python that `test.sh` used:

    PYTHONPATH=BUILT/python:. BUILT/venv-3.11/bin/gunicorn --bind 127.0.0.1:8000 app:application
"""

import logging
import os

import prefork_host
import ticks

# The master loads the application and forks its workers while other threads of the master log.
preload_app = True
worker_class = "gthread"
workers = int(os.environ.get("HOST_WORKERS", "4"))
threads = 4
# A worker is replaced after so many requests.
max_requests = int(os.environ.get("HOST_MAX_REQUESTS", "0"))
max_requests_jitter = max_requests // 4
# gunicorn's own socket for commands stands in the user's home. This example has no use for it.
control_socket_disable = True

# All lines go through the extension: those of the application, and gunicorn's own.
access_log_format = "%(m)s %(U)s %(s)s"
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"extension": {"class": "prefork_logging.Handler"}},
    "root": {"level": "INFO", "handlers": ["extension"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
        "gunicorn.access": {"level": "INFO", "handlers": [], "propagate": True},
    },
}

_in_master = os.environ.get("HOST_BUILD", "master") == "master"


def _build():
    prefork_host.build(
        os.environ.get("HOST_LOGS", "logs"),
        rotation=os.environ.get("HOST_ROTATION", "daily"),
        max_log_files=int(os.environ.get("HOST_MAX_LOG_FILES", "14")),
        buffered=os.environ.get("HOST_BUFFERED") == "1",
        # A logger is a target, and a directive holds for all loggers whose names begin so.
        levels=os.environ.get("HOST_LEVELS", "info,app.noise=warn"),
    )


if _in_master:
    # At SIGHUP this is the second call, which changes nothing.
    _build()


def post_fork(server, worker):
    """In each worker, before it serves. A worker of a master that has built has nothing to do here."""
    if not _in_master:
        _build()
    logging.getLogger("app").info("process %d is forked", worker.pid)


def on_starting(server):
    """In the master, once, before it forks."""
    # A text that is not UTF-8: such names of files come from Python's os.listdir.
    logging.getLogger("app").info("surrogate \udcff of a name")
    if _in_master:
        ticks.start(int(os.environ.get("HOST_TICKS_REST_US", "0")))


def on_exit(server):
    """In the master, when its workers have ended."""
    ticks.end()
