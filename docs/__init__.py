"""The documentation; :mod:`docs.generate` writes the parts that are computed from the code."""
