"""joining paths and storm: unknown devices, place, triage, risk; sources of signed alarms"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ivr.store.tables import Utc

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm_source",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("secret", sa.String(length=100), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("revoked_at", Utc(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alarm_source")),
    )
    op.create_table(
        "storm",
        sa.Column("name", sa.String(length=10), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=True),
        sa.Column("since", Utc(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_storm")),
    )
    with op.batch_alter_table("alarm", schema=None) as batch_op:
        batch_op.add_column(sa.Column("fingerprint", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("clock_off_s", sa.Integer(), nullable=True))
        for column in ("received_at", "fingerprint", "phone", "device_id"):
            batch_op.create_index(batch_op.f(f"ix_alarm_{column}"), [column], unique=False)
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.add_column(sa.Column("unknown_device", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("refers_to", sa.String(length=26), nullable=True))
        batch_op.add_column(sa.Column("place", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("dial_after", Utc(), nullable=True))
        batch_op.add_column(sa.Column("triage", sa.String(length=10), nullable=True))
        batch_op.add_column(sa.Column("triage_tries", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("triage_attempt", sa.String(length=26), nullable=True))
        batch_op.add_column(sa.Column("worst", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("risk", sa.Integer(), server_default="0", nullable=False))
        batch_op.create_index(batch_op.f("ix_incident_state_risk_id"), ["state", "risk", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_incident_closed_at"), ["closed_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_incident_closed_at"))
        batch_op.drop_index(batch_op.f("ix_incident_state_risk_id"))
        for name in (
            "risk", "worst", "triage_attempt", "triage_tries", "triage", "dial_after", "place", "refers_to",
            "unknown_device",
        ):  # fmt: skip
            batch_op.drop_column(name)
    with op.batch_alter_table("alarm", schema=None) as batch_op:
        for column in ("device_id", "phone", "fingerprint", "received_at"):
            batch_op.drop_index(batch_op.f(f"ix_alarm_{column}"))
        batch_op.drop_column("clock_off_s")
        batch_op.drop_column("fingerprint")
    op.drop_table("storm")
    op.drop_table("alarm_source")
