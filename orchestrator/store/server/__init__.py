"""The Redis server: where it is, how it is reached, what its faults mean, one of our own."""
