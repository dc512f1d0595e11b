#!/usr/bin/env bash
# The example `upload` against an S3 server: kills of its processes and of the server, a bucket that is missing, large
# files. Needs cargo. Compiles the server, s3s-fs, unless it is on the path. That takes some 100 seconds of processor
# time, so CI does it once a week. `UPLOAD_KILLS=200 tests/shipping/upload.sh` makes 200 kills in place of 10.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$HOME/.cargo/bin:$PATH"

if ! command -v s3s-fs >/dev/null; then
    # 0.14 is the last version that Rust 1.92 compiles. It brings a newer `time` than Rust 1.85 takes: so it is no
    # dependency of the workspace.
    tools=$(realpath -m "${CARGO_TARGET_DIR:-target}")/s3s-fs
    cargo install --quiet --locked --debug s3s-fs --version 0.14.1 --features binary --root "$tools"
    export PATH="$tools/bin:$PATH"
fi
cd examples/upload
cargo test -- --nocapture
