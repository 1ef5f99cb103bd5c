"""A small OpenML on this machine: the answers that scikit-learn's fetch_openml asks for, and a log."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import numpy as np
from sklearn.datasets import _openml


class OpenML:
    """Serves one table: rows of pixels and, in the last column, labels."""

    def __init__(self, number: int, name: str, rows: np.ndarray, labels: np.ndarray) -> None:
        self.number, self.name = number, name
        self.columns = [f"pixel{place}" for place in range(rows.shape[1])] + ["class"]
        self.levels = sorted({int(label) for label in labels})
        lines = [f"@RELATION {name}"] + [f"@ATTRIBUTE {column} REAL" for column in self.columns[:-1]]
        lines += [f"@ATTRIBUTE class {{{','.join(map(str, self.levels))}}}", "@DATA"]
        lines += [",".join(map(str, [*row, label])) for row, label in zip(rows.tolist(), labels, strict=True)]
        self.arff = "\n".join([*lines, ""]).encode()
        self.md5 = hashlib.md5(self.arff, usedforsecurity=False).hexdigest()
        self.status = 200  # of every answer
        self.cut = False  # break the connection in the middle of the table
        self.requests: list[str] = []
        self.port = 0

    def answer(self, path: str) -> bytes | None:
        """The body for one path of OpenML's interface."""
        base = "/api/v1/json/data"
        if path == f"{base}/{self.number}":
            known = {
                "id": str(self.number),
                "name": self.name,
                "version": "1",
                "description": "a small table",
            }
            known |= {"format": "ARFF", "status": "active", "file_id": "7", "md5_checksum": self.md5}
            known["url"] = "https://www.openml.org/data/v1/download/7/table.arff"
            return json.dumps({"data_set_description": known}).encode()
        if path == f"{base}/features/{self.number}":
            features = [
                {
                    "index": str(index),
                    "name": name,
                    "data_type": "nominal" if name == "class" else "numeric",
                    "is_target": str(name == "class").lower(),
                    "is_ignore": "false",
                    "is_row_identifier": "false",
                    "number_of_missing_values": "0",
                }
                for index, name in enumerate(self.columns)
            ]
            return json.dumps({"data_features": {"feature": features}}).encode()
        if path == f"{base}/qualities/{self.number}":
            return json.dumps({"data_qualities": {"quality": []}}).encode()
        return self.arff if "/download/" in path else None

    @property
    def tables_sent(self) -> int:
        """How often the table itself was asked for."""
        return sum("/download/" in path for path in self.requests)


def _handler(openml: OpenML) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            openml.requests.append(self.path)
            body = openml.answer(self.path)
            status = 404 if body is None else openml.status
            body = body if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            half = openml.cut and "/download/" in self.path
            self.wfile.write(body[: len(body) // 2] if half else body)

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


@contextmanager
def serving(openml: OpenML):
    """The server, running on a free port of the loopback interface."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(openml))
    openml.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield openml
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def redirect(monkeypatch, port: int) -> None:
    """Lead every request of fetch_openml to this port, and let it retry without waiting."""

    def local(request: Request | str, *arguments: object, **options: object):
        url = request.full_url if isinstance(request, Request) else request
        assert urlparse(url).hostname.endswith("openml.org")
        headers = dict(request.header_items()) if isinstance(request, Request) else {}
        there = Request(f"http://127.0.0.1:{port}{urlparse(url).path}", headers=headers)
        return urlopen(there, *arguments, **options)

    monkeypatch.setattr(_openml, "urlopen", local)
    monkeypatch.setattr(_openml, "time", SimpleNamespace(sleep=lambda seconds: None))
