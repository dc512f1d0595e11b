#!/usr/bin/env bash
# Builds the extension, makes a virtual environment with gunicorn, and tests the server under load. The arguments go to
# `test_under_load.py`: `--help` prints them. Where Python or gunicorn cannot be had, the test says that it was skipped,
# and succeeds.
set -euo pipefail
cd "$(dirname "$0")"

skipped() {
    echo "skipped: $*"
    exit 0
}

[ "$(uname)" = Linux ] || skipped "the test looks into /proc, which Linux has"
python=${PYTHON:-python3}
command -v "$python" >/dev/null || skipped "$python is not installed"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skipped "$python is older than Python 3.10"

target=${CARGO_TARGET_DIR:-$PWD/../../target/host}
mkdir -p "$target"
target=$(cd "$target" && pwd)

# The virtual environment stays for the next time.
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
venv=$target/venv-$version
if ! "$venv/bin/python" -c 'import gunicorn' 2>/dev/null; then
    rm -rf "$venv"
    log=$target/venv.log
    "$python" -m venv "$venv" >"$log" 2>&1 || skipped "no virtual environment: $(tail -n 1 "$log")"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement requirements.txt \
        >"$log" 2>&1 || skipped "gunicorn cannot be installed: $(tail -n 1 "$log")"
fi

# One library for each Python: its symbols come from the program that loads it. So the build asks no Python.
PYO3_BUILD_EXTENSION_MODULE=1 PYO3_NO_PYTHON=1 cargo build --release --locked --target-dir "$target"
mkdir -p "$target/python"
cp "$target/release/libprefork_host.so" "$target/python/prefork_host.abi3.so"

echo "built in $target"
"$venv/bin/python" -c 'import gunicorn, sys; print("Python", sys.version.split()[0], "gunicorn", gunicorn.__version__)'
PYTHONPATH=$target/python PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" test_under_load.py "$@"
