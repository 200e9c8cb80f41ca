"""Who is at the terminal that a command was started on."""

from agentic.terminal.asking import Asker
from agentic.terminal.person import Ask, Decide
from agentic.terminal.prompt import Prompt


def person_at(prompt: Prompt) -> tuple[Ask | None, Decide | None]:
    """Return what answers a run's questions and decides its turns; off a terminal nobody does."""
    return (prompt.answer, Asker(prompt).decide) if prompt.is_terminal else (None, None)
