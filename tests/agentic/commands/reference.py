"""The tables of docs/cli.md, from the program itself: `python -m tests.agentic.commands.reference` writes them."""

import inspect
from pathlib import Path

import typer
from typer.core import TyperGroup, TyperOption

from agentic.commands.app import app
from agentic.work.ending import ExitCode

DOCUMENT = Path("docs/cli.md")
BEGIN, END = "<!-- from the program: begin -->\n", "<!-- from the program: end -->\n"


def commands():
    """All commands by their names, in the order of `agentic --help`."""
    program = typer.main.get_command(app)
    assert isinstance(program, TyperGroup)
    return program.commands


def tables():
    """Their options as Markdown."""
    return "\n".join(map(_command, commands().values()))


def _command(command):
    arguments = [one for one in command.params if not _is_option(one)]
    usage = " ".join([f"agentic {command.name}", *map(_usage, arguments)])
    text = " ".join(inspect.cleandoc(command.help).split())
    rows = map(_row, [*arguments, *filter(_is_option, command.params)])
    return f"### `{usage}`\n\n{text}\n\n| | default | meaning |\n|---|---|---|\n{''.join(rows)}"


def _is_option(parameter):
    return isinstance(parameter, TyperOption)


def _row(parameter):
    value = f" {parameter.metavar}" if parameter.metavar else ""
    name = f"{parameter.opts[0]}{value}" if _is_option(parameter) else _name(parameter)
    variable = f" (`{parameter.envvar}`)" if parameter.envvar else ""
    return f"| `{name}` | {_default(parameter)} | {parameter.help.rstrip('.')}{variable} |\n"


def _default(parameter):
    if parameter.required:
        return "required"
    return "" if parameter.default in (None, False) else f"`{parameter.default}`"


def _name(argument):
    return argument.metavar or argument.name.upper()


def _usage(argument):
    return _name(argument) if argument.required else f"[{_name(argument)}]"


def exit_codes(text):
    """The numbers in the document's table of exit codes."""
    lines = text.partition("## Exit codes\n")[2].partition("\n## ")[0].splitlines()
    cells = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    return {int(cell) for cell in cells if cell.isdigit()}


def parts(text):
    """What stands before the tables, the tables, and what stands after them."""
    before, _, rest = text.partition(BEGIN)
    inside, _, after = rest.partition(END)
    return before, inside, after


KNOWN_CODES = {code.value for code in ExitCode}

if __name__ == "__main__":
    before, _, after = parts(DOCUMENT.read_text())
    DOCUMENT.write_text(f"{before}{BEGIN}{tables()}{END}{after}")
