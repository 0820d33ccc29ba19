"""The content of the dumps and tables: entities, the mapping of fields to columns, values."""
