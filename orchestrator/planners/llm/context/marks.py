"""Marks that tell a model whose words these are; nothing within can end them."""

import re

_UNSEEN = r"\s/\u00ad\u200b-\u200f\u2060-\u2064\ufeff"
"""What may stand before a mark's name and not be seen. One class, read once: a file may be full of it."""
_IMITATION = re.compile(
    rf"<(?=[{_UNSEEN}]*(?:tool_output|workspace_instructions|earlier_runs|summary|transcript)\b)",
    re.IGNORECASE,
)


def marked(name: str, text: str, **facts: str) -> str:
    """Return a text between marks of this name; `facts` stand in the first one."""
    told = "".join(f' {key}="{value}"' for key, value in facts.items())
    end = "" if text.endswith("\n") else "\n"
    return f"<{name}{told}>\n{harmless(text)}{end}</{name}>"


def harmless(text: str) -> str:
    """Return a text whose imitations of our marks are none any more: `</summary>` is `<\\/summary>`."""
    return _IMITATION.sub(r"<\\", text)
