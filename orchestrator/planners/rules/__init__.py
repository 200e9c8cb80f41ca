"""The `rules` planner: plain-English file commands, understood without any model."""
