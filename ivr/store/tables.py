"""The tables, as SQLAlchemy sees them. Times are UTC; ids are ULIDs of our own; `sql/` holds the migrations."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)


class Utc(TypeDecorator[datetime]):
    """An aware UTC datetime on both databases (SQLite stores no zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time would be stored: times are aware UTC")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
ULID = String(26)
# SQLite only counts by itself in a column of exactly INTEGER type.
Seq = BigInteger().with_variant(Integer, "sqlite")

event = Table(
    "event",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("at", Utc, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("incident_id", ULID),
    Column("leg_id", ULID),
    Column("call_id", ULID),
    Column("ticket_no", String(20)),
    Column("extension", String(8)),
    Column("data", JSON, nullable=False),
    Column("chain_no", Integer),  # of an incident's events: place in its chain, and the link's hash
    Column("chain_hash", String(64)),
    Index(None, "incident_id"),
    Index(None, "call_id"),
    Index(None, "ticket_no"),
    sqlite_autoincrement=True,
)

elder = Table(
    "elder",
    metadata,
    Column("elder_no", String(40), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("sex", String(8)),
    Column("birth_date", Date),
    Column("phone", String(20), index=True),
    Column("mobile", String(20), index=True),
    Column("address", Text),
    Column("district", String(80)),
    Column("lat", Float),
    Column("lng", Float),
    Column("medical", Text),
    Column("notes", Text),
    Column("dialect", String(40)),
    Column("consent_outbound", Boolean, nullable=False, default=False),
    Column("consent_hospital", Boolean, nullable=False, default=False, server_default=false()),
    Column("helper_no", String(40)),  # the worker bound to this elder; no key: either list may be imported first
    Column("access", Text),  # how to get in
)
contact = Table(
    "contact",
    metadata,
    Column("id", ULID, primary_key=True),
    Column("elder_no", ForeignKey("elder.elder_no", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(80), nullable=False),
    Column("relation", String(40)),
    Column("phone", String(20), nullable=False),
    Column("priority", Integer, nullable=False, default=1),
    Column("available_from", String(5)),
    Column("available_to", String(5)),
    UniqueConstraint("elder_no", "phone"),
)
device = Table(
    "device",
    metadata,
    Column("device_id", String(60), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("elder_no", ForeignKey("elder.elder_no", ondelete="CASCADE"), nullable=False, index=True),
    Column("caller_id", String(20), index=True),
)
worker = Table(
    "worker",
    metadata,
    Column("worker_no", String(40), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("phone", String(20), nullable=False),
    Column("skills", Text),
    Column("district", String(80)),
    Column("lat", Float),
    Column("lng", Float),
    Column("pin_hash", String(200)),
)
hospital = Table(
    "hospital",
    metadata,
    Column("name", String(120), primary_key=True),
    Column("phone", String(20), nullable=False),
    Column("district", String(80)),
    Column("lat", Float),
    Column("lng", Float),
    Column("capabilities", Text),
    Column("endpoint", String(500)),  # where the package is pushed to
    Column("push_secret", Text),  # signs it; never shown
)

call = Table(
    "call",
    metadata,
    Column("id", ULID, primary_key=True),
    Column("node", String(40), nullable=False),
    Column("uniqueid", String(150), nullable=False),
    Column("linkedid", String(150), nullable=False),
    Column("did", String(20), nullable=False),
    Column("caller_id", String(40), nullable=False),
    Column("kind", String(12), nullable=False),  # routine | emergency
    Column("elder_no", String(40)),
    Column("incident_id", ULID),
    Column("ticket_no", String(20)),
    Column("arrived_at", Utc, nullable=False, index=True),
    Column("answered_at", Utc),
    Column("queued_at", Utc),
    Column("connected_at", Utc),
    Column("parked_at", Utc),  # his agent was taken for an emergency
    Column("returned_at", Utc),
    Column("ended_at", Utc),
    Column("extension", String(8)),
    Column("outcome", String(40)),
    UniqueConstraint("node", "uniqueid"),
    Index(None, "caller_id"),
)
incident = Table(
    "incident",
    metadata,
    Column("id", ULID, primary_key=True),
    Column("state", String(8), nullable=False, index=True),  # open | closed
    Column("elder_no", String(40), index=True),
    Column("elder_choices", JSON, nullable=False),  # elder_no of all who share the number
    Column("needs_look", Boolean, nullable=False, default=False),  # came through the lifeline
    Column("family", String(12)),  # started | cancelled, by a person
    Column("family_reason", Text),  # his words; not in the journal, which everybody reads
    Column("opened_at", Utc, nullable=False),
    Column("closed_at", Utc),
    Column("closed_by", String(80)),
    Column("outcome", String(80)),
    Column("reason", Text),
    Column("arrived_at", Utc),  # somebody is at the door
    Column("arrived_by", String(80)),
    Column("unknown_device", Boolean, nullable=False, default=False, server_default=false()),
    Column("refers_to", ULID),  # the same elder's incident that was closed just before
    Column("place", JSON),  # the newest location anybody sent
    Column("dial_after", Utc),  # nothing but a location or a cancel came: nobody is dialled until then
    Column("triage", String(10)),  # ivr.domain.storm.Triage; none: nobody has to be asked
    Column("triage_tries", Integer, nullable=False, default=0, server_default="0"),
    Column("triage_attempt", ULID),  # the machine's last call to the elder
    Column("worst", Integer, nullable=False, default=0, server_default="0"),  # severity of its worst alarm
    Column("risk", Integer, nullable=False, default=0, server_default="0"),
    Index(None, "state", "risk", "id"),
    Index(None, "closed_at"),
    # The chain of its events (ivr/domain/chain.py): where it begins, length and last hash, and those at the closing.
    Column("chain_after", BigInteger, nullable=False, server_default="0"),
    Column("chain_events", Integer, nullable=False, server_default="0"),
    Column("chain_head", String(64)),
    Column("sealed_events", Integer),
    Column("sealed_hash", String(64)),
)
alarm = Table(
    "alarm",
    metadata,
    Column("id", ULID, primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("source", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("device_id", String(60)),
    Column("phone", String(40)),
    Column("elder_no", String(40)),
    Column("at", Utc),
    Column("received_at", Utc, nullable=False),
    Column("note", Text),
    Column("location", JSON),
    Column("idempotency_key", String(200), unique=True),
    Column("fingerprint", String(64)),  # of what was said, to know a retry without a key
    Column("clock_off_s", Integer),  # the sender's clock less ours, when it is wrong
    Index(None, "received_at"),
    Index(None, "fingerprint"),
    Index(None, "phone"),
    Index(None, "device_id"),
)
leg = Table(
    "leg",
    metadata,
    Column("id", ULID, primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("role", String(12), nullable=False),
    Column("name", String(80), nullable=False),
    Column("phone", String(40), nullable=False),
    Column("priority", Integer, nullable=False, default=0),
    Column("state", String(12), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("dialled_at", Utc),
    Column("ringing_at", Utc),
    Column("answered_at", Utc),
    Column("accepted_at", Utc),
    Column("ended_at", Utc),
    Column("outcome", String(20)),
    Column("wanted_at", Utc),  # somebody asked for this leg: the engine dials it (store/wishes.py)
    Column("wanted_by", String(80)),
    Column("offer_id", ULID),  # asked by this offer, not by a person
    Column("worker_no", String(40)),
    UniqueConstraint("incident_id", "role", "phone"),
)
leg_attempt = Table(
    "leg_attempt",
    metadata,
    Column("id", ULID, primary_key=True),  # is also the ChannelId given to Asterisk
    Column("leg_id", ForeignKey("leg.id"), nullable=False),
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("attempt_no", Integer, nullable=False),
    Column("node", String(40), nullable=False),
    Column("uniqueid", String(150), nullable=False),
    Column("lease_owner", String(60), nullable=False),
    Column("lease_until", Utc, nullable=False),
    Column("dialled_at", Utc, nullable=False),
    Column("ringing_at", Utc),
    Column("answered_at", Utc),
    Column("accepted_at", Utc),
    Column("ended_at", Utc),
    Column("outcome", String(20)),
    Column("cause", Integer),
    UniqueConstraint("leg_id", "attempt_no"),
    UniqueConstraint("node", "uniqueid"),
    Index(None, "ended_at"),
)
offer = Table(
    "offer",
    metadata,
    Column("id", ULID, primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("skill", String(40)),
    Column("wanted_at", Utc, nullable=False),
    Column("wanted_by", String(80), nullable=False),
    Column("ended_at", Utc),
    Column("outcome", String(12)),  # accepted | exhausted
)
package = Table(
    "package",
    metadata,
    Column("id", ULID, primary_key=True),  # also the idempotency key
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("target", String(120), nullable=False),  # a hospital's name; empty: 120
    Column("number", Integer, nullable=False),  # the how many-th for this target
    Column("state", String(8), nullable=False),  # queued | sent | failed | dropped
    Column("queued_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("tries", Integer, nullable=False, default=0),
    Column("lease_owner", String(60)),
    Column("lease_until", Utc),
    Column("known_seq", BigInteger),  # the journal as far as the body tells it
    Column("body", Text),  # frozen at the first try, so that a repeated key is a repeated body; gone once delivered
    Column("why", String(40)),  # of the last failure
    Column("ended_at", Utc),
    UniqueConstraint("incident_id", "target", "number"),
    Index(None, "state", "due_at"),
)
recording = Table(
    "recording",
    metadata,
    Column("file", String(200), primary_key=True),  # below the folder of recordings; ids only
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("leg_id", ULID),  # None: the room as a whole
    Column("started_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("seconds", Float),
    Column("sha256", String(64)),
    Column("removed_at", Utc),  # its time was over
    Index(None, "ended_at"),
)
ticket = Table(
    "ticket",
    metadata,
    Column("no", String(20), primary_key=True),
    Column("state", String(10), nullable=False, index=True),  # open | closed
    Column("call_id", ULID),
    Column("elder_no", String(40), index=True),
    Column("elder_choices", JSON, nullable=False),
    Column("caller_id", String(40)),
    Column("category", String(40)),
    Column("note", Text),
    Column("opened_at", Utc, nullable=False),
    Column("closed_at", Utc),
    Column("outcome", String(40)),
    Column("call_back", Boolean, nullable=False, default=False),
)
counter = Table(
    "counter",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

app_user = Table(
    "app_user",
    metadata,
    Column("id", ULID, primary_key=True),
    Column("name", String(60), nullable=False, unique=True),
    Column("password_hash", String(200), nullable=False),
    Column("role", String(12), nullable=False),
    Column("extension", String(8), unique=True),
    Column("created_at", Utc, nullable=False),
    Column("disabled_at", Utc),
)
agent = Table(
    "agent",
    metadata,
    Column("extension", String(8), primary_key=True),
    Column("name", String(60), nullable=False),
    Column("sip_digest", String(64), nullable=False),  # MD5(user:realm:secret); the secret is not kept
    Column("state", String(8), nullable=False),  # ready | paused | away
    Column("reason", String(80)),
    Column("since", Utc, nullable=False),
)
session = Table(
    "session",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", ForeignKey("app_user.id", ondelete="CASCADE"), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
)
alarm_source = Table(
    "alarm_source",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("secret", String(100), nullable=False),  # itself: a signature cannot be checked with its hash
    Column("created_at", Utc, nullable=False),
    Column("revoked_at", Utc),
)
storm = Table(
    "storm",
    metadata,
    Column("name", String(10), primary_key=True),  # one row: `storm`
    Column("active", Boolean, nullable=False),
    Column("forced", Boolean),  # a person's word; none: by the numbers
    Column("since", Utc, nullable=False),
    Column("by", String(80)),
)
api_token = Table(
    "api_token",
    metadata,
    Column("id", ULID, primary_key=True),
    Column("name", String(60), nullable=False, unique=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", Utc, nullable=False),
    Column("revoked_at", Utc),
)
