"""Types that models share."""

from enum import Enum
from hashlib import sha256
from typing import Annotated

import sqlalchemy as sa
from pydantic import StringConstraints

# Not every database stores this character in a text
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


def text_enum(members: type[Enum], length: int = 32, name: str = "") -> sa.Enum:
    """Make the type of a column that holds an enum's values as text, checked by the database.

    The check's name has a hash of the values, so Alembic sees a changed enum as a changed
    constraint, on every database: `color: Color = Field(sa_type=text_enum(Color))`.

    Args:
        members: The enum; its values are what is stored.
        length: Characters that the longest value may have, now and later.
        name: What the check's name begins with, if not the enum's name: a table's second column
            of the same enum needs one.

    Returns:
        A type for SQLModel's `sa_type`.
    """
    values = [str(member.value) for member in members]
    digest = sha256("\0".join(values).encode()).hexdigest()[:8]
    return sa.Enum(
        members,
        name=f"{name or members.__name__.lower()}_{digest}",
        native_enum=False,
        create_constraint=True,
        length=length,
        values_callable=lambda _: values,
    )
