"""Measures how costs grow with what there is: whether they stay flat."""
