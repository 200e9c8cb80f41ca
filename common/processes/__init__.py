"""What processes of one machine have to do with each other: locks on files, ties to a starter."""
