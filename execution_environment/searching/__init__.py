"""Searching in processes of its own: what computes for too long is killed, and starts anew."""
