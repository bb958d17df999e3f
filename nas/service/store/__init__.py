"""The database of the service: tables, migrations, and the questions that the service asks."""
