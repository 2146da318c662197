"""the record: chained journal of incidents, recordings"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ivr.store.tables import Utc

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain ADD COLUMN: batch mode would copy the whole journal.
    op.add_column("event", sa.Column("chain_no", sa.Integer()))
    op.add_column("event", sa.Column("chain_hash", sa.String(length=64)))
    op.add_column("incident", sa.Column("chain_after", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("incident", sa.Column("chain_events", sa.Integer(), server_default="0", nullable=False))
    op.add_column("incident", sa.Column("chain_head", sa.String(length=64)))
    op.add_column("incident", sa.Column("sealed_events", sa.Integer()))
    op.add_column("incident", sa.Column("sealed_hash", sa.String(length=64)))
    # Chains of incidents that are there already begin here; what was journalled before is not covered.
    op.execute("UPDATE incident SET chain_after = (SELECT coalesce(max(seq), 0) FROM event)")
    op.create_table(
        "recording",
        sa.Column("file", sa.String(length=200), nullable=False),
        sa.Column("incident_id", sa.String(length=26), nullable=False),
        sa.Column("leg_id", sa.String(length=26), nullable=True),
        sa.Column("started_at", Utc(), nullable=False),
        sa.Column("ended_at", Utc(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("removed_at", Utc(), nullable=True),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_recording_incident_id")),
        sa.PrimaryKeyConstraint("file", name=op.f("pk_recording")),
    )
    op.create_index(op.f("ix_recording_incident_id"), "recording", ["incident_id"])
    op.create_index(op.f("ix_recording_ended_at"), "recording", ["ended_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_recording_ended_at"), table_name="recording")
    op.drop_index(op.f("ix_recording_incident_id"), table_name="recording")
    op.drop_table("recording")
    for name in ("sealed_hash", "sealed_events", "chain_head", "chain_events", "chain_after"):
        op.drop_column("incident", name)
    for name in ("chain_hash", "chain_no"):
        op.drop_column("event", name)
