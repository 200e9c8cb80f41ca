"""A conversation is a session: each run knows the ones before, and keeps to AGENTS.md as it was."""

from common.plans import Plan
from tests.system.conversation.talking import first
from tests.system.models.answers import Answer, calls

OLD, NEW = "Write in British English.", "Write in German."


def write(path, content):
    """Return an answer that writes a file."""
    return calls(("write_file", {"path": path, "content": content, "mode": "upsert"}))


async def test_each_run_is_told_what_the_runs_before_were_asked_said_and_changed(talk):
    """`Undo that` means something only to who knows what was done."""
    talk.answer(write("a.txt", "one"), Answer(text="I wrote one."))
    await talk.run("write one")
    talk.answer(write("a.txt", "two"), write("b.txt", "b"), Answer(text="Two now."))
    await talk.run("make it two")
    talk.answer(Answer(text="It said one."))
    run = await talk.run("what did it say at first?")
    assert run.result.answer == "It said one."
    second, third = first(talk.bodies[2]), first(talk.bodies[-1])
    for told in ("write one", "I wrote one.", "a.txt (created)"):
        assert told in second.partition("make it two")[0]
        assert told in third
    for told in ("make it two", "Two now.", "a.txt (changed), b.txt (created)"):
        assert told in third.partition("what did it say")[0]
        assert told == "make it two" or told not in second
    assert third.index("write one") < third.index("make it two")
    assert third.endswith("The task:\nwhat did it say at first?")


async def test_a_run_keeps_to_the_instructions_that_the_workspace_had_at_its_begin(talk):
    """What a run writes into AGENTS.md does not steer it; the next one has it."""
    await talk.ended(await written(talk, OLD))
    talk.answer(write("AGENTS.md", NEW), calls(("list_directory", {})), Answer(text="Changed."))
    run = await talk.run("speak German", instructions="Be brief.")
    assert [OLD in first(body) for body in talk.bodies] == [True] * 3
    assert [NEW in first(body) for body in talk.bodies] == [False] * 3
    assert all("Be brief." in first(body) for body in talk.bodies)
    assert (run.workspace_instructions, run.instructions) == (OLD, "Be brief.")
    talk.answer(Answer(text="Ja."))
    following = await talk.run("well?")
    opening = first(talk.bodies[-1])
    assert (NEW in opening, OLD in opening, "Be brief." in opening) == (True, False, False)
    assert (following.workspace_instructions, following.instructions) == (NEW, None)


async def written(talk, text):
    """Write AGENTS.md by a plan."""
    step = {"name": "w", "tool": "write_file", "arguments": {"path": "AGENTS.md", "content": text}}
    plan = Plan.model_validate({"steps": [step]})
    return await talk.client.start_run(talk.session.id, plan=plan)
