#!/usr/bin/env python3
"""A centre that speaks HTTP: appends the body of each request to a file, and answers when the file has all of it.

    tests/shipping/http_centre.py PORT FILE
"""

import http.server
import os
import sys


class Centre(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        # A body is whole lines. One write of the whole: a kill leaves no piece of a line.
        written = os.write(self.server.file, body)
        assert written == length, "a full disk"
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Centre)
    server.file = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    server.serve_forever()
