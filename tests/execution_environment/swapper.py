"""A process that swaps two names as fast as it can: RENAME_EXCHANGE until it is ended."""

import ctypes
import sys

RENAME_EXCHANGE = 2
AT_FDCWD = -100


def main() -> None:
    """Swap the two paths given; say so once the first swap is done."""
    libc = ctypes.CDLL(None, use_errno=True)
    first, second = (argument.encode() for argument in sys.argv[1:3])
    libc.renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE)
    sys.stdout.write("swapping\n")
    sys.stdout.flush()
    while True:
        libc.renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE)


if __name__ == "__main__":
    main()
