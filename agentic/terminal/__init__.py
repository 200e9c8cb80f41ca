"""What a person sees and types: a run as it goes, a line to fill in, signals."""
