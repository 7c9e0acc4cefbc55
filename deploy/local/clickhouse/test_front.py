"""The front as a client sees it: a real process, a real port, the real engine."""

import http.client
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from urllib.parse import urlencode

import lz4.block

FRONT = Path(__file__).with_name("front.py")
READY_SECONDS_MAX = 30


def free_port() -> int:
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        return candidate.getsockname()[1]


class Running:
    """A front on a directory of its own or a given one."""

    def __init__(self, directory: str):
        self.port = free_port()
        command = [sys.executable, str(FRONT), "--listen", f"127.0.0.1:{self.port}", "--path", directory]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            try:
                assert self.get("/ping").body == b"Ok.\n"
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def get(self, path: str):
        return self._ask("GET", path, None, {})

    def post(self, body, headers=None, **parameters):
        return self._ask("POST", "/?" + urlencode(parameters), body, headers or {})

    def rows(self, sql: str, **parameters) -> list[str]:
        answer = self.post(sql.encode(), **parameters)
        assert answer.status == 200, answer.body
        return answer.body.decode().splitlines()

    def _ask(self, method, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.body = answer.read()
        connection.close()
        return answer


def block(data: bytes, method: int = 0x82) -> bytes:
    packed = lz4.block.compress(data, store_size=False) if method == 0x82 else data
    return bytes(16) + struct.pack("<BII", method, len(packed) + 9, len(data)) + packed


class FrontTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.front = Running(cls.directory.name)

    @classmethod
    def tearDownClass(cls):
        cls.front.stop()
        cls.directory.cleanup()

    def setUp(self):
        self.front.rows("DROP DATABASE IF EXISTS d")
        self.front.rows("CREATE DATABASE d")
        self.front.rows(
            "CREATE TABLE d.t (a UInt32, b String) ENGINE = MergeTree ORDER BY a "
            "SETTINGS non_replicated_deduplication_window = 100"
        )

    def test_a_statement_may_stand_in_the_address_or_in_the_body(self):
        self.assertEqual(self.front.get("/?query=SELECT+1").body, b"1\n")
        self.assertEqual(self.front.rows("SELECT 2"), ["2"])
        self.assertEqual(self.front.post(b"2 + 1", query="SELECT").body, b"3\n")
        self.assertEqual(self.front.get("/").body, b"Ok.\n")

    def test_parameters_settings_database_and_format_hold_for_one_request(self):
        sql = "SELECT {text:String} AS x, getSetting('max_threads') AS n, currentDatabase() AS db"
        answer = self.front.post(
            sql.encode(), param_text="it's", max_threads="3", database="d", default_format="JSONEachRow"
        )
        self.assertEqual(answer.body, b'{"x":"it\'s","n":3,"db":"d"}\n')
        self.assertEqual(self.front.rows("SELECT currentDatabase()"), ["default"])
        self.assertEqual(self.front.post(b"SELECT {text:String}").getheader("X-ClickHouse-Exception-Code"), "456")

    def test_a_time_and_a_list_can_be_parameters(self):
        sql = "SELECT {t:DateTime64(3, 'UTC')}, has({l:Array(String)}, 'y')"
        rows = self.front.rows(sql, param_t="2026-03-29 00:59:59.999", param_l="['x','y']")
        self.assertEqual(rows, ["2026-03-29 00:59:59.999\t1"])

    def test_a_statement_with_parameters_may_come_as_a_form(self):
        form = (
            b'--xyz\r\nContent-Disposition: form-data; name="param_text"\r\n\r\nS\xc3\xa3o; \\r\\n Paulo\r\n'
            b'--xyz\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT length({text:String})\r\n--xyz--\r\n'
        )
        headers = {"Content-Type": "multipart/form-data; boundary=xyz"}
        self.assertEqual(self.front.post(form, headers).body, b"14\n")
        self.assertEqual(self.front.post(form[:-10], headers).status, 400)

    def test_rows_come_in_as_text_binary_chunks_and_compressed_blocks(self):
        two = struct.pack("<IB2s", 1, 2, b"hi") + struct.pack("<IB2s", 2, 2, b"yo")
        # Without a deduplication window: the same rows again are more rows.
        self.front.rows("CREATE TABLE d.plain (a UInt32, b String) ENGINE = MergeTree ORDER BY a")
        into = "INSERT INTO d.plain(a,b) FORMAT RowBinary"
        for body, parameters in (
            (b"1\thi\n2\tyo\n", {"query": "INSERT INTO d.plain FORMAT TSV"}),
            (two, {"query": into}),
            (
                iter([two[:3], two[3:]]),
                {"query": "INSERT INTO d.plain (a, b) SETTINGS max_threads = 1 FORMAT RowBinary"},
            ),
            (block(two[:7]) + block(two[7:], 0x02), {"query": into, "decompress": "1"}),
            (b"INSERT INTO d.plain VALUES (1, 'hi'), (2, 'a;b')", {}),
        ):
            answer = self.front.post(body, **parameters)
            self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(self.front.rows("SELECT count(), sum(a) FROM d.plain"), ["10\t15"])

    def test_a_large_native_body_goes_in_whole(self):
        sql = b"SELECT toUInt32(number) AS a, toString(number) AS b FROM numbers(200000) FORMAT Native"
        native = self.front.post(sql)
        self.assertGreater(len(native.body), 1_000_000)
        answer = self.front.post(native.body, query="INSERT INTO d.t FORMAT Native")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertIn('"written_rows": "200000"', answer.getheader("X-ClickHouse-Summary"))
        self.assertEqual(self.front.rows("SELECT count(), uniqExact(a) FROM d.t"), ["200000\t200000"])

    def test_half_a_block_or_half_a_body_inserts_nothing(self):
        whole = block(struct.pack("<IB2s", 1, 2, b"hi"))
        into = {"query": "INSERT INTO d.t FORMAT RowBinary"}
        for broken in (whole[:-1], whole + b"x", whole[:16] + b"\x90" + whole[17:]):
            self.assertNotEqual(self.front.post(broken, decompress="1", **into).status, 200)
        with socket.create_connection(("127.0.0.1", self.front.port)) as connection:
            head = f"POST /?{urlencode(into)} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
            connection.sendall(head.encode() + b"\x01\x00\x00\x00\x02hi")
            connection.shutdown(socket.SHUT_WR)
            self.assertIn(b"400", connection.recv(100))
        self.assertEqual(self.front.rows("SELECT count() FROM d.t"), ["0"])

    def test_a_token_makes_a_repeated_insert_one_in_the_table_and_behind_its_view(self):
        self.front.rows(
            "CREATE TABLE d.sums (a UInt32, n UInt64) ENGINE = SummingMergeTree ORDER BY a "
            "SETTINGS non_replicated_deduplication_window = 100"
        )
        self.front.rows("CREATE MATERIALIZED VIEW d.mv TO d.sums AS SELECT a, count() AS n FROM d.t GROUP BY a")
        for token in ("one", "one", "two", "one"):
            answer = self.front.post(
                b"1\tx\n1\ty\n",
                query="INSERT INTO d.t FORMAT TSV",
                insert_deduplication_token=token,
                deduplicate_blocks_in_dependent_materialized_views="1",
            )
            self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(self.front.rows("SELECT count() FROM d.t"), ["4"])
        self.assertEqual(self.front.rows("SELECT sum(n) FROM d.sums"), ["4"])

    def test_a_parameterized_view_runs_with_the_rights_of_who_asks(self):
        self.front.rows(
            "CREATE VIEW d.v SQL SECURITY INVOKER AS SELECT a, toTimeZone(toDateTime(0, 'UTC'), {tz:String}) AS local "
            "FROM d.t WHERE {b:String} = '*' OR b = {b:String}"
        )
        self.front.rows("INSERT INTO d.t VALUES (1, 'x'), (2, 'y')")
        sql = "SELECT a, local FROM d.v(tz = {tz:String}, b = {b:String}) ORDER BY a"
        self.assertEqual(self.front.rows(sql, param_tz="Asia/Kolkata", param_b="y"), ["2\t1970-01-01 05:30:00"])
        self.assertEqual(len(self.front.rows(sql, param_tz="UTC", param_b="*")), 2)

    def test_errors_carry_the_engine_s_number_and_a_fitting_status(self):
        for sql, status, code in (
            ("SELECT * FROM d.none", 404, "60"),
            ("SELECT * FROM none.t", 404, "81"),
            ("SELEC 1", 400, "62"),
            ("SELECT 1; SELECT 2", 400, "62"),
            ("SELECT throwIf(1)", 500, "395"),
        ):
            answer = self.front.post(sql.encode())
            self.assertEqual((answer.status, answer.getheader("X-ClickHouse-Exception-Code")), (status, code), sql)
            self.assertIn(f"Code: {code}.".encode(), answer.body)
        self.assertEqual(self.front.rows("SELECT ';', 1 /* ; */; -- ;\n"), [";\t1"])
        self.assertEqual(self.front.post(b"SELECT 1", nosuch="1").getheader("X-ClickHouse-Exception-Code"), "115")
        self.assertEqual(self.front.post(b"SELECT 1", compress="1").status, 400)
        self.assertEqual(self.front.get("/?query=DROP+TABLE+d.t").getheader("X-ClickHouse-Exception-Code"), "164")

    def test_queries_run_side_by_side(self):
        begun = time.monotonic()
        threads = [threading.Thread(target=self.front.rows, args=("SELECT sleep(1)",)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLess(time.monotonic() - begun, 3)


class RestartTest(unittest.TestCase):
    def test_what_was_inserted_is_there_after_a_stop_and_after_a_kill(self):
        with tempfile.TemporaryDirectory() as directory:
            front = Running(directory)
            front.rows("CREATE TABLE t (a UInt32) ENGINE = MergeTree ORDER BY a")
            front.rows("INSERT INTO t VALUES (1)")
            self.assertEqual(front.stop(), 0)
            front = Running(directory)
            front.rows("INSERT INTO t VALUES (2)")
            front.process.kill()
            front.process.wait()
            front = Running(directory)
            self.assertEqual(front.rows("SELECT sum(a) FROM t"), ["3"])
            self.assertEqual(front.stop(), 0)


if __name__ == "__main__":
    unittest.main()
