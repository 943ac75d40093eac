#!/bin/bash
# The tour: a server, a call from Go and one from Python on a real file, and a short benchmark against Unix sockets.
# Run it with "make run", which builds ./server, ./client and ./benchmark, and puts a Python with nanorpc first on PATH.
set -euo pipefail
cd "$(dirname "$0")/../.."

service=tour-$$
file=LICENSE
mkdir -p out

./server -service "$service" >out/server.log 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true' EXIT
until grep -q ready out/server.log; do
    kill -0 "$server" 2>/dev/null || { cat out/server.log >&2; exit 1; }
    sleep 0.05
done

echo "The SHA-256 of $file"
from_go=$(./client -service "$service" sha256 "$file")
echo "  from Go       $from_go"
from_python=$(python - "$service" "$file" <<'END'
import sys
from pathlib import Path

import nanorpc

with nanorpc.connect(sys.argv[1]) as client:
    print(client.call("sha256", Path(sys.argv[2]).read_bytes(), timeout=5).decode())
END
)
echo "  from Python   $from_python"
from_sha256sum=$(sha256sum "$file" | cut -d' ' -f1)
echo "  by sha256sum  $from_sha256sum"
if [ "$from_go" != "$from_sha256sum" ] || [ "$from_python" != "$from_sha256sum" ]; then
    echo "the digests differ" >&2
    exit 1
fi

echo
echo "A thousand calls from Go"
./client -service "$service" -n 1000 -data hello echo | tail -1

echo
echo "Round trips beside Unix sockets; limit is two processes that only spin on shared memory"
./benchmark -size 64,4096,65536,1048576 -duration 200ms -rounds 3 -output out/benchmark.jsonl
python -m nanorpc.plot out/benchmark.jsonl out/benchmark.png
