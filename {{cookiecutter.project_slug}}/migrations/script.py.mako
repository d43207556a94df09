## <--- CHANGE HERE: a message may hold quotes and backslashes
"""${message.replace("\\", r"\\").replace('"', r'\"')}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
Create Date: ${create_date}

"""
## <--- CHANGE HERE: today's form of the type hints
from collections.abc import Sequence

from alembic import op
import sqlalchemy as sa
## <--- CHANGE HERE: for the types of SQLModel that a revision may name
import sqlmodel
${imports if imports else ""}

# revision identifiers, used by Alembic.
revision: str = ${repr(up_revision)}
down_revision: str | Sequence[str] | None = ${repr(down_revision)}
branch_labels: str | Sequence[str] | None = ${repr(branch_labels)}
depends_on: str | Sequence[str] | None = ${repr(depends_on)}


def upgrade() -> None:
    """Upgrade schema."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Downgrade schema."""
    ${downgrades if downgrades else "pass"}
