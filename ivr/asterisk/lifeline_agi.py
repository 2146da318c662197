"""Started by Asterisk itself when no engine answers: writes the call to a spool file, for the engine to find later.

Runs in a process of its own with pyst2's AGI class (stdin and stdout are Asterisk's). It knows nothing of the rest of
Yinling, needs no database, and says nothing to the caller: the dialplan speaks.

    lifeline_agi.py SPOOL_DIR DID CALLER_ID LINKEDID ROOM
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from asterisk.agi import AGI


def write_spool(spool_dir: Path, record: dict[str, str]) -> Path:
    """One JSON file per call, complete or not there at all: written beside, synced, renamed."""
    spool_dir.mkdir(parents=True, exist_ok=True)
    name = "".join(c for c in record["uniqueid"] if c.isalnum() or c in ".-")[:100] or "unknown"
    descriptor, temporary = tempfile.mkstemp(dir=spool_dir, prefix=".new-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(record, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
    except OSError:  # a full disk: the dialplan goes on to the duty phone, and no half file stays
        os.unlink(temporary)
        raise
    target = spool_dir / f"{name}.json"
    os.rename(temporary, target)
    folder = os.open(spool_dir, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return target


def main() -> int:
    spool_dir = Path(sys.argv[1])
    did, caller_id, linkedid, room = (sys.argv[2:] + [""] * 4)[:4]
    uniqueid = ""
    try:
        # pyst2 writes its arguments to stderr, which is Asterisk's log: a caller's number does not belong there.
        uniqueid = AGI(stderr=io.StringIO()).env.get("agi_uniqueid", "")
    except Exception:
        # The caller may be gone already; the arguments alone are worth a record.
        uniqueid = linkedid
    write_spool(
        spool_dir,
        {
            "at": datetime.now(UTC).isoformat(),
            "uniqueid": uniqueid,
            "linkedid": linkedid,
            "did": did,
            "caller_id": caller_id,
            "room": room,
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
