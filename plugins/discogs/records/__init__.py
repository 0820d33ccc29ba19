"""From bytes to rows: splitting into records, fingerprints, and two parsers for one mapping."""
