"""What holds for all tests."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # The tests are measured, the processes that they start are not: a signal may end those at any
    # moment, and one that came while coverage held its own lock left them waiting for it for ever.
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
