"""break-in: when a caller was parked and came back; what a person said about the family"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ivr.store.tables import Utc

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("call") as batch_op:
        batch_op.add_column(sa.Column("parked_at", Utc(), nullable=True))
        batch_op.add_column(sa.Column("returned_at", Utc(), nullable=True))
    with op.batch_alter_table("elder") as batch_op:
        batch_op.add_column(sa.Column("consent_hospital", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("incident") as batch_op:
        batch_op.add_column(sa.Column("family", sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column("family_reason", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("elder") as batch_op:
        batch_op.drop_column("consent_hospital")
    with op.batch_alter_table("incident") as batch_op:
        batch_op.drop_column("family_reason")
        batch_op.drop_column("family")
    with op.batch_alter_table("call") as batch_op:
        batch_op.drop_column("returned_at")
        batch_op.drop_column("parked_at")
