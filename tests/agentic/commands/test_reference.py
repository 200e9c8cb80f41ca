"""docs/cli.md says what the program does: its tables are the program's own."""

import re

import pytest
from typer.testing import CliRunner

from agentic.commands.app import app
from tests.agentic.commands.reference import (
    DOCUMENT,
    KNOWN_CODES,
    commands,
    exit_codes,
    parts,
    tables,
)

COMMANDS = commands()


def test_the_document_has_every_command_and_option_as_the_program_has_it():
    """A new option without its row is found here; the module's docstring says how to write them."""
    assert parts(DOCUMENT.read_text())[1] == tables()


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_tables_have_every_option_that_the_help_shows(name):
    """The tables come from the program's parts: so that they are all of them, `--help` is read as well."""
    shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "300", "TERM": "dumb"})
    section = tables().partition(f"### `agentic {name}")[2].partition("### ")[0]
    options = set(re.findall(r"^\W*(--[a-z-]+)", shown.output, re.MULTILINE)) - {"--help"}
    assert options == set(re.findall(r"^\| `(--[a-z-]+)", section, re.MULTILINE))
    assert options


def test_the_document_has_every_exit_code():
    """And none that does not exist; 130 is the shell's word for Ctrl-C before anything was begun."""
    assert exit_codes(DOCUMENT.read_text()) == KNOWN_CODES | {130}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_stands_in_the_readmes_table(name):
    """Who reads the README first finds that there is one."""
    readme = DOCUMENT.parent.parent.joinpath("README.md").read_text()
    assert re.search(rf"`agentic {name}\b", readme)


@pytest.mark.parametrize(
    "name", sorted(set(COMMANDS) - {"run", "chat", "cat", "mcp", "up", "down", "demo"})
)
def test_what_lists_and_shows_has_json_for_scripts(name):
    """All but what streams text, bytes, or serves."""
    assert "--json" in {option for one in COMMANDS[name].params for option in one.opts}


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("bash", {"COMP_WORDS": "agentic wor", "COMP_CWORD": "1"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "agentic wor"}),
        (
            "fish",
            {"_TYPER_COMPLETE_ARGS": "agentic wor", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        ),
    ],
)
def test_a_line_is_completed_in_each_shell(shell, words):
    """As the script that `--install-completion` installs asks for it."""
    env = {"_AGENTIC_COMPLETE": f"complete_{shell}", **words}
    told = CliRunner().invoke(app, [], env=env, prog_name="agentic")
    assert "workspaces" in told.output
    assert "sessions" not in told.output.partition("List your")[0]
