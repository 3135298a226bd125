/*
 * tests/unit/test_egress.c - which addresses are refused, and what a list of exceptions lets pass.
 * How hosts are spelled is test_http_client.c's: the policy sees addresses alone.
 */
#include "http/egress.h"

#include "base/fault.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

static struct egress *open_policy(const char *allow)
{
    struct egress *g = NULL;
    struct err e;

    assert_int_equal(egress_open(allow, &g, &e), 0);
    return g;
}

static bool asks(const struct egress *g, const char *host, const char *address, int port,
                 const char **why)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

    if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
        return egress_allows(g, host, (struct sockaddr *)&in, why);
    assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
    return egress_allows(g, host, (struct sockaddr *)&in6, why);
}

static void what_is_not_the_internet_is_refused(void **state)
{
    static const struct {
        const char *address, *why;
    } cases[] = {
        { "0.0.0.0", "unspecified" },
        { "0.1.2.3", "unspecified" },
        { "10.0.0.0", "private" },
        { "10.255.255.255", "private" },
        { "100.64.0.1", "shared" },
        { "100.127.255.255", "shared" },
        { "127.0.0.1", "loopback" },
        { "127.255.255.254", "loopback" },
        { "169.254.169.254", "link-local" },
        { "172.16.0.1", "private" },
        { "172.31.255.255", "private" },
        { "192.0.0.170", "reserved" },
        { "192.0.2.1", "reserved" },
        { "192.88.99.1", "reserved" },
        { "192.168.0.1", "private" },
        { "198.18.0.1", "reserved" },
        { "198.19.255.255", "reserved" },
        { "198.51.100.7", "reserved" },
        { "203.0.113.7", "reserved" },
        { "224.0.0.1", "multicast" },
        { "239.255.255.255", "multicast" },
        { "240.0.0.1", "reserved" },
        { "255.255.255.255", "reserved" },
        { "::", "unspecified" },
        { "::1", "loopback" },
        { "::2", "reserved" },
        { "::ffff:127.0.0.1", "loopback" },
        { "::ffff:10.0.0.1", "private" },
        { "::ffff:169.254.169.254", "link-local" },
        { "::127.0.0.1", "reserved" },
        { "::ffff:0:127.0.0.1", "reserved" },
        { "64:ff9b::127.0.0.1", "loopback" },
        { "64:ff9b::169.254.169.254", "link-local" },
        { "64:ff9b:1::1", "reserved" },
        { "2002:7f00:1::", "loopback" },
        { "2002:a9fe:a9fe::1", "link-local" },
        { "2002:c0a8:101::1", "private" },
        { "2001::1", "reserved" },
        { "2001:0:7f00:1::", "reserved" },
        { "2001:db8::1", "reserved" },
        { "3fff::1", "reserved" },
        { "100::1", "reserved" },
        { "5f00::1", "reserved" },
        { "fc00::1", "private" },
        { "fd00:ec2::254", "private" },
        { "fe80::1", "link-local" },
        { "febf::1", "link-local" },
        { "fec0::1", "private" },
        { "ff02::1", "multicast" },
        { "4000::1", "reserved" },
    };
    struct egress *g = open_policy("");
    const char *why;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        why = NULL;
        if (asks(g, "example.com", cases[i].address, 443, &why))
            fail_msg("%s was allowed", cases[i].address);
        assert_string_equal(why, cases[i].why);
    }
    egress_close(g);
}

static void the_internet_is_allowed(void **state)
{
    static const char *const cases[] = {
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "2001:4860:4860::8888",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    };
    struct egress *g = open_policy("");
    const char *why;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (!asks(g, NULL, cases[i], 80, &why))
            fail_msg("%s was refused: %s", cases[i], why);
    egress_close(g);
}

static void exceptions_fit_network_port_and_host(void **state)
{
    static const struct {
        const char *host, *address;
        int port;
        bool allowed;
    } cases[] = {
        { NULL, "10.1.2.3", 443, true },
        { NULL, "10.1.2.3", 80, false },
        { NULL, "10.2.0.0", 443, false },
        { NULL, "127.0.0.1", 9000, true },
        { NULL, "127.0.0.1", 9001, false },
        { NULL, "127.0.0.2", 9000, false },
        { NULL, "::ffff:127.0.0.1", 9000, true },
        { NULL, "fd12::1", 8080, true },
        { NULL, "fd12::1", 8081, false },
        { NULL, "fe00::1", 8080, false },
        { NULL, "192.168.7.7", 1, true },
        { NULL, "192.168.7.7", 65535, true },
        { NULL, "192.168.7.8", 1, false },
        { "hooks.internal", "172.16.0.9", 8443, true },
        { "HOOKS.Internal.", "172.16.0.9", 8443, true },
        { "hooks.internal", "172.16.0.9", 443, false },
        { "xhooks.internal", "172.16.0.9", 8443, false },
        { "hooks.internal.evil", "172.16.0.9", 8443, false },
        { NULL, "172.16.0.9", 8443, false },
        { NULL, "::1", 5, true },
    };
    struct egress *g = open_policy("10.1.0.0/16:443, 127.0.0.1:9000,[fd00::/8]:8080 192.168.7.7,"
                                   "hooks.internal:8443,,::1");
    const char *why;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (asks(g, cases[i].host, cases[i].address, cases[i].port, &why) != cases[i].allowed)
            fail_msg("case %zu: %s port %d", i, cases[i].address, cases[i].port);
    egress_close(g);
}

static void only_ip_is_ever_allowed(void **state)
{
    struct egress *g = open_policy("0.0.0.0/0,[::/0]");
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    const char *why = NULL;

    (void)state;
    assert_true(asks(g, NULL, "127.0.0.1", 80, &why));
    assert_true(asks(g, NULL, "::1", 80, &why));
    assert_false(egress_allows(g, NULL, (struct sockaddr *)&un, &why));
    assert_string_equal(why, "not IP");
    egress_close(g);
}

static void a_rule_that_cannot_be_read_is_named(void **state)
{
    static const char *const cases[] = {
        "10.0.0.0/33", "10.0.0.0/-1",     "10.0.0.0/8x", "::1/129",   "127.0.0.1:0",
        "127.0.0.1:",  "127.0.0.1:65536", "localhost",   "host:port", "a b/8",
        "[::1",        "[::1]x",          "/8",          ":80",       "http://x:80",
        "10.0.0/8",    "user@host:80",    "[::1]:",      "[::1]:0",   "0x7f.1/8",
    };
    struct egress *g = NULL;
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        err_clear(&e);
        if (egress_open(cases[i], &g, &e) != IFP_EINVALID)
            fail_msg("%s was taken", cases[i]);
        assert_memory_equal(e.text, "egress-allow: \"", 15);
    }
}

static void want_of_memory_is_an_error(void **state)
{
    struct egress *g = NULL;
    struct err e;
    int rc = IFP_ENOMEM, n = 0;

    (void)state;
    while (rc == IFP_ENOMEM) {
        fault_arm(FAULT_ALLOC, (uint64_t)++n, false);
        rc = egress_open("10.0.0.0/8,::1,host:80", &g, &e);
        fault_arm(FAULT_ALLOC, 0, false);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(n, 5);
    egress_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_the_internet_is_refused),
        cmocka_unit_test(the_internet_is_allowed),
        cmocka_unit_test(exceptions_fit_network_port_and_host),
        cmocka_unit_test(only_ip_is_ever_allowed),
        cmocka_unit_test(a_rule_that_cannot_be_read_is_named),
        cmocka_unit_test(want_of_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
