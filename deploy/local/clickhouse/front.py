"""ClickHouse's HTTP interface for one machine, over the engine embedded in this process (chDB).

    python front.py --listen 127.0.0.1:19123 --path DIR

Speaks what clients of a server use: `/ping`; `GET` and `POST /` with the statement in `query` or the body; `database`,
`default_format`, `param_*` and settings as parameters or headers; chunked and `decompress=1` bodies; errors with
`X-ClickHouse-Exception-Code`; `X-ClickHouse-Summary`. Credentials are taken and not looked at. Answers are never
compressed. Sessions do not exist: every request stands alone.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
import uuid
from email import message_from_bytes
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from blocks import BadBlock, decoded
from engine import Engine, QueryError

BODY_BYTES_MAX = 1 << 30
STOP_SECONDS_MAX = 10.0

# Parameters with a meaning of their own; every other one is a setting.
NOT_SETTINGS = {
    "query", "database", "default_format", "decompress", "compress", "user", "password", "query_id", "quota_key",
    "role", "session_id", "session_timeout", "session_check", "close_session", "stacktrace", "buffer_size",
    "wait_end_of_query", "client_protocol_version",
}  # fmt: skip

# ClickHouse's number of an error → HTTP status, as the server's `exceptionCodeToHTTPStatus`; 500 for the others.
STATUS = (
    {code: HTTPStatus.NOT_FOUND for code in (46, 47, 50, 56, 60, 63, 81, 115)}
    | {code: HTTPStatus.BAD_REQUEST for code in (6, 26, 27, 38, 41, 53, 62, 69, 72, 117, 456, 457)}
    | {code: HTTPStatus.FORBIDDEN for code in (164, 497, 516)}
    | {48: HTTPStatus.NOT_IMPLEMENTED, 241: HTTPStatus.INSUFFICIENT_STORAGE}
)


class BadRequest(Exception):
    """The request itself cannot be read."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        path = urlsplit(self.path).path
        if path in ("/ping", "/replicas_status"):
            self._answer(HTTPStatus.OK, b"Ok.\n")
        elif path != "/":
            self._answer(HTTPStatus.NOT_FOUND, b"There is no handle " + path.encode() + b"\n")
        elif "query" not in self._parameters():
            self._answer(HTTPStatus.OK, b"Ok.\n")
        else:
            self._query(read_only=True)

    do_HEAD = do_GET

    def do_POST(self):
        if urlsplit(self.path).path != "/":
            self.close_connection = True
            self._answer(HTTPStatus.NOT_FOUND, b"There is no handle " + self.path.encode() + b"\n")
        else:
            self._query(read_only=False)

    def _query(self, read_only: bool):
        started = time.monotonic()
        parameters = self._parameters()
        query_id = parameters.get("query_id") or str(uuid.uuid4())
        try:
            body = self._body()
            if self.headers.get_content_type() == "multipart/form-data":
                parameters |= _form(body, self.headers.get_boundary() or "")
                body = b""
            if parameters.get("decompress", "0") == "1":
                body = decoded(body)
            if parameters.get("compress", "0") == "1":
                raise BadRequest("answers in ClickHouse blocks (compress=1) are not offered here, leave compress out")
            result = self.server.engine.query(
                parameters.get("query", ""),
                body,
                database=parameters.get("database") or self.headers.get("X-ClickHouse-Database", ""),
                default_format=parameters.get("default_format")
                or self.headers.get("X-ClickHouse-Format")
                or "TabSeparated",
                settings={
                    name: value
                    for name, value in parameters.items()
                    if name not in NOT_SETTINGS and not name.startswith("param_")
                },
                parameters={
                    name[len("param_") :]: value for name, value in parameters.items() if name.startswith("param_")
                },
                read_only=read_only,
            )
        except QueryError as error:
            self._refuse(STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR), error.code, error.text, started)
        except BadBlock as error:
            text = f"Code: 271. DB::Exception: Cannot decompress: {error}. (CANNOT_DECOMPRESS)"
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, 271, text, started)
        except BadRequest as error:
            self.close_connection = True
            text = f"Code: 36. DB::Exception: {error}. (BAD_ARGUMENTS)"
            self._refuse(HTTPStatus.BAD_REQUEST, 36, text, started)
        else:
            self._answer(HTTPStatus.OK, b"" if result is None else bytes(result.bytes()), self._described(result, query_id))

    def _parameters(self) -> dict:
        pairs = parse_qs(urlsplit(self.path).query, keep_blank_values=True, errors="surrogateescape")
        return {name: values[-1] for name, values in pairs.items()}

    def _body(self) -> bytes:
        if self.headers.get("Content-Encoding", "identity") != "identity":
            raise BadRequest(f"expected a plain body, got Content-Encoding {self.headers['Content-Encoding']}")
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            raise BadRequest(f"expected a Content-Length up to {BODY_BYTES_MAX}, got {length}")
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        chunks = []
        total = 0
        while True:
            head = self.rfile.readline(1024).split(b";")[0].strip()
            try:
                size = int(head, 16)
            except ValueError:
                raise BadRequest(f"expected a chunk size, got {head[:20]!r}") from None
            if size == 0:
                while self.rfile.readline(65536) not in (b"\r\n", b"\n", b""):
                    pass
                return b"".join(chunks)
            total += size
            if total > BODY_BYTES_MAX:
                raise BadRequest(f"expected a body up to {BODY_BYTES_MAX} bytes")
            chunks.append(self._exactly(size))
            self.rfile.readline(8)

    def _exactly(self, size: int) -> bytes:
        """A body cut off in the middle must not be inserted by half."""
        data = self.rfile.read(size)
        if len(data) != size:
            raise BadRequest(f"expected {size} bytes of body, got {len(data)}")
        return data

    @staticmethod
    def _described(result, query_id: str) -> dict:
        headers = {"X-ClickHouse-Query-Id": query_id, "X-ClickHouse-Timezone": "UTC"}
        if result is not None:
            summary = {
                "read_rows": result.rows_read(),
                "read_bytes": result.bytes_read(),
                "written_rows": result.rows_written(),
                "written_bytes": result.bytes_written(),
                "result_bytes": result.size(),
                "elapsed_ns": int(result.elapsed() * 1e9),
            }
            headers["X-ClickHouse-Summary"] = json.dumps({name: str(value) for name, value in summary.items()})
        return headers

    def _refuse(self, status: HTTPStatus, code: int, text: str, started: float):
        # The engine's text may quote rows, so the log gets its number alone.
        self.server.log(level="WARN", message="refused", code=code, status=int(status), elapsed_ms=_ms(started))
        self._answer(status, text.encode("utf-8", "replace") + b"\n", {"X-ClickHouse-Exception-Code": str(code)})

    def _answer(self, status: HTTPStatus, body: bytes, headers: dict | None = None):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format, *args):
        """Requests are not logged: their addresses hold queries, and queries hold personal data."""


