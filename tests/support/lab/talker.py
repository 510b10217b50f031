"""A client that keeps its connection: one request for each line that it is given, one line for each answer.

`python talker.py HOST PORT`. An answer is who gave it, or empty when the connection ended instead.
"""

import socket
import sys


def ask(connection: socket.socket) -> str:
    try:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.partition(b"\r\n\r\n")[2]:
            part = connection.recv(4096)
            if not part:
                return ""
            answer += part
    except OSError:
        return ""
    return answer.partition(b"\r\n\r\n")[2].decode()


with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as stream:
    for _ in sys.stdin:
        print(ask(stream), flush=True)
