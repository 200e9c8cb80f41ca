"""What a model's answer means: calls, an end, a question, or nothing of use."""
