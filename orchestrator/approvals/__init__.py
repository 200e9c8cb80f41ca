"""Whether a run may do what it is about to do, by rules and by what a person has answered."""
