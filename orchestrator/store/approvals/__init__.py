"""What people say of runs, as the store keeps it: rules, and answers to turns that wait."""
