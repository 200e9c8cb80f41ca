"""What the file system refuses: an answer to a client, or a fault."""

import errno
import os

import pytest

from common.errors import ToolError
from execution_environment.sandbox.os_errors import translated


def test_unexpected_os_errors_go_up_as_they_are():
    """EIO is no answer to a client: the one handler logs it and says internal."""
    with pytest.raises(OSError, match="Input/output"), translated("x"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    with pytest.raises(ToolError) as caught, translated("x"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert (caught.value.code, caught.value.context.errno) == ("no_space", "ENOSPC")
