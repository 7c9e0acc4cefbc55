"""One chDB data path: queries in parallel, each on its own connection.

A connection costs a tenth of a millisecond, so every query gets a fresh one: no setting, database or parameter of one
request can be seen by the next, as on a real server.
"""

import re
import tempfile
import threading
from pathlib import Path

import chdb

QUERIES_MAX = 16

# What a server has by default and the embedded engine has not.
SERVER_DEFAULTS = {"implicit_select": "0", "async_insert": "0"}

INSERT = re.compile(r"\s*INSERT\s+INTO\s", re.IGNORECASE)
# INSERT INTO [TABLE] name [(columns)] [SETTINGS …] FORMAT name: what a body of rows belongs to.
INSERT_FORMAT = re.compile(
    r"(?P<into>\s*INSERT\s+INTO\s+(?:TABLE\s+)?[^\s(]+\s*(?:\(.*?\))?)"
    r"(?P<settings>\s+SETTINGS\s.*?)?"
    r"\s+FORMAT\s+(?P<format>\w+)\s*;?\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
# Everything in which a semicolon is no end of a statement.
OPAQUE = re.compile(
    r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`\\]|\\.)*`"
    r"|--[^\n]*|/\*.*?\*/|(?P<heredoc>\$\w*\$).*?(?P=heredoc)",
    re.DOTALL,
)
CODE = re.compile(r"Code:\s*(\d+)\.")


class QueryError(Exception):
    """What the engine refused, with ClickHouse's number for it."""

    def __init__(self, code: int, text: str):
        super().__init__(text)
        self.code = code
        self.text = text


class Engine:
    """The one owner of a data path."""

    def __init__(self, path: Path):
        path.mkdir(parents=True, exist_ok=True)
        self._path = str(path)
        # The engine lives as long as one connection does.
        self._anchor = chdb.connect(self._path)
        self._slots = threading.BoundedSemaphore(QUERIES_MAX)
        shm = Path("/dev/shm")
        self._bodies = shm if shm.is_dir() else None

    def query(self, sql, body, *, database, default_format, settings, parameters, read_only):
        """Runs one statement; `body` holds an insert's rows. Answers chDB's result, or None when there is none."""
        with self._slots:
            connection = chdb.connect(self._path)
            try:
                if database:
                    self._run(connection, f"USE {_identifier(database)}")
                settings = SERVER_DEFAULTS | settings | ({"readonly": "2"} if read_only else {})
                self._run(connection, "SET " + ", ".join(f"{_name(k)} = {_literal(v)}" for k, v in settings.items()))
                return self._statement(connection, sql, body, default_format, parameters)
            finally:
                connection.close()

    def _statement(self, connection, sql, body, default_format, parameters):
        if not body:
            if INSERT_FORMAT.match(sql):
                return None
            _one_statement(sql)
            return self._run(connection, sql, default_format, parameters)
        insert = INSERT_FORMAT.match(sql)
        if not insert:
            text = f"{sql}\n{body.decode('utf-8', 'surrogateescape')}" if sql else body.decode()
            _one_statement(text)
            return self._run(connection, text, default_format, parameters)
        # Large binary bodies behind a query fail inside the engine; from a file every format works.
        with tempfile.NamedTemporaryFile(prefix="weft-insert-", dir=self._bodies) as rows:
            rows.write(body)
            rows.flush()
            sql = (
                f"{insert['into']} FROM INFILE {_literal(rows.name)}"
                f"{insert['settings'] or ''} FORMAT {insert['format']}"
            )
            return self._run(connection, sql, default_format, parameters)

    @staticmethod
    def _run(connection, sql, default_format="TabSeparated", parameters=None):
        try:
            return connection.query(sql, default_format, params=parameters or {})
        except Exception as cause:  # chDB raises several unrelated classes
            text = str(cause)
            code = CODE.search(text)
            raise QueryError(int(code[1]) if code else 1002, text) from cause

    def close(self, seconds: float):
        """Waits for running queries, then lets go of the path."""
        for _ in range(QUERIES_MAX):
            self._slots.acquire(timeout=seconds)
        self._anchor.close()


def _one_statement(sql: str):
    """Refuses several statements in one request as a server does; the embedded engine would run them."""
    if INSERT.match(sql):
        return
    _, semicolon, rest = OPAQUE.sub(" ", sql).partition(";")
    if semicolon and rest.strip(" \t\r\n;"):
        raise QueryError(62, "Code: 62. DB::Exception: Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)")


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _name(setting: str) -> str:
    if not re.fullmatch(r"\w+", setting):
        raise QueryError(115, f"Code: 115. DB::Exception: Unknown setting '{setting}'. (UNKNOWN_SETTING)")
    return setting
