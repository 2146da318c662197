"""A publisher's web server on loopback for `ivr model install`: as good or as bad as a test wants it."""

from __future__ import annotations

import io
import json
import socket
import struct
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAME = "vosk-model-small-cn-0.22"
FILES = {
    "am/final.mdl": b"acoustic" * 30_000,
    "conf/mfcc.conf": b"--rate",
    "graph/HCLr.fst": b"h",
    "graph/Gr.fst": b"g",
}


def zipped(files: dict[str, bytes], top: str = NAME) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as box:  # stored, so that the archive is long enough to break off
        for name, data in files.items():
            box.writestr(f"{top}/{name}" if top else name, data)
    return out.getvalue()


def index_page(url: str, name: str) -> bytes:
    """A project's page of a package index (PEP 503)."""
    return (
        f'<!DOCTYPE html><a href="https://example.org/older.whl">older</a><a href="{url}#sha256=0">{name}</a>'.encode()
    )


@dataclass
class Shelf:
    """What the server offers and how it behaves; `asked` keeps the Range of each request."""

    data: bytes
    ranges: bool = True
    etag: str = '"one"'
    breaks_after: list[int] = field(default_factory=list)
    """Bytes after which each of the first connections is torn."""
    silent_after: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses of the first replies instead of the file."""
    dribble_s: float = 0.0
    tells_length: bool = True
    models: list[dict[str, Any]] = field(default_factory=list)
    pages: dict[str, bytes] = field(default_factory=dict)
    """Other paths and what stands there, as HTML."""
    asked: list[str] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    shelf: Shelf

    def do_GET(self) -> None:
        shelf = self.shelf
        if self.path.endswith("model-list.json"):
            body = json.dumps(shelf.models).encode()
            self.send_response(200 if shelf.models else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        if shelf.pages:
            body = shelf.pages.get(self.path, b"")
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        shelf.asked.append(self.headers.get("Range", ""))
        if shelf.answers:
            self.send_error(shelf.answers.pop(0))
            return
        start = 0
        asked = self.headers.get("Range")
        if shelf.ranges and asked and self.headers.get("If-Range") in (None, shelf.etag):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(shelf.data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(shelf.data)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(shelf.data) - 1}/{len(shelf.data)}")
        else:
            self.send_response(200)
        if shelf.etag:
            self.send_header("ETag", shelf.etag)
        body = shelf.data[start:]
        if shelf.tells_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if shelf.breaks_after:
            self.wfile.write(body[: shelf.breaks_after.pop(0)])
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        if shelf.silent_after:
            self.wfile.write(body[: shelf.silent_after.pop(0)])
            self.wfile.flush()
            time.sleep(1.5)
            return
        for at in range(0, len(body), 4096 if shelf.dribble_s else len(body) or 1):
            self.wfile.write(body[at : at + 4096] if shelf.dribble_s else body)
            time.sleep(shelf.dribble_s)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(data: bytes) -> Iterator[Shelf]:
    """A shelf with this archive, on a free port of loopback."""
    shelf = Shelf(data)
    handler = type("Handler", (Handler,), {"shelf": shelf})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        shelf.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield shelf
        server.shutdown()
