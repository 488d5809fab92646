"""servers.py - an HTTP server and a UDP tracker whose every answer is the case's own; and doors that let nobody in.

An HTTP answer is a function answer(q): q.path, q.range (from, to) or None; q.send(bytes), which counts and gives False
once the other side has gone; q.head(status, **headers). It ends when the function returns.
"""
import socket
import struct
import threading

MAGIC = 0x41727101980


class Question:
    def __init__(self, server, sock, text):
        self.server, self.sock = server, sock
        self.path = text.split(b" ", 2)[1].decode("latin1") if text.count(b" ") > 1 else ""
        self.range = None
        for line in text.split(b"\r\n"):
            if line.lower().startswith(b"range: bytes="):
                first, last = line[13:].split(b"-")
                self.range = int(first), int(last) + 1

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            return False
        self.server.sent += len(data)
        return True

    def head(self, status=200, **headers):
        lines = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
        return self.send(f"HTTP/1.1 {status} X\r\nConnection: close\r\n{lines}\r\n".encode())

    def body(self, data, status=200, **headers):
        return self.head(status, Content_Length=len(data), **headers) and self.send(data)


class Http:
    def __init__(self, address, port, answer):
        self.answer, self.questions, self.sent, self.connects = answer, [], 0, 0
        self.listener = socket.create_server((address, port), backlog=64)
        self.place = self.listener.getsockname()
        threading.Thread(target=self._run, daemon=True).start()

    def url(self, path="/announce"):
        return f"http://{self.place[0]}:{self.place[1]}{path}"

    def _run(self):
        while True:
            try:
                sock = self.listener.accept()[0]
            except OSError:
                return
            self.connects += 1
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock):
        text = b""
        try:
            sock.settimeout(30)
            while b"\r\n\r\n" not in text:
                more = sock.recv(8192)
                if not more:
                    return
                text += more
            q = Question(self, sock, text)
            self.questions.append(q)
            self.answer(q)
        except OSError:
            pass
        finally:
            sock.close()

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


class Udp:
    """A UDP tracker: answer(action, tid, data) gives the packets to send for it; (bytes, socket) goes out from another."""

    def __init__(self, address, port, answer):
        self.answer, self.asked, self.open = answer, [], True
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((address, port))
        self.s.settimeout(0.1)
        self.place = self.s.getsockname()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def url(self):
        return f"udp://{self.place[0]}:{self.place[1]}/announce"

    def _run(self):
        while self.open:
            try:
                data, peer = self.s.recvfrom(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            self.asked.append(data)
            if len(data) < 16:
                continue
            action, tid = struct.unpack(">II", data[8:16])
            for packet in self.answer(action, tid, data):
                packet, via = packet if isinstance(packet, tuple) else (packet, self.s)
                via.sendto(packet, peer)

    def stop(self):
        self.open = False
        self.thread.join(2)
        self.s.close()


class Doors:
    """TCP listeners; count() says how often they were dialled."""

    def __init__(self, places):
        self.open, self.came = [socket.create_server(place, backlog=8) for place in places], 0
        for d in self.open:
            d.setblocking(False)

    def count(self):
        for d in self.open:
            try:
                while True:
                    d.accept()[0].close()
                    self.came += 1
            except OSError:
                pass
        return self.came

    def stop(self):
        for d in self.open:
            d.close()


def connected(tid, id_=77):
    return struct.pack(">IIQ", 0, tid, id_)


def announced(tid, peers, interval=1800, action=1):
    return struct.pack(">IIIII", action, tid, interval & 0xffffffff, 1, 1) + peers
