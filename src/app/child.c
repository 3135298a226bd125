/*
 * app/child.c - fork and exec, with what a supervisor must get right.
 *
 * Between fork and exec only async-signal-safe calls are made: groups and environment are prepared
 * before.  Signals are blocked over the fork, because a signal that reached the child before its
 * exec would run the parent's handler there.  The death signal is set after the user was changed
 * (a change of user clears it), and a parent that died before that is noticed by its pid.
 */
#define _GNU_SOURCE 1 /* environ, strerrordesc_np */
#include "app/child.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NO_EXEC = 127 };

int child_find_user(const char *name, struct child_user *ret, struct err *e)
{
    const struct passwd *entry = getpwnam(name);
    struct child_user user;

    if (!entry)
        return err_set(e, IFP_ENOTFOUND, "there is no user \"%s\"", name);
    user.uid = entry->pw_uid;
    user.gid = entry->pw_gid;
    user.group_count = CHILD_GROUPS_MAX;
    if (getgrouplist(name, user.gid, user.groups, &user.group_count) < 0)
        return err_set(e, IFP_ESERVER, "user \"%s\" is in more than %d groups", name,
                       CHILD_GROUPS_MAX);
    *ret = user;
    return 0;
}

/* ---- in the child --------------------------------------------------------------------------- */

static int become(const struct child_user *user)
{
    if (!user)
        return 0;
    if (setgroups((size_t)user->group_count, user->groups) != 0 || setgid(user->gid) != 0)
        return -1;
    return setuid(user->uid);
}

static void default_signals(void)
{
    static const int handled[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE, SIGQUIT };
    sigset_t none;

    for (size_t i = 0; i < ARRAY_LEN(handled); i++)
        signal(handled[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int redirect(int output_fd)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        return -1;
    if (output_fd < 0)
        return 0;
    if (dup2(output_fd, STDOUT_FILENO) < 0)
        return -1;
    return dup2(output_fd, STDERR_FILENO);
}

/* write(2) is all that may be used to complain. */
static void complain(const char *what, const char *file, int error)
{
    const char *parts[] = { what, " ", file, ": ", strerrordesc_np(error), "\n" };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (parts[i] && write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
            return;
}

static _Noreturn void run_child(const struct child_spec *s, char **env, pid_t parent)
{
    default_signals();
    if (setpgid(0, 0) != 0 || become(s->user) != 0 || redirect(s->output_fd) < 0) {
        complain("cannot prepare", s->file, errno);
        _exit(EXIT_NO_EXEC);
    }
    if (s->folder && chdir(s->folder) != 0) {
        complain("cannot enter", s->folder, errno);
        _exit(EXIT_NO_EXEC);
    }
    prctl(PR_SET_PDEATHSIG, s->death_signal);
    if (getppid() != parent)
        _exit(EXIT_NO_EXEC); /* nobody is left to serve */
    execve(s->file, s->argv, env);
    complain("cannot run", s->file, errno);
    _exit(EXIT_NO_EXEC);
}

/* ---- in the parent -------------------------------------------------------------------------- */

/* Our environment and one variable more, which replaces one of the same name; for mem_free. */
static char **make_env(const char *more)
{
    size_t count = 0, n = 0, name = more ? strcspn(more, "=") + 1 : 0;
    char **env;

    while (environ[count])
        count++;
    env = mem_zalloc((count + 2) * sizeof(*env));
    if (!env)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!more || strncmp(environ[i], more, name) != 0)
            env[n++] = environ[i];
    if (more)
        env[n] = (char *)more;
    return env;
}

int child_spawn(const struct child_spec *s, pid_t *ret_pid, struct err *e)
{
    char **env = make_env(s->env);
    pid_t pid, parent = getpid();
    sigset_t all, before;
    int error;

    assert(s->file && s->argv && s->argv[0]);
    if (!env)
        return err_set(e, IFP_ENOMEM, "out of memory");
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    error = errno;
    if (pid == 0)
        run_child(s, env, parent);
    sigprocmask(SIG_SETMASK, &before, NULL);
    mem_free(env);
    if (pid < 0)
        return err_set(e, IFP_ESERVER, "cannot start %s: %s", s->file, strerror(error));
    *ret_pid = pid;
    return 0;
}

static int wait_for(pid_t pid, int *ret_status, struct err *e)
{
    while (waitpid(pid, ret_status, 0) < 0)
        if (errno != EINTR)
            return err_set(e, IFP_ESERVER, "cannot wait for process %d: %s", (int)pid,
                           strerror(errno));
    return 0;
}

int child_run(const struct child_spec *s, int *ret_status, struct err *e)
{
    pid_t pid = 0;
    int rc = child_spawn(s, &pid, e);

    return rc == 0 ? wait_for(pid, ret_status, e) : rc;
}

int child_can_enter(const struct child_user *user, const char *folder, bool *ret, struct err *e)
{
    int status, rc;
    pid_t pid = fork();

    if (pid == 0)
        _exit(become(user) == 0 && access(folder, X_OK) == 0 ? 0 : 1);
    if (pid < 0)
        return err_set(e, IFP_ESERVER, "cannot start a process: %s", strerror(errno));
    rc = wait_for(pid, &status, e);
    if (rc == 0)
        *ret = status == 0;
    return rc;
}

void child_describe(int status, char ret[CHILD_TEXT_SIZE])
{
    if (WIFSIGNALED(status))
        snprintf(ret, CHILD_TEXT_SIZE, "killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(ret, CHILD_TEXT_SIZE, "exit code %d", WEXITSTATUS(status));
}
