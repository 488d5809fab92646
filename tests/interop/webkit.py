"""webkit.py - HTTP servers for the web seed tests: nginx from Debian, and one of ours that can be as wrong as it likes.

Everything runs in the network namespace the test was started in.
"""
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


class Nginx:
    """Serves `root`, as anybody's mirror would."""

    def __init__(self, work, root, address, port):
        os.makedirs(work, exist_ok=True)
        self.access = os.path.join(work, "access")
        conf = os.path.join(work, "nginx.conf")
        temp = "".join(f"{kind}_temp_path {work}/tmp-{kind};\n"
                       for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.geteuid() == 0 else ""
        with open(conf, "w") as f:
            f.write(f"{user}worker_processes 1;\ndaemon off;\npid {work}/pid;\nerror_log {work}/error;\n"
                    "events { worker_connections 64; }\n"
                    f"http {{\n{temp}sendfile on;\ntcp_nopush on;\nkeepalive_requests 1000;\n"
                    "log_format seen '$status $body_bytes_sent $uri';\n"
                    f"access_log {self.access} seen;\n"
                    f"server {{ listen {address}:{port}; root {root}; }}\n}}\n")
        self.log = os.path.join(work, "error")
        self.process = subprocess.Popen([NGINX, "-c", conf, "-e", self.log], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for(address, port)

    def seen(self):
        """(status, bytes, path) of every answer."""
        with open(self.access) as f:
            return [(int(a), int(b), c) for a, b, c in (line.rstrip("\n").split(" ", 2) for line in f)]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def why(self):
        return open(self.log).read()[-500:]


def wait_for(address, port):
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise AssertionError(f"nothing listens on {address}:{port}")
            time.sleep(0.02)


class Question:
    def __init__(self, server, sock, path, headers):
        self.server, self.sock, self.path, self.headers = server, sock, path, headers
        name = os.path.normpath(os.path.join(server.root, urllib.parse.unquote(path.split("?")[0]).lstrip("/")))
        self.data = None
        if os.path.isfile(name):
            with open(name, "rb") as f:
                self.data = f.read()
        self.range = None
        if "range" in headers:
            first, last = headers["range"].split("=")[1].split("-")
            self.range = int(first), int(last) + 1

    def send(self, data):
        self.sock.sendall(data)
        self.server.sent += len(data)

    def head(self, status, **headers):
        lines = [f"HTTP/1.1 {status} X"] + [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    def good(self, change=lambda body: body):
        """The right answer, with the body changed."""
        if self.data is None:
            return self.head(404, Content_Length=0)
        if self.range is None:
            self.head(200, Content_Length=len(self.data))
            return self.send(change(self.data))
        first, end = self.range
        self.head(206, Content_Length=end - first, Content_Range=f"bytes {first}-{end - 1}/{len(self.data)}")
        return self.send(change(self.data[first:end]))


class Server:
    """Answers each question by `answer(question)`: True keeps the connection, whatever else ends it."""

    def __init__(self, root, address, port, answer, tls=None):
        self.root, self.answer = root, answer
        self.questions, self.connections, self.sent, self.over = [], 0, 0, False
        self.listener = socket.create_server((address, port), backlog=64)
        self.open, self.context = [], None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls)
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        while not self.over:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(sock)
            t = threading.Thread(target=self.serve, args=(sock,), daemon=True)
            self.threads.append(t)
            t.start()

    def serve(self, sock):
        try:
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            rest = b""
            while not self.over:
                while b"\r\n\r\n" not in rest:
                    more = sock.recv(65536)
                    if not more or len(rest) > 65536:
                        return
                    rest += more
                head, rest = rest.split(b"\r\n\r\n", 1)
                lines = head.decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:])}
                q = Question(self, sock, lines[0].split(" ")[1], headers)
                self.questions.append(q)
                if self.answer(q) is not True:
                    return
        except (OSError, ssl.SSLError):
            pass
        finally:
            try:
                sock.close()
            except OSError:
                pass

    def stop(self):
        self.over = True
        self.listener.shutdown(socket.SHUT_RDWR)  # or the accept() under way would keep it open
        self.listener.close()
        for sock in self.open:
            sock.close()
        self.threads[0].join(5)
