"""Events on their way to clients: who follows what, and in which form."""
