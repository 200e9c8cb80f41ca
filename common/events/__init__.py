"""What is made of events, by whoever follows them."""
