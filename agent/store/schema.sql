-- ledger.db: the logical state of all tracked rows and the change-set log. One transaction per step; WAL, synchronous=FULL.
-- A migration is a new entry in ledger.c, never an edit of this file once it has shipped.

PRAGMA application_id = 1315010164; -- "Navt"; appdb.c refuses it as an application's database

-- Small facts: format, fleet, incarnation, clock, gid counter, cursor, batch, token, and settings of the agent.
CREATE TABLE meta(
    name TEXT PRIMARY KEY,
    value
) WITHOUT ROWID;

-- Every actor ever named, under a small local number. `staged`, `merged`, `applied`: change-set numbers without a gap;
-- `said`: the number our own headers last named.
CREATE TABLE actor(
    id INTEGER PRIMARY KEY,
    actor BLOB NOT NULL UNIQUE,
    staged INTEGER NOT NULL DEFAULT 0,
    hash BLOB,
    merged INTEGER NOT NULL DEFAULT 0,
    applied INTEGER NOT NULL DEFAULT 0,
    said INTEGER NOT NULL DEFAULT 0,
    waived INTEGER NOT NULL DEFAULT 0, -- up to here nobody waits for what is not in the log (waive.c)
    latest INTEGER NOT NULL DEFAULT 0 -- no stamp of what is merged is later
);

-- The log. What became of each is told by its actor's numbers: to write that beside the bytes would write them again.
CREATE TABLE changeset(
    id INTEGER PRIMARY KEY,
    actor INTEGER NOT NULL REFERENCES actor(id),
    number INTEGER NOT NULL,
    stamp INTEGER NOT NULL, -- as its header says
    bytes BLOB NOT NULL,
    UNIQUE(actor, number)
);
CREATE INDEX changeset_stamp ON changeset(stamp);

-- Our own chain whose actor the setting `aside` names went on in two ways (fork.h): what we had made of it.
CREATE TABLE aside(
    number INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
);

