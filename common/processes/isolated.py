"""Runs a function in a process that inherits nothing but where modules are found."""

import json
import sys

_ENTRY = (
    "import json, sys; sys.path[:], arguments = map(json.loads, sys.argv[1:]);"
    " from {module} import main; main(*arguments)"
)


def isolated(module: str, *arguments: int) -> list[str]:
    """Return the command line that calls a module's `main`; start it with `env={}`.

    -I and -S: what a path file or a variable would start takes longer than the rest.
    """
    entry = _ENTRY.format(module=module)
    return [sys.executable, "-I", "-S", "-c", entry, json.dumps(sys.path), json.dumps(arguments)]
