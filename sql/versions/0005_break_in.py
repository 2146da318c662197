"""break-in: when a caller was parked and came back; who may be rung when nobody of the centre can be had"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ivr.store.tables import Utc

revision = "0005"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("call") as batch_op:
        batch_op.add_column(sa.Column("parked_at", Utc(), nullable=True))
        batch_op.add_column(sa.Column("returned_at", Utc(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("call") as batch_op:
        batch_op.drop_column("returned_at")
        batch_op.drop_column("parked_at")
