"""A client in a pod: one request after the other, each on a connection of its own, one line of JSON for each.

`python caller.py HOST PORT PAUSE_SECONDS LIMIT_SECONDS`. `at` and `took` are seconds, `by` is who answered, `error` why
nobody did.
"""

import json
import socket
import sys
import time


def once(host: str, port: int, limit: float) -> tuple[str, str]:
    try:
        with socket.create_connection((host, port), timeout=limit) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while b"\r\n\r\n" not in answer or not answer.partition(b"\r\n\r\n")[2]:
                part = connection.recv(4096)
                if not part:
                    return "", "closed"
                answer += part
            return answer.partition(b"\r\n\r\n")[2].decode(), ""
    except OSError as error:
        return "", type(error).__name__


def main(host: str, port: int, pause: float, limit: float) -> None:
    due = time.monotonic()
    while True:
        began = time.monotonic()
        by, error = once(host, port, limit)
        line = {"at": began, "took": time.monotonic() - began, "by": by, "error": error}
        print(json.dumps(line), flush=True)
        due = max(due + pause, time.monotonic() - pause)
        time.sleep(max(0.0, due - time.monotonic()))


main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
