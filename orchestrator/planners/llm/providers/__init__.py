"""What only the adapter of the models needs: opening them, translating, reading their faults."""
