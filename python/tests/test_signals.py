from __future__ import annotations

import signal
import subprocess
import sys
import time

BLOCKED = """
import nanorpc
with nanorpc.connect("demo") as client:
    print("blocked", flush=True)
    try:
        client.call("sleep", b"60000")
    except KeyboardInterrupt:
        for _ in range(200):
            assert client.call("echo", b"goes on", timeout=30) == b"goes on"
        print("interrupted", flush=True)
"""


def test_ctrl_c_interrupts_a_blocked_call(demo: subprocess.Popen[str]) -> None:
    with subprocess.Popen([sys.executable, "-c", BLOCKED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "blocked\n"
        time.sleep(0.5)  # until it is in the call; before, the interrupt ends the program with a traceback
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        assert process.stdout.readline() == "interrupted\n"
        assert time.monotonic() - start < 20, "not interrupted, but answered"
        assert process.wait(30) == 0
