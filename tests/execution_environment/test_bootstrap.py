"""The parts of a service, put together and closed again."""

from tests.execution_environment.conftest import tool_call


async def test_an_assembly_gives_everything_back_when_it_is_closed(
    assemble, demo, open_descriptors
):
    """Each test makes some, and so does each worker that is started anew."""
    (demo / "file").write_text("found")
    counts = []
    for number in range(3):
        parts = assemble()
        await parts.executor.run(tool_call("write_file", path=f"x{number}", content="1"))
        searched = await parts.executor.run(tool_call("search_files", pattern="found"))
        assert searched.output["total"] == 1
        await parts.close()
        counts.append(open_descriptors())
    assert counts[1:] == counts[:1] * 2  # the first one imports and caches


async def test_two_assemblies_work_on_one_data_directory(assemble, demo):
    """As the workers of a service do: each sees what the other has changed, and its calls."""
    first, second = assemble(), assemble()
    call = tool_call("append_file", path="log", content="1\n")
    await first.executor.run(call)
    assert (await second.executor.run(call)).replayed
    await second.executor.run(tool_call("append_file", path="log", content="2\n"))
    read = await first.executor.run(tool_call("read_file", path="log"))
    assert read.output["content"] == (demo / "log").read_text() == "1\n2\n"
    await second.close()
    await first.close()