class Front(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, engine: Engine):
        self.engine = engine
        super().__init__(address, Handler)

    def handle_error(self, request, client_address):
        kind = sys.exc_info()[0]
        if kind not in (ConnectionResetError, BrokenPipeError):
            self.log(level="ERROR", message="request failed", error=kind.__name__ if kind else "unknown")

    @staticmethod
    def log(**fields):
        sys.stderr.write(json.dumps({"service": "clickhouse-front"} | fields) + "\n")
        sys.stderr.flush()


def _form(body: bytes, boundary: str) -> dict:
    """The fields of a multipart form: clients send a statement with its parameters this way, as addresses are short."""
    fields = {}
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise BadRequest("expected a multipart form with a closing boundary")
    for part in parts[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        disposition = message_from_bytes(head.lstrip(b"\r\n") + b"\r\n\r\n")
        name = disposition.get_param("name", header="Content-Disposition")
        if not isinstance(name, str) or disposition.get_filename():
            raise BadRequest("expected form fields with names, files (external tables) are not offered here")
        fields[name] = value.decode("utf-8", "surrogateescape")
    return fields


def _ms(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--listen", default="127.0.0.1:19123", metavar="HOST:PORT")
    arguments.add_argument("--path", required=True, type=Path, help="directory of the data")
    given = arguments.parse_args()
    host, _, port = given.listen.rpartition(":")

    engine = Engine(given.path)
    front = Front((host, int(port)), engine)
    for stop in (signal.SIGTERM, signal.SIGINT):
        # `shutdown` waits for the loop that this signal interrupts, hence the thread.
        signal.signal(stop, lambda *_: threading.Thread(target=front.shutdown).start())
    front.log(level="INFO", message="ready", listen=given.listen)
    front.serve_forever(poll_interval=0.1)
    engine.close(STOP_SECONDS_MAX)
    front.log(level="INFO", message="stopped")
    # Threads that wait on idle connections would hold the interpreter up.
    os._exit(0)


if __name__ == "__main__":
    main()
