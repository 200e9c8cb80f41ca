"""The ways of reading and writing a file that are compared, and the servers behind them."""
