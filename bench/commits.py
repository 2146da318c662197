"""An independent reader: when does another process first see a committed incident? One line for each.

`python -m bench.commits yinling.db`: monotonic time, caller's number, incident, on standard output. SQLite shows a
reader a transaction only after the write-ahead log is synced, so what is seen is durable. It looks every millisecond:
figures are at most that (and its own query) too large.
"""

from __future__ import annotations

import sqlite3
import sys
import time

LOOK_EVERY_S = 0.001
NEW = (
    "SELECT incident.rowid, alarm.phone, incident.id FROM incident JOIN alarm ON alarm.incident_id = incident.id"
    " WHERE incident.rowid > ? ORDER BY incident.rowid"
)


def main(path: str) -> None:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    last = db.execute("SELECT coalesce(max(rowid), 0) FROM incident").fetchone()[0]
    version = -1
    print("ready", flush=True)
    while True:
        now = db.execute("PRAGMA data_version").fetchone()[0]
        if now != version:
            version = now
            rows = db.execute(NEW, (last,)).fetchall()
            at = time.monotonic()
            for last, phone, incident in rows:  # noqa: B007
                print(f"{at:.6f} {phone} {incident}", flush=True)
        time.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    main(sys.argv[1])
