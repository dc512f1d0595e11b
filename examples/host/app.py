"""The application. With `--preload` it is loaded in the master, once, before any fork."""

import logging
import os
from urllib.parse import parse_qs

requests = logging.getLogger("app.requests")
noise = logging.getLogger("app.noise")


def application(environ, start_response):
    """Logs a request before it is answered: who has an answer has a line in the log."""
    request = parse_qs(environ["QUERY_STRING"]).get("id", ["none"])[0]
    process = os.getpid()
    noise.info("the levels of gunicorn.conf.py leave this out")
    if environ["PATH_INFO"] == "/fail":
        status = "500 Internal Server Error"
        try:
            raise ValueError(repr(request))
        except ValueError:
            # The text of a client, here of `request`, is quoted: it could have a line feed, and pose as a line.
            requests.exception("request %r failed in process %d", request, process)
    else:
        status = "200 OK"
        requests.info("request %r answered by process %d", request, process)
    body = f"{process}".encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
