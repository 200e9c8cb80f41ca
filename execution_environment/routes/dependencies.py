"""What the endpoints are handed: the parts of the service."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from common.errors import Problem
from common.web.errors import problem_of
from execution_environment.audit.writer import AuditWriter
from execution_environment.calls.archives_in import ArchivesIn
from execution_environment.calls.archives_out import ArchivesOut
from execution_environment.calls.batches import Batches
from execution_environment.calls.downloads import Downloads
from execution_environment.calls.executor import Executor
from execution_environment.calls.registry import Registry
from execution_environment.calls.removals import Removals
from execution_environment.calls.uploads import Uploads
from execution_environment.calls.workspaces import Workspaces
from execution_environment.threads import ThreadPool
from execution_environment.transactions.settlement import Settler


@dataclass(frozen=True)
class Services:
    """The parts that the routes call, put together by the app."""

    registry: Registry
    executor: Executor
    batches: Batches
    downloads: Downloads
    uploads: Uploads
    archives_in: ArchivesIn
    archives_out: ArchivesOut
    removals: Removals
    workspaces: Workspaces
    settler: Settler
    threads: ThreadPool
    audit: AuditWriter
    audit_dir: Path


def services_of(request: Request) -> Services:
    """Return the parts of the service that a request has come to."""
    services: Services = request.app.state.services
    return services


async def _services(request: Request) -> Services:  # a plain function would take a thread
    return services_of(request)


ServicesDep = Annotated[Services, Depends(_services)]


async def _problem_of(request: Request) -> Callable[[BaseException], Problem]:  # likewise
    return partial(problem_of, scope=request.scope)


ProblemOfDep = Annotated[Callable[[BaseException], Problem], Depends(_problem_of)]
"""What is told of the failure of one part of the request."""
