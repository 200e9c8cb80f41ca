"""delete_path: what goes, and how it is counted."""

import sqlite3
from contextlib import closing

from tests.execution_environment.conftest import taken_up, tool_call, usage_of


async def test_delete_path_counts_a_tree_that_grew_while_it_waited_as_it_went(
    assemble, call, data_dir, demo
):
    """Measured before it had the lock, what came meanwhile went with it and stayed counted."""
    (demo / "tree/deep").mkdir(parents=True)
    await call("write_file", path="x", content="1")

    def come_first(step):
        if step == "settled":  # the lock was just taken: this is what another process did with it
            (demo / "tree/deep/y").write_text("y" * 1000)
            with closing(sqlite3.connect(data_dir / "state/ledger.sqlite")) as ledger, ledger:
                ledger.execute("UPDATE usage SET size = size + 1000, entries = entries + 1")

    parts = assemble(observe=come_first)
    await parts.executor.run(tool_call("delete_path", path="tree", recursive=True))
    await parts.close()
    assert usage_of(data_dir) == taken_up(data_dir) == (1, 1)
