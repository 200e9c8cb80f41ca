"""The contract: what both services and their clients say to each other."""
