"""Stands between a program and the API server, passes everything on, and does on request what a real server does not
do on demand: cuts watches in the middle of a line, stalls, answers 410 and 429, tells events twice or in another order."""

import collections
import http.client
import http.server
import json
import random
import ssl
import threading
import urllib.parse

HOP_HEADERS = {"connection", "transfer-encoding", "content-length", "host", "keep-alive"}
GONE = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
        "message": "too old resource version"}


class KubeProxy:
    def __init__(self, cluster, seed=1):
        self.cluster, self.random = cluster, random.Random(seed)
        self.requests = collections.Counter()  # (verb, path without its query) -> how many came in
        self.lists = collections.Counter()  # path -> how often all of it was asked for, by a list or by a watch
        self.fired = collections.Counter()  # fault -> how often it happened
        self.answers = {}  # path prefix, or "" for all -> (status, headers, document, how many are left)
        self.flowing = threading.Event()
        self.flowing.set()
        self.cut_after = None  # bytes of each watch
        self.disorder = False
        self.watches = set()
        certificate, key = cluster.authority.issue("proxy", "IP:127.0.0.1,DNS:localhost")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.heal()
        self.cut_all()
        self.server.shutdown()
        self.server.server_close()

    # ---- faults ------------------------------------------------------------------------------------

    def heal(self):
        self.answers.clear()
        self.cut_after, self.disorder = None, False
        self.flowing.set()
        for watch in list(self.watches):
            watch.let_go()

    def cut_all(self):
        """Every watch ends now, wherever it is."""
        for watch in list(self.watches):
            watch.cut()

    def stall(self):
        """Nothing is passed on any more, and nothing is closed."""
        self.flowing.clear()

    def wait_while_stalled(self):
        if not self.flowing.is_set():
            self.fired["stalled"] += 1
            self.flowing.wait()

    def answer(self, status, *, path="", headers=None, document=None, times=1 << 30):
        """In place of the server's answers to requests for this path prefix."""
        self.answers[path] = [status, headers or {}, document or {"kind": "Status", "code": status}, times]

    def expire(self, path, *, in_stream, times=1):
        """The next watches of this path are too old: told by the status, or by an event of the stream."""
        if in_stream:
            self.answer(200, path=path, times=times, document={"type": "ERROR", "object": GONE})
        else:
            self.answer(410, path=path, times=times, document=GONE)

    def take_answer(self, path, watch):
        for prefix, planned in list(self.answers.items()):
            expired = planned[0] == 410 or planned[2].get("type") == "ERROR"
            if path.startswith(prefix) and planned[3] > 0 and (watch or not expired):
                planned[3] -= 1
                self.fired[f"{planned[0]}{' in stream' if planned[0] == 200 else ''}"] += 1
                return planned[:3]
        return None


class Watch:
    """Passes the lines of one watch on, as the proxy wants it at that moment."""

    def __init__(self, proxy, handler):
        self.proxy, self.handler, self.sent, self.held = proxy, handler, 0, []
        self.sending = threading.Lock()

    def run(self, answer):
        while line := answer.readline():
            self.proxy.wait_while_stalled()
            with self.sending:
                if not all(self.send(one) for one in self.reordered(line)):
                    return
        self.handler.wfile.write(b"0\r\n\r\n")

    def reordered(self, line):
        """Two events in the other order, or one twice; never over a bookmark, which says what came before it."""
        if not self.proxy.disorder or b'"type":"BOOKMARK"' in line:
            held, self.held = self.held, []
            return [*held, line]
        if self.held:
            held, self.held = self.held, []
            self.proxy.fired["reordered"] += 1
            return [line, *held]
        if self.proxy.random.random() < 0.3:
            self.held = [line]
            return []
        if self.proxy.random.random() < 0.3:
            self.proxy.fired["repeated"] += 1
            return [line, line]
        return [line]

    def let_go(self):
        """What waits for another event to overtake it."""
        with self.sending:
            held, self.held = self.held, []
            try:
                for one in held:
                    self.send(one)
            except OSError:
                pass  # who watched has left, and watches anew from what it has seen

    def send(self, line):
        limit = self.proxy.cut_after
        if limit is not None and self.sent + len(line) > limit:
            self.chunk(line[:max(1, limit - self.sent)])
            self.proxy.fired["cut in a line"] += 1
            self.cut()
            return False
        self.chunk(line)
        return True

    def chunk(self, data):
        self.handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.sent += len(data)

    def cut(self):
        self.handler.close_connection = True
        try:
            self.handler.connection.shutdown(2)
        except OSError:
            pass  # it is gone already


def handler_of(proxy):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 600

        def forward(self):
            url = urllib.parse.urlsplit(self.path)
            watch = "watch=1" in url.query or "watch=true" in url.query
            proxy.requests["WATCH" if watch else self.command, url.path] += 1
            asks_for_all = "sendInitialEvents=true" in url.query if watch else "limit=" in url.query
            if asks_for_all and "continue=" not in url.query:
                proxy.lists[url.path] += 1
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            proxy.wait_while_stalled()
            if planned := proxy.take_answer(url.path, watch):
                return self.say(planned[0], planned[1], (json.dumps(planned[2]) + "\n").encode())
            upstream = http.client.HTTPSConnection("127.0.0.1", proxy.cluster.port, timeout=600,
                                                   context=proxy.cluster.trust)
            try:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_HEADERS}
                upstream.request(self.command, self.path, body or None, headers)
                self.pass_on(upstream.getresponse(), watch)
            except (OSError, http.client.HTTPException):
                self.close_connection = True
            finally:
                upstream.close()

        def pass_on(self, answer, watch):
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_HEADERS}
            if not watch or answer.status != 200:
                return self.say(answer.status, headers, answer.read())
            self.send_response(200)
            for name, value in {**headers, "Transfer-Encoding": "chunked"}.items():
                self.send_header(name, value)
            self.end_headers()
            one = Watch(proxy, self)
            proxy.watches.add(one)
            try:
                one.run(answer)
            finally:
                proxy.watches.discard(one)

        def say(self, status, headers, body):
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

        def log_message(self, *_):
            pass

    return Handler
