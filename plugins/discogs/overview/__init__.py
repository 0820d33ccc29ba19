"""What the tables say about the loads, read for people: months, progress, changes, records."""
