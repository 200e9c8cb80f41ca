"""The forms of commands, and which of them is nearest to what was not understood."""

import difflib

LOOKING = {
    "LIST": "list files in src",
    "SHOW": "show README.md",
    "READ": "read README.md",
    "WHAT_FILES": "what files are in src",
    "WHATS_IN": "what is in src",
    "WHAT_DOES": "what does README.md say",
    "WHICH_CONTAIN": "search for 'text' in src",
    "WHERE_IS": "where is main.py",
    "FIND": "find *.py in src",
    "SEARCH": "search for 'text' in *.py in src",
    "GREP": "grep 'text' in src",
}
CHANGING = {
    "WRITE": "write 'text' to notes.txt",
    "PUT": "put 'text' into notes.txt",
    "OVERWRITE": "overwrite notes.txt with 'text'",
    "APPEND": "append 'text' to notes.txt",
    "ADD": "add 'text' to notes.txt",
    "REPLACE": "replace 'old' with 'new' in *.py in src",
    "CREATE": "create file notes.txt with 'text'; create directory docs",
    "MKDIR": "mkdir docs",
    "TOUCH": "touch notes.txt",
    "COPY": "copy a.txt to b.txt",
    "CP": "copy a.txt to b.txt",
    "MV": "move a.txt to b.txt",
    "MOVE": "move a.txt into docs/",
    "RENAME": "rename a.txt to b.txt",
    "DELETE": "delete a.txt; delete every *.tmp in src",
    "RM": "delete a.txt; delete every *.tmp in src",
    "DELETE_TREE": "delete the folder build and everything in it",
}
FORMS = LOOKING | CHANGING
"""By the name of the verb's terminal in grammar.lark. A semicolon chains, so that each is a goal."""
MAX_WORD = 40
_WORDS = {form.split()[0]: form for form in reversed(FORMS.values())}
_ALIKE = {
    "edit": "REPLACE", "update": "REPLACE", "modify": "REPLACE", "insert": "APPEND",
    "prepend": "APPEND", "clear": "OVERWRITE", "empty": "OVERWRITE", "head": "READ",
    "tail": "READ", "how": "LIST", "count": "LIST", "is": "FIND", "does": "FIND",
}  # fmt: skip
_ANY = "list files in src; read README.md; write 'text' to notes.txt"


def nearest(text: str, verb: str | None) -> str:
    """Return the form of a verb, or of the one that the first word looks like."""
    if verb is not None:
        return FORMS[verb]
    word = text[:MAX_WORD].split(maxsplit=1)[0].lower() if text.strip() else ""
    if word in _ALIKE:
        return FORMS[_ALIKE[word]]
    alike: list[str] = difflib.get_close_matches(word, _WORDS, n=1, cutoff=0.7)
    return _WORDS[alike[0]] if alike else _ANY
