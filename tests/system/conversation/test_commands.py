"""`agentic run` and `agentic chat` as processes, against a model that is a fake."""

import asyncio
import os
import pty
import sys
from contextlib import asynccontextmanager

from agentic.work.ending import ExitCode
from tests.orchestrator.fakes import until
from tests.system.conversation.talking import OTHER, first, last
from tests.system.models.answers import Answer, calls

COMMAND = (sys.executable, "-c", "from agentic.cli import main; main()")
ASKING = calls(("ask_user", {"question": "Which of the two?"}))
WRITE = calls(("write_file", {"path": "a.txt", "content": "hello\n"}), text="I write it.")


@asynccontextmanager
async def terminal():
    """Yield both ends of one, ours first, and what is printed on it."""
    ours, theirs = pty.openpty()
    seen, loop = bytearray(), asyncio.get_running_loop()
    loop.add_reader(ours, lambda: seen.extend(os.read(ours, 1000)))
    try:
        yield ours, theirs, seen
    finally:
        loop.remove_reader(ours)
        os.close(theirs)
        os.close(ours)


async def done(talkative, *arguments, typed=""):
    """Return what a command has printed without a terminal, and how it has ended."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, "--url", talkative.main.url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate(typed.encode())
    return output.decode(), process.returncode


async def test_run_shows_what_the_model_says_and_does_and_what_it_took(talk, talkative):
    """Its steps, its answer, its tokens; and success in the exit code."""
    talk.answer(WRITE, Answer(text="It is written."))
    printed, code = await done(talkative, "run", "write a.txt", "--model", OTHER)
    assert code == ExitCode.SUCCEEDED
    for shown in ("I write it.", "write_file", "a.txt", "+hello", "It is written.", "tokens"):
        assert shown in printed
    assert printed.count("It is written.") == 1
    assert {body["model"] for body in talk.bodies} == {"other"}


async def test_a_terminal_shows_the_text_while_the_model_speaks_and_takes_an_answer(
    talk, talkative
):
    """Before its answer is complete; a question is answered where it is read."""
    talk.answer(ASKING, Answer(text="one two three", hold="text"))
    async with terminal() as (ours, theirs, seen):
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "run", "choose", "--url", talkative.main.url,
            stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        await until(lambda: b"answer>" in seen)
        os.write(ours, b"the second\n")
        await talk.held()
        await until(lambda: b"one t" in seen)
        assert b"three" not in seen
        talk.release()
        assert await process.wait() == ExitCode.SUCCEEDED
        await until(lambda: b"three" in seen)
    assert last(talk.bodies[1]) == "the second"


async def test_the_exit_code_tells_how_a_run_has_ended(talk, talkative):
    """A script goes on by it."""
    talk.answer(Answer(status=400, message="against the rules"), ASKING)
    refused, asks, unknown = [
        await done(talkative, "run", *arguments)
        for arguments in (("do it",), ("choose",), ("do it", "--model", "openai:othre"))
    ]
    assert [refused[1], asks[1], unknown[1]] == [
        ExitCode.FAILED, ExitCode.AWAITING_PERSON, ExitCode.USAGE
    ]  # fmt: skip
    assert "against the rules" in refused[0]
    assert "Which of the two?" in asks[0]
    assert OTHER in unknown[0]
    assert len(talk.bodies) == 2


async def test_chat_answers_a_question_from_its_input_and_remembers(talk, talkative):
    """Each line is a run of one session; the line after a question is its answer."""
    talk.answer(ASKING, Answer(text="The second, then."), Answer(text="As I said."))
    printed, code = await done(talkative, "chat", typed="choose\nthe second\nand again?\n")
    assert code == ExitCode.SUCCEEDED
    shown = ("Which of the two?", "The second, then.", "As I said.")
    assert [printed.count(text) for text in shown] == [1, 1, 1]
    assert last(talk.bodies[1]) == "the second"
    for told in ("choose", "The second, then.", "and again?"):
        assert told in first(talk.bodies[2])
    assert len(talk.bodies) == 3
