"""What a database says, whatever numbers its rows have: two files of one fleet must be equal in this sense.

A row is its cells by name, without an INTEGER PRIMARY KEY that each PC numbers for itself; a reference to such a row is
the row itself. Storage classes count: 5, 5.0 and '5' differ."""

import collections
import hashlib
import sqlite3


class Table:
    def __init__(self, connection, name):
        self.name = name
        info = connection.execute("SELECT name, type, pk FROM pragma_table_info(?)", (name,)).fetchall()
        self.columns = [text(row[0]) for row in info]
        self.parents = {}  # column -> parent table's name
        for parent, column, target in connection.execute(
                'SELECT "table", "from", "to" FROM pragma_foreign_key_list(?)', (name,)):
            self.parents[text(column)] = (text(parent), text(target))
        keys = [text(row[0]) for row in info if row[2]]
        types = [text(row[1]).upper() for row in info if row[2]]
        self.surrogate = keys[0] if types == ["INTEGER"] and keys[0] not in self.parents else None
        self.rows = {}
        for row in connection.execute('SELECT * FROM "%s"' % name.replace('"', '""')):
            cells = dict(zip(self.columns, row))
            self.rows[cells[self.surrogate] if self.surrogate else len(self.rows)] = cells


def text(value):
    return value if value is None or isinstance(value, str) else value[1].decode()


def ours(name):
    return name.startswith(("sqlite_", "_navette_"))


class Contents:
    def __init__(self, path):
        connection = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=5, isolation_level=None)
        # Text need not be UTF-8, and is never equal to a blob of the same bytes.
        connection.text_factory = lambda raw: ("text", raw)
        try:
            connection.execute("BEGIN")
            names = [text(row[0]) for row in connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")]
            self.tables = {name: Table(connection, name) for name in names if not ours(name)}
        finally:
            connection.close()
        self.names = {}

    def reference(self, table, key, above):
        """A short name of a row that says all of its content."""
        at = (table.name, key)
        if at in above:
            return "a row above itself"
        if at not in self.names:
            digest = hashlib.blake2b(repr(self.cells(table, key, above + (at,))).encode(), digest_size=8)
            self.names[at] = "%s:%s" % (table.name, digest.hexdigest())
        return self.names[at]

    def cells(self, table, key, above=()):
        cells = []
        for column in sorted(table.columns):
            if column == table.surrogate:
                continue
            value = table.rows[key][column]
            parent, target = table.parents.get(column, (None, None))
            parent = self.tables.get(parent)
            if value is not None and parent and parent.surrogate and target in (None, parent.surrogate):
                value = self.reference(parent, value, above) if value in parent.rows else "dangling"
            cells.append((column, value))
        return cells

    def counted(self, name):
        table = self.tables[name]
        return collections.Counter(repr(self.cells(table, key)) for key in table.rows)


def difference(left, right, only=None):
    """The first few things by which two databases differ, as lines; empty when they are equal."""
    left, right = Contents(left), Contents(right)
    lines = []
    for name in sorted(set(left.tables) | set(right.tables)):
        if only and name not in only:
            continue
        if name not in left.tables or name not in right.tables:
            lines.append("table %s is in one file only" % name)
            continue
        a, b = left.counted(name), right.counted(name)
        lines += ["%s: only left: %.300s" % (name, row) for row in list((a - b).elements())[:3]]
        lines += ["%s: only right: %.300s" % (name, row) for row in list((b - a).elements())[:3]]
    return lines
