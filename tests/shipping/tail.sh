#!/bin/sh
# `tail -F` follows the hard link to the latest file, while 8 processes write and the files roll over each second.
# Every line must come out of
# tail, once. Needs `cargo build -p prefork-log`.
set -eu
cd "$(dirname "$0")/../.."
prefork_log="${CARGO_TARGET_DIR:-target}/debug/prefork-log"
rollovers=${1:-20}

directory=$(mktemp -d)
followed=
trap 'test -z "$followed" || kill "$followed" 2>/dev/null || true; rm -rf "$directory"' EXIT
trap 'exit 1' INT TERM

write() {
    # 50 lines, ten times a second, for as many seconds as there are rollovers and two more.
    awk -v writer="$1" -v seconds=$((rollovers + 2)) 'BEGIN {
        for (tick = 0; tick < seconds * 10; tick++) {
            for (line = 0; line < 50; line++) print writer "-" tick * 50 + line
            fflush()
            system("sleep 0.1")
        }
    }' | "$prefork_log" pipe "$directory/logs" --prefix app --suffix log --rotate secondly --latest-hard-link app.log
}

for writer in 1 2 3 4 5 6 7 8; do write "$writer" & writers="${writers:-} $!"; done
# The link must be there before tail starts. Else tail does without inotify(7), and looks for a new file each 5 seconds.
until test -e "$directory/logs/app.log"; do sleep 0.05; done
tail -n +1 -F "$directory/logs/app.log" > "$directory/seen" 2> "$directory/said" &
followed=$!
for writer in $writers; do wait "$writer"; done

cat "$directory"/logs/app.2*.log | sort > "$directory/written"
count=$(wc -l < "$directory/written")
for _ in $(seq 100); do
    test "$(wc -l < "$directory/seen")" -lt "$count" || break
    sleep 0.1
done
sort "$directory/seen" > "$directory/sorted"
missed=$(comm -23 "$directory/written" "$directory/sorted" | wc -l)
more=$(comm -13 "$directory/written" "$directory/sorted" | wc -l)
files=$(ls "$directory"/logs/app.2*.log | wc -l)
# The comparison must find a line that is taken out.
sed 1d "$directory/sorted" > "$directory/one-less"
found=$(comm -23 "$directory/written" "$directory/one-less" | wc -l)

echo "tail -F: $files files, $count lines written, $missed missed, $more too many"
test "$found" -eq $((missed + 1)) || { echo "the comparison finds nothing"; exit 1; }
test "$files" -gt "$rollovers" || { echo "too few rollovers"; exit 1; }
test "$missed$more" = 00
