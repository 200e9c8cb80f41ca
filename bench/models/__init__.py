"""What a run costs that a model decides: against a run of a plan, and where the time goes."""
