"""What the dumps and the tables hold: entities, tables, the mapping between them, values."""
