"""What others have written: JSON that no two parsers read differently, and the messages made of it."""
