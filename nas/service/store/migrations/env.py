"""Alembic's environment: it runs the migrations on the connection that `nas.service.store.migration` opened."""

from alembic import context

from nas.service.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
