"""The zip: page, audio, the journal as JSON with its links, and the hashes of all of them."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from hashlib import sha256
from typing import IO, Any

from agent_console.export.page import audio_name, render
from agent_console.queries.exports import Clip, OnRecord
from ivr.domain.chain import VERSION, Row, check
from ivr.record.shelf import Shelf

CHUNK = 1 << 20


def write(record: OnRecord, shelf: Shelf, by: str, out: IO[bytes]) -> None:
    """Raises OSError."""
    now = datetime.now(UTC)
    fault = check(record.chain, record.rows)
    clips = [(clip, _wrong(clip, shelf)) for clip in record.clips]
    folder = f"incident-{record.incident.id}"
    sums: list[str] = []
    # Level 1: speech with its silences shrinks to a half at 60 MB/s; more costs seconds and gives little.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:

        def put(name: str, content: bytes) -> None:
            archive.writestr(f"{folder}/{name}", content)
            sums.append(f"{sha256(content).hexdigest()}  {name}\n")

        put("index.html", render(record, clips, fault, by, now).encode())
        put("events.json", _journal(record, str(fault.fault) if fault else None, now).encode())
        for clip, wrong in clips:
            if wrong not in ("removed", "missing"):
                sums.append(f"{_copy(archive, shelf, clip, folder)}  {audio_name(clip)}\n")
        archive.writestr(f"{folder}/SHA256SUMS", "".join(sums))


def _wrong(clip: Clip, shelf: Shelf) -> str:
    if clip.removed:
        return "removed"
    is_now = shelf.sha256(clip.file)
    return "missing" if is_now is None else "" if is_now == clip.sha256 else "altered"


def _copy(archive: zipfile.ZipFile, shelf: Shelf, clip: Clip, folder: str) -> str:
    digest = sha256()
    with (
        shelf.path(clip.file).open("rb") as source,
        archive.open(f"{folder}/{audio_name(clip)}", "w", force_zip64=True) as target,
    ):
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def _journal(record: OnRecord, fault: str | None, now: datetime) -> str:
    chain = record.chain
    return json.dumps(
        {
            "incident": record.incident.model_dump(mode="json", exclude={"events"}),
            "exported_at": now.isoformat(timespec="seconds"),
            "chain": {
                "version": VERSION,
                "after": chain.after,
                "events": chain.events,
                "head": chain.head,
                "sealed_events": chain.sealed_events,
                "sealed_hash": chain.sealed_hash,
                "fault": fault,
            },
            "events": [_event(row) for row in record.rows],
        },
        ensure_ascii=False,
        indent=1,
    )


def _event(row: Row) -> dict[str, Any]:
    content = row.content
    return {
        "seq": row.seq,
        "number": row.number,
        "hash": row.hash,
        "at": content.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "kind": content.kind,
        "leg_id": content.leg_id,
        "call_id": content.call_id,
        "ticket_no": content.ticket_no,
        "extension": content.extension,
        "data": content.data,
    }
