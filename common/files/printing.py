"""Text of files and of their names on its way to a terminal."""


def harmless(text: str) -> str:
    """Return text without control characters: a file's name or content must not steer a terminal."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text
    )
