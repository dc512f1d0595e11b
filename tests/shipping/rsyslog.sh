#!/bin/sh
# A million lines through rsyslog, with kills: see ship.py. Needs `cargo build -p prefork-log`.
exec python3 "$(dirname "$0")/ship.py" rsyslog "$@"
