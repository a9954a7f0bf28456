"""One TCP stream, or one byte to and fro: `traffic.py serve PORT`, `traffic.py upload|download|rtt HOST PORT SECONDS`.

Runs by itself inside containers: only the standard library. What a client measures is printed: Gbit/s, or the median
round trip in microseconds.
"""

import socket
import sys
import threading
import time

_CHUNK = 1 << 20
_MODES = {"upload": b"u", "download": b"d", "rtt": b"r"}


def serve(port: int) -> None:
    with socket.create_server(("", port), backlog=64) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def measure(mode: str, address: tuple[str, int], seconds: float) -> float:
    with socket.create_connection(address, timeout=30) as connection:
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(_MODES[mode])
        if mode == "rtt":
            return _round_trip(connection, seconds)
        return _upload(connection, seconds) if mode == "upload" else _download(connection, seconds)


def _answer(connection: socket.socket) -> None:
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            mode = connection.recv(1)
            if mode == b"u":
                connection.sendall(_drain(connection).to_bytes(8, "big"))
            elif mode == b"d":
                chunk = bytes(_CHUNK)
                while True:
                    connection.sendall(chunk)
            while mode == b"r" and (byte := connection.recv(1)):
                connection.sendall(byte)
        except ConnectionError:
            return  # the client has seen enough


def _drain(connection: socket.socket) -> int:
    buffer, total = bytearray(_CHUNK), 0
    while count := connection.recv_into(buffer):
        total += count
    return total


def _upload(connection: socket.socket, seconds: float) -> float:
    """Gbit/s of what the server has received by the time it says so, nothing in flight counted."""
    chunk, start = bytes(_CHUNK), time.perf_counter()
    while time.perf_counter() - start < seconds:
        connection.sendall(chunk)
    connection.shutdown(socket.SHUT_WR)
    answer = b""
    while len(answer) < 8:
        answer += connection.recv(8 - len(answer)) or sys.exit("the server has gone")
    return int.from_bytes(answer, "big") * 8e-9 / (time.perf_counter() - start)


def _download(connection: socket.socket, seconds: float) -> float:
    buffer, total, start = bytearray(_CHUNK), 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        total += connection.recv_into(buffer) or sys.exit("the server has gone")
    return total * 8e-9 / elapsed


def _round_trip(connection: socket.socket, seconds: float) -> float:
    times, end = [], time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        connection.sendall(b"x")
        connection.recv(1)
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e6


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        print(measure(sys.argv[1], (sys.argv[2], int(sys.argv[3])), float(sys.argv[4])))
