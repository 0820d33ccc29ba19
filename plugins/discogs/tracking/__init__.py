"""The state of the months and their files: all access to the tracking tables."""
