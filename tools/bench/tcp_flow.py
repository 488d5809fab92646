"""tools/bench/tcp_flow.py - one TCP stream that does not end: what others on a line are to leave alone.

    tcp_flow.py sink HOST PORT      waits for it, reads, and says as JSON how many bytes have come, ten times a second
    tcp_flow.py send HOST PORT      sends as much as is taken; by CUBIC, as most of the net does, where that may be chosen
"""
import json
import socket
import sys
import time


def say(event, **more):
    print(json.dumps({"t": time.monotonic(), "event": event, **more}), flush=True)


def sink(place):
    with socket.create_server(place) as listener:
        say("started")
        stream, _ = listener.accept()
    came, tell, room = 0, 0.0, bytearray(1 << 18)
    while n := stream.recv_into(room):
        came += n
        if time.monotonic() >= tell:
            say("came", bytes=came)
            tell = time.monotonic() + 0.1


def send(place):
    with socket.create_connection(place, 10) as stream:
        stream.settimeout(None)
        try:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
        except OSError:
            pass
        say("started", by=stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode())
        block = bytes(1 << 16)
        while True:
            stream.sendall(block)


def main():
    what, host, port = sys.argv[1:]
    try:
        {"sink": sink, "send": send}[what]((host, int(port)))
    except (BrokenPipeError, ConnectionResetError):
        pass


main()
