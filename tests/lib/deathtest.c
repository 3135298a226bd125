/* tests/lib/deathtest.c - a fork, as an abort cannot be survived in place. */
#include "lib/deathtest.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

bool deathtest_aborts(void (*body)(void))
{
    int status;
    pid_t pid = fork();

    assert(pid >= 0);
    if (pid == 0) {
        (void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        body();
        _exit(0);
    }
    if (waitpid(pid, &status, 0) != pid)
        return false;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
