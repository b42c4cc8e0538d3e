"""Run by alembic: uses the connection that ``migrations.upgrade`` was given, in its transaction."""

from alembic import context

from odarchive.catalogue.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
