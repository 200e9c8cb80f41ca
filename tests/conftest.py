"""What holds for all tests."""

import os

from common import logs

# As the services do it. What structlog does by default draws a traceback with all that it finds
# in memory, which holds the event loop for more than a second.
logs.configure("console", "info")

if "PYTEST_XDIST_WORKER" in os.environ:
    # The tests are measured, the processes that they start are not: a signal may end those at any
    # moment, and one that came while coverage held its own lock left them waiting for it for ever.
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
