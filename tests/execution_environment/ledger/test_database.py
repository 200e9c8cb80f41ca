"""The database: what is committed is done, whatever goes wrong afterwards."""

from contextlib import closing

from execution_environment.ledger.database import Database


def test_a_write_that_is_committed_has_no_failure_of_the_reserve(tmp_path, monkeypatch):
    """It would be done again, or its call answered as one that has not happened."""
    done = []

    def work(connection):
        connection.execute("INSERT INTO usage (workspace) VALUES ('w')")
        return done.append(1)

    def fail(name):
        raise MemoryError("no memory")

    with closing(Database(tmp_path / "ledger.sqlite")) as database:
        monkeypatch.setattr(database, "_pragma", fail)
        database.write(work)
        with database.reading() as connection:
            assert connection.execute("SELECT COUNT(*) FROM usage").fetchone() == (1,)
    assert done == [1]
