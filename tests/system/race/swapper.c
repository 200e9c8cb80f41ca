/* Swaps each pair of the names given as fast as it can (RENAME_EXCHANGE), until SIGTERM.
 *
 *   swapper SECONDS A B [A B]...
 *
 * Says "swapping" once it does, and at the end how often each pair changed places. A pair of which
 * a name is missing is passed over: a call may have taken it away, and the test puts it back.
 * Ends with its parent, and after SECONDS whatever happens.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXCHANGE 2 /* RENAME_EXCHANGE: not in the headers of every C library */
#define MOST_PAIRS 64

static volatile sig_atomic_t ended;

static void end(int number)
{
    (void)number;
    ended = 1;
}

int main(int argc, char **argv)
{
    unsigned long swaps[MOST_PAIRS] = {0};
    int pairs = (argc - 2) / 2;

    if (pairs < 1 || pairs > MOST_PAIRS || argc != 2 + 2 * pairs)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm((unsigned)atoi(argv[1]));
    signal(SIGTERM, end);
    puts("swapping");
    fflush(stdout);
    while (!ended)
        for (int i = 0; i < pairs; i++)
            if (syscall(SYS_renameat2, AT_FDCWD, argv[2 + 2 * i], AT_FDCWD, argv[3 + 2 * i],
                        EXCHANGE) == 0)
                swaps[i]++;
    for (int i = 0; i < pairs; i++)
        printf("%lu\n", swaps[i]);
    return 0;
}
