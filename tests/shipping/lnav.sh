#!/bin/sh
# Reads lines of each shape with lnav and docs/lnav/tracing_prefork.json, and compares what lnav makes of them.
set -eu
cd "$(dirname "$0")/../.."
command -v lnav >/dev/null || { echo "skipped: lnav is not installed"; exit 0; }

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
mkdir -p "$directory/formats/tracing_prefork"
cp docs/lnav/tracing_prefork.json "$directory/formats/tracing_prefork"

cat > "$directory/app.2026-11-21.log" <<'END'
2026-11-21T08:33:01.123456Z  INFO my_app: started
2026-11-21T08:33:02.123456Z DEBUG my_app::db: connected ms=12 host="db 1"
2026-11-21T08:33:03.123456Z ERROR request{id=7 path="/a b"}:query{sql="select '}'"}: my_app::db: slow ms=1200
2026-11-21T08:33:04.123456Z  WARN outer:inner: my_app::jobs: retry: 3 of 5 job=Some(3)
2026-11-21T08:33:05.123456Z TRACE   main ThreadId(01) step{n=1}:done: my_app::jobs: status=200
2026-11-21T08:33:06.123456Z  INFO my_app: a message with k=v in it, and no fields
END
cat > "$directory/json.2026-11-21.log" <<'END'
{"timestamp":"2026-11-21T08:33:01.123456Z","level":"INFO","fields":{"message":"answered","status":200},"target":"shop::orders","span":{"id":17,"name":"request"},"spans":[{"id":17,"name":"request"}]}
{"timestamp":"2026-11-21T08:33:02.123456Z","level":"ERROR","fields":{"message":"failed"},"target":"shop"}
END

export HOME="$directory"
query() {
    lnav -n -I "$directory" -c ";$1" -c ":write-csv-to -" "$2"
}
query "select log_time, log_level, thread, spans, target, log_body as body, fields from tracing_prefork" \
    "$directory/app.2026-11-21.log" > "$directory/found"
query 'select log_level, target, "span/name", jget(span, "/id") as id, jget(fields, "/status") as status,
    log_body as body from tracing_prefork_json' "$directory/json.2026-11-21.log" >> "$directory/found"
cat > "$directory/wanted" <<'END'
log_time,log_level,thread,spans,target,body,fields
2026-11-21 08:33:01.123,info,<NULL>,<NULL>,my_app,started,
2026-11-21 08:33:02.123,debug,<NULL>,<NULL>,my_app::db,connected,"ms=12 host=""db 1"""
2026-11-21 08:33:03.123,error,<NULL>,"request{id=7 path=""/a b""}:query{sql=""select '}'""}:",my_app::db,slow,ms=1200
2026-11-21 08:33:04.123,warning,<NULL>,outer:inner:,my_app::jobs,retry: 3 of 5,job=Some(3)
2026-11-21 08:33:05.123,trace,main ThreadId(01),step{n=1}:done:,my_app::jobs,,status=200
2026-11-21 08:33:06.123,info,<NULL>,<NULL>,my_app,"a message with k=v in it, and no fields",
log_level,target,span/name,id,status,body
info,shop::orders,request,17,200,answered
error,shop,<NULL>,<NULL>,<NULL>,failed
END
diff "$directory/wanted" "$directory/found"
echo "lnav: 6 lines of text and 2 of JSON, each with its level, target, spans, message and fields"
