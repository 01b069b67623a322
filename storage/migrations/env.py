"""How alembic reaches the database: through the connection that `storage.migrate` gives it."""

from alembic import context

from storage.migrate import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
