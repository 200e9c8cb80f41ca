"""What tools share: their declaration, windows, pages, patterns, text, diffs and patches."""
