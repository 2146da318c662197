"""helpers, hospitals, and the package pushed to them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ivr.store.tables import Utc

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ADDED: dict[str, tuple[sa.Column[object], ...]] = {
    "elder": (sa.Column("helper_no", sa.String(40)), sa.Column("access", sa.Text())),
    "hospital": (sa.Column("endpoint", sa.String(500)), sa.Column("push_secret", sa.Text())),
    "incident": (sa.Column("arrived_at", Utc()), sa.Column("arrived_by", sa.String(80))),
    "leg": (
        sa.Column("wanted_at", Utc()),
        sa.Column("wanted_by", sa.String(80)),
        sa.Column("offer_id", sa.String(26)),
        sa.Column("worker_no", sa.String(40)),
    ),
}


def upgrade() -> None:
    for table, columns in ADDED.items():
        for column in columns:
            op.add_column(table, sa.Column(column.name, column.type))
    op.create_table(
        "offer",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("incident_id", sa.String(26), nullable=False),
        sa.Column("skill", sa.String(40)),
        sa.Column("wanted_at", Utc(), nullable=False),
        sa.Column("wanted_by", sa.String(80), nullable=False),
        sa.Column("ended_at", Utc()),
        sa.Column("outcome", sa.String(12)),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_offer_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer")),
    )
    op.create_index(op.f("ix_offer_incident_id"), "offer", ["incident_id"])
    op.create_table(
        "package",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("incident_id", sa.String(26), nullable=False),
        sa.Column("target", sa.String(120), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("queued_at", Utc(), nullable=False),
        sa.Column("due_at", Utc(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(60)),
        sa.Column("lease_until", Utc()),
        sa.Column("known_seq", sa.BigInteger()),
        sa.Column("body", sa.Text()),
        sa.Column("why", sa.String(40)),
        sa.Column("ended_at", Utc()),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_package_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package")),
        sa.UniqueConstraint("incident_id", "target", "number", name=op.f("uq_package_incident_id_target_number")),
    )
    op.create_index(op.f("ix_package_incident_id"), "package", ["incident_id"])
    op.create_index(op.f("ix_package_state_due_at"), "package", ["state", "due_at"])


def downgrade() -> None:
    op.drop_table("package")
    op.drop_table("offer")
    for table, columns in reversed(ADDED.items()):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column.name)
