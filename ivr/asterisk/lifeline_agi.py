"""Started by Asterisk itself when no engine answers: writes the call to a spool file, for the engine to find later.

Runs in a process of its own with pyst2's AGI class (stdin and stdout are Asterisk's). It knows nothing of the rest of
Yinling, needs no database, and says nothing to the caller: the dialplan speaks.

    lifeline_agi.py SPOOL_DIR DID CALLER_ID LINKEDID ROOM CRIED
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

RESERVE = "spool-reserve"
"""Folder of the blank files, beside the spool (`ivr.alarms.spool` keeps them)."""


def write_spool(spool_dir: Path, record: dict[str, str]) -> Path:
    """One JSON file per call, complete or not there at all: written beside, synced, renamed."""
    spool_dir.mkdir(parents=True, exist_ok=True)
    target = spool_dir / f"{_file_name(record['uniqueid'])}.json"
    try:
        _written(spool_dir, json.dumps(record, ensure_ascii=False)).rename(target)
    except OSError:  # a full disk
        if not _on_reserve(spool_dir.with_name(RESERVE), target, json.dumps(record, ensure_ascii=False).encode()):
            raise  # the dialplan goes on to the duty phone
    folder = os.open(spool_dir, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return target


def _file_name(uniqueid: str) -> str:
    return "".join(c for c in uniqueid if c.isalnum() or c in ".-")[:100] or "unknown"


def _written(spool_dir: Path, text: str) -> Path:
    descriptor, temporary = tempfile.mkstemp(dir=spool_dir, prefix=".new-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:  # no half file stays
        os.unlink(temporary)
        raise
    return Path(temporary)


def _on_reserve(reserve: Path, target: Path, text: bytes) -> bool:
    """On blocks that the engine wrote while there was room. Each is one caller's: taken by a rename."""
    for blank in sorted(reserve.glob("*.blank")):
        mine = blank.with_suffix(f".{os.getpid()}")
        try:
            blank.rename(mine)
        except FileNotFoundError:
            continue
        with mine.open("r+b") as file:
            file.write(text.ljust(mine.stat().st_size))  # JSON may be followed by spaces
            file.flush()
            os.fsync(file.fileno())
        mine.rename(target)
        return True
    return False


def main() -> int:
    spool_dir = Path(sys.argv[1])
    did, caller_id, linkedid, room, cried = (sys.argv[2:] + [""] * 5)[:5]
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
            "cried": cried,
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
