"""The execution environment with its ledger switched off: the control of the crash test."""

from common.web.server import serve
from execution_environment.app import assembly_of, build_over
from execution_environment.ledger.ledger import Ledger
from execution_environment.settings import Settings


class ForgetfulLedger(Ledger):
    """Writes everything down and finds nothing again."""

    def find(self, key):
        """Find nothing."""

    def write_intent(self, intent, quota):
        """Take every call for a new one."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM calls")
        return super().write_intent(intent, quota)


if __name__ == "__main__":
    settings = Settings.load()
    serve(build_over(assembly_of(settings, ForgetfulLedger), settings), settings)
