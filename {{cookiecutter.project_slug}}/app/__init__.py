import gc

# Python looks for garbage after 700 new objects, and through all of the libraries', which stay:
# that was a tenth of the start and a fifth of each request.
gc.set_threshold(10_000)

from sqlmodel import SQLModel  # noqa: E402

gc.freeze()

# Set here because Python runs this file before any module that declares a table:
# a constraint gets its name when its table is declared, never later.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
