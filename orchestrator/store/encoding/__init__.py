"""How runs are kept in the store: their records, what they have used, and what is told of them."""
