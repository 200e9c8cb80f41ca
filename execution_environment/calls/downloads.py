"""Downloads and uploads as the ledger and the audit trail see them: calls of their own kind."""

from typing import Any

from starlette.datastructures import Headers

from common.errors import SystemFault
from common.tools import ToolCall
from common.web.conditions import Validators, require_match
from execution_environment.ledger.records import Usage
from execution_environment.transactions.transaction import Draft
from execution_environment.workspace.entry_mover import Workspace
from execution_environment.workspace.streams import Incoming, Outgoing, etag_of, modified_at


class Download(Draft):
    """Opens a file to be sent."""

    outgoing: Outgoing

    def _make(self) -> dict[str, Any]:
        self.outgoing = self.workspace.open_file(str(self.call.arguments["path"]))
        return {"size": self.outgoing.status.st_size}


class Upload(Draft):
    """Checks the request's conditions against what is in the place, each time it is staged."""

    def __init__(
        self,
        call: ToolCall,
        workspace: Workspace,
        quota: Usage,
        incoming: Incoming,
        conditions: Headers,
    ) -> None:
        super().__init__(call, workspace, quota)
        self._incoming = incoming
        self._conditions = conditions

    def _make(self) -> dict[str, Any]:
        if not self._incoming.is_kept:
            raise SystemFault("unavailable", "An earlier attempt has come to nothing meanwhile")
        path = str(self.call.arguments["path"])
        self.workspace.bounds.meter.reset()
        status = self.workspace.find(path)
        current = None if status is None else Validators(etag_of(status), modified_at(status))
        require_match(self._conditions, current)
        before = None if status is None else self.workspace.snapshot(path, 0)
        self.workspace.put_received(path, self._incoming, before)
        return {"size": self._incoming.size, "sha256": self._incoming.sha256}
