"""What a run waits for."""
