"""From bytes to rows: cutting, fingerprinting, and two parsers driven by one mapping."""
