"""The target database: connections, migrations, COPY, staging, merging."""
