"""Read-only queries about the loads: months, progress, changes, records."""
