"""Generated dumps, and a mirror that serves a folder of dumps."""