-- Change-sets that their author has said again as another actor (hash: their chain hash): they are not taken any more.
-- until: the highest of `actor` that `by_actor` has said again so far.
CREATE TABLE repeated(
    hash BLOB PRIMARY KEY,
    actor INTEGER NOT NULL,
    number INTEGER NOT NULL,
    by_actor INTEGER NOT NULL,
    by_number INTEGER NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX repeated_number ON repeated(actor, number);
CREATE INDEX repeated_by ON repeated(by_actor, actor, by_number, until);

-- Change-sets of ours that may be made of marks which lay in the file when it was opened: another ledger may have drained those.
CREATE TABLE inherited(
    actor INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY(actor, number)
) WITHOUT ROWID;

-- Change-sets of our own site that others brought, and whose marks this ledger has drained, too (again.h).
CREATE TABLE again(
    actor INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY(actor, number)
) WITHOUT ROWID;

-- What those have added to counters, where it is still to be taken off; gid: as they named the row; amount: a decimal as text; held: 1 where it is in
-- a value that we wrote, 0 where we have added it as well.
CREATE TABLE owed(
    gid INTEGER NOT NULL,
    position INTEGER NOT NULL,
    held INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    form INTEGER NOT NULL,
    amount TEXT NOT NULL,
    PRIMARY KEY(gid, position, held)
) WITHOUT ROWID;

-- The author's clock had run ahead: its change-sets up to `number` count as made at `stamp` at the latest (ledger_limits.h). Higher
-- numbers of an actor have later stamps.
CREATE TABLE correction(
    actor INTEGER NOT NULL,
    number INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    PRIMARY KEY(actor, number)
) WITHOUT ROWID;

-- Tables and columns by name; a record refers to a column by its position. scan: 0 nothing, 1 to match, 2 to reconcile, 3 dropped from the file.
-- key_floor: keys up to it may have been those of rows that nobody remembers; the least integer: there were none.
-- repairs: how often its triggers had been put back when that was last noted (_navette_table.repairs).
CREATE TABLE tbl(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    scan INTEGER NOT NULL DEFAULT 0,
    key_max INTEGER NOT NULL DEFAULT 0,
    repairs INTEGER NOT NULL DEFAULT 0,
    key_floor INTEGER NOT NULL DEFAULT -9223372036854775808
);
CREATE TABLE col(
    tbl INTEGER NOT NULL REFERENCES tbl(id),
    position INTEGER NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY(tbl, position),
    UNIQUE(tbl, name)
) WITHOUT ROWID;

-- One row of the fleet. gid = actor.id << 50 | counter. key: an integer, or a packed natural key; kept when the row
-- is gone, so that the key is not given to another. present: it is in the file; since: it came there, under this key, in time for
-- that point. rec: logical cells with clocks, NULL while only minted.
-- shadow: what the file holds and which clocks the application saw there, NULL where that is what rec says.
CREATE TABLE row(
    gid INTEGER PRIMARY KEY,
    tbl INTEGER NOT NULL,
    key,
    present INTEGER NOT NULL,
    since INTEGER NOT NULL,
    rec BLOB,
    shadow BLOB
);
CREATE INDEX row_key ON row(tbl, key) WHERE key IS NOT NULL;
CREATE INDEX row_minted ON row(gid) WHERE rec IS NULL;

-- Rows to be projected besides those of merged change-sets; why: the file refused it (parked), or (kept) it is dead and stays
-- because rows in the file refer to it.
CREATE TABLE due(
    gid INTEGER PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    why TEXT,
    kept INTEGER NOT NULL DEFAULT 0
);

-- Cells whose value in the file is too long to be sent (unsent.h).
CREATE TABLE unsent(
    gid INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY(gid, position)
) WITHOUT ROWID;

-- Rows that yielded a UNIQUE value to another row and stand in the file under another one, which no change-set says yet.
-- other: the row with which it is to be one, by rule; else NULL.
CREATE TABLE repair(
    gid INTEGER PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    other INTEGER
);

-- Natural keys with references as gids: which row stands for the key; and gids that another row stands for.
CREATE TABLE natural_key(
    tbl INTEGER NOT NULL,
    identity BLOB NOT NULL,
    gid INTEGER NOT NULL,
    PRIMARY KEY(tbl, identity)
) WITHOUT ROWID;
CREATE TABLE alias(
    gid INTEGER PRIMARY KEY,
    stands INTEGER NOT NULL
);
CREATE INDEX alias_stands ON alias(stands);

-- Rows that are one, united or by name: of each gid its latest write and its delete. The row that stands for them is dead when all are.
-- lives: its latest write is the later of the two.
CREATE TABLE part(
    gid INTEGER PRIMARY KEY,
    stands INTEGER NOT NULL,
    lives INTEGER NOT NULL,
    life_stamp INTEGER NOT NULL,
    life_actor INTEGER NOT NULL,
    life_number INTEGER NOT NULL,
    dead_stamp INTEGER NOT NULL,
    dead_actor INTEGER NOT NULL,
    dead_number INTEGER NOT NULL
);
CREATE INDEX part_stands ON part(stands, lives, dead_stamp, dead_actor, dead_number);

-- Where the two files stood after each write of ours and each drain: to find the fork point of a file that went back.
-- actor, number: who we were, and our last change-set; 0: no row was matched.
CREATE TABLE point(
    id INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL,
    token BLOB NOT NULL,
    mark INTEGER NOT NULL,
    mark_time REAL NOT NULL,
    actor INTEGER NOT NULL,
    number INTEGER NOT NULL,
    applied BLOB NOT NULL,
    runs BLOB -- marks drained since the point before, n * (first id, last id: varint, time: f64)
);

-- Where rows were in the file before: under this key at the points from `since` to the one before `until`. With row.since it says
-- which row each key named at any point that is kept.
CREATE TABLE placed(
    gid INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    tbl INTEGER NOT NULL,
    key,
    PRIMARY KEY(gid, since)
) WITHOUT ROWID;
CREATE INDEX placed_key ON placed(tbl, key);
CREATE TRIGGER row_left AFTER UPDATE OF key, present ON row
WHEN old.present = 1 AND (new.present = 0 OR new.key IS NOT old.key) AND old.key IS NOT NULL
BEGIN
    INSERT INTO placed(gid, since, until, tbl, key)
    SELECT old.gid, old.since, last + 1, old.tbl, old.key FROM (SELECT max(id) AS last FROM point) WHERE last >= old.since;
    INSERT INTO untold(gid) VALUES (old.gid) ON CONFLICT(gid) DO NOTHING;
END;

-- Rows that left their place in the file, or came back to it, and of which the file has not been told (placed.h).
CREATE TABLE untold(
    gid INTEGER PRIMARY KEY
);

-- Rows that more than one of the marks drained for a point touched: `born` by that mark (0: older), `last` by that one. A file that
-- has only some of those marks holds the row as it was in between.
CREATE TABLE fate(
    point INTEGER NOT NULL,
    gid INTEGER NOT NULL,
    born INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY(point, gid)
) WITHOUT ROWID;

-- A file that went back to the middle of a drain, at the point made when it was recovered: what our `actor` had said of this row in its
-- change-sets above `above` up to `upto` was all in it.
CREATE TABLE lived(
    point INTEGER NOT NULL,
    gid INTEGER NOT NULL,
    actor INTEGER NOT NULL,
    above INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    PRIMARY KEY(point, gid, actor, above)
) WITHOUT ROWID;

-- Who had seen what: the last change-set of `actor` that `author` had applied when it made its own latest one that is merged
-- here (the sum of the `needs` of its headers).
CREATE TABLE seen(
    author INTEGER NOT NULL,
    actor INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY(author, actor)
) WITHOUT ROWID;

-- Values that lost to somebody who had not seen them (conflict.h). cells: a record of two, the one that lost and the one that
-- won; without a value: a delete of the row. newer: writes of the cell later than the lost one, of each author the first: (actor, number: varint)...
-- past: if it came when it had lost already: what its author had seen, like newer.
-- hidden: not listed, since the value is the cell's, or is listed already.
CREATE TABLE conflict(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    gid INTEGER NOT NULL,
    tbl INTEGER NOT NULL,
    position INTEGER NOT NULL,
    why TEXT NOT NULL,
    cells BLOB NOT NULL,
    newer BLOB NOT NULL,
    past BLOB,
    hidden INTEGER NOT NULL
);
CREATE INDEX conflict_gid ON conflict(gid);
CREATE INDEX conflict_hidden ON conflict(hidden, id);
