"""Rows to PostgreSQL: connections, migrations, COPY, staging, merge, checks."""
