/* tests/unit/test_listener.c - listening: ports, hosts, and who may share them. */
#include "net/listener.h"

#include "lib/looptest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>

#include <cmocka.h>

struct clients {
    int count;
    int family; /* of the last */
};

static void on_accepted(void *ctx, int fd, const struct sockaddr_storage *peer)
{
    struct clients *c = ctx;

    c->count++;
    c->family = peer->ss_family;
    close(fd);
}

static int open_at(struct loop *l, const char *host, int port, bool share, struct clients *c,
                   struct listener **ret)
{
    const struct listener_options o = {
        .host = host, .port = port, .reuse_port = share, .accepted = on_accepted, .ctx = c
    };
    struct err e;

    return listener_open(l, &o, ret, &e);
}

static void a_port_is_chosen_and_then_taken(void **state)
{
    struct loop *l = looptest_open();
    struct listener *first, *second = NULL;
    struct clients c = { 0 };

    (void)state;
    assert_int_equal(open_at(l, "127.0.0.1", 0, false, &c, &first), 0);
    assert_in_range(listener_port(first), 1, 65535);
    assert_int_equal(open_at(l, "127.0.0.1", listener_port(first), false, &c, &second),
                     IFP_EUNAVAILABLE);
    listener_close(first);
    looptest_close(l);
}

static void a_port_is_shared_by_those_who_all_say_so(void **state)
{
    struct loop *l = looptest_open();
    struct listener *first, *second, *third = NULL;
    struct clients c = { 0 };

    (void)state;
    assert_int_equal(open_at(l, "127.0.0.1", 0, true, &c, &first), 0);
    assert_int_equal(open_at(l, "127.0.0.1", listener_port(first), true, &c, &second), 0);
    assert_int_equal(listener_port(second), listener_port(first));
    assert_int_equal(open_at(l, "127.0.0.1", listener_port(first), false, &c, &third),
                     IFP_EUNAVAILABLE);
    listener_close(first);
    listener_close(second);
    looptest_close(l);
}

static void a_host_that_is_none_is_bad_input(void **state)
{
    struct loop *l = looptest_open();
    struct listener *ls = NULL;
    struct clients c = { 0 };
    char host[300] = "";

    (void)state;
    memset(host, 'a', sizeof(host) - 1); /* longer than any name: nobody is asked for it */
    assert_int_equal(open_at(l, host, 0, false, &c, &ls), IFP_EINVALID);
    listener_close(NULL);
    looptest_close(l);
}

static void clients_are_handed_over_with_their_address(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    struct loop *l = looptest_open();
    struct clients c = { 0 };
    struct listener *ls;
    int fd[3];

    (void)state;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(open_at(l, "0.0.0.0", 0, false, &c, &ls), 0);
    at.sin_port = htons((uint16_t)listener_port(ls));
    for (int i = 0; i < 3; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd[i], (struct sockaddr *)&at, sizeof(at)), 0);
    }
    looptest_count(l, &c.count, 3);
    assert_int_equal(c.count, 3);
    assert_int_equal(c.family, AF_INET);
    assert_int_equal(listener_pauses(ls), 0);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    listener_close(ls);
    looptest_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_is_chosen_and_then_taken),
        cmocka_unit_test(a_port_is_shared_by_those_who_all_say_so),
        cmocka_unit_test(a_host_that_is_none_is_bad_input),
        cmocka_unit_test(clients_are_handed_over_with_their_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
