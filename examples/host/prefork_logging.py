"""Python's `logging`, through the extension."""

import logging

import prefork_host


class Handler(logging.Handler):
    """Hands each record to the extension: its level, the name of its logger, and its text.

    The extension adds the time and chooses the file, so a formatter needs neither. A traceback is part of the text, and
    one write. After a fork Python makes the handler's lock anew, so a child never finds the lock taken.
    """

    def emit(self, record):
        try:
            prefork_host.log(record.levelno, record.name, self.format(record))
        except Exception:
            self.handleError(record)
