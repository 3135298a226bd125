/*
 * http/egress.c - the policy as two tables of networks and a list of exceptions.
 *
 * All addresses are 16 bytes: IPv4 in its mapped form (::ffff:a.b.c.d), so that one comparison of
 * prefixes serves both families and a mapped spelling is the same address as the plain one.
 * IPv6 is judged the other way round from IPv4: only 2000::/3 is the Internet, all else is refused.
 * An address that carries an IPv4 address inside is judged by that one.
 *
 * Failure: a rule that cannot be read is an error at start, never a rule that is left out.
 */
#include "http/egress.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum { ADDRESS_SIZE = 16, ADDRESS_BITS = 128, MAPPED_BITS = 96, HOST_SIZE = 254, RULE_SIZE = 300 };

struct network {
    const char *text;
    unsigned bits;
    const char *why;
};

static const struct network closed_v4[] = {
    { "0.0.0.0", 8, "unspecified" },     { "10.0.0.0", 8, "private" },
    { "100.64.0.0", 10, "shared" },      { "127.0.0.0", 8, "loopback" },
    { "169.254.0.0", 16, "link-local" }, { "172.16.0.0", 12, "private" },
    { "192.0.0.0", 24, "reserved" },     { "192.0.2.0", 24, "reserved" },
    { "192.88.99.0", 24, "reserved" },   { "192.168.0.0", 16, "private" },
    { "198.18.0.0", 15, "reserved" },    { "198.51.100.0", 24, "reserved" },
    { "203.0.113.0", 24, "reserved" },   { "224.0.0.0", 4, "multicast" },
    { "240.0.0.0", 4, "reserved" },
};

/* Of what lies outside 2000::/3 the first two and the last lines only say it better. */
static const struct network closed_v6[] = {
    { "::", 128, "unspecified" },     { "::1", 128, "loopback" },   { "2001::", 23, "reserved" },
    { "2001:db8::", 32, "reserved" }, { "3fff::", 20, "reserved" }, { "fc00::", 7, "private" },
    { "fe80::", 10, "link-local" },   { "fec0::", 10, "private" },  { "ff00::", 8, "multicast" },
};

/* IPv6 networks whose addresses carry an IPv4 address from byte `at` on. */
static const struct {
    const char *text;
    unsigned bits, at;
} carriers[] = { { "64:ff9b::", 96, 12 }, { "2002::", 16, 2 } };

struct rule {
    struct rule *next; /* owned */
    uint8_t address[ADDRESS_SIZE];
    unsigned bits;
    int port;             /* 0: any */
    char host[HOST_SIZE]; /* "": a network */
};

struct egress {
    struct rule *rules; /* owned */
};

/* ---- addresses ------------------------------------------------------------------------------ */

static void map_v4(const void *v4, uint8_t ret[ADDRESS_SIZE])
{
    memset(ret, 0, 10);
    ret[10] = ret[11] = 0xff;
    memcpy(ret + 12, v4, 4);
}

static bool parse_address(const char *text, uint8_t ret[ADDRESS_SIZE], bool *ret_v4)
{
    uint8_t v4[4];

    *ret_v4 = inet_pton(AF_INET, text, v4) == 1;
    if (*ret_v4)
        map_v4(v4, ret);
    return *ret_v4 || inet_pton(AF_INET6, text, ret) == 1;
}

static bool is_within(const uint8_t a[ADDRESS_SIZE], const uint8_t net[ADDRESS_SIZE], unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;

    assert(bits <= ADDRESS_BITS);
    if (memcmp(a, net, bytes) != 0)
        return false;
    return rest == 0 || ((a[bytes] ^ net[bytes]) & (0xff << (8 - rest)) & 0xff) == 0;
}

static bool is_in(const uint8_t a[ADDRESS_SIZE], const char *text, unsigned bits)
{
    uint8_t net[ADDRESS_SIZE];
    bool v4, ok = parse_address(text, net, &v4);

    assert(ok); /* the tables above */
    return ok && is_within(a, net, bits + (v4 ? MAPPED_BITS : 0));
}

/* What kind of closed address it is; NULL: it is on the Internet. */
static const char *closed(const uint8_t a[ADDRESS_SIZE])
{
    uint8_t inner[ADDRESS_SIZE];

    if (is_in(a, "0.0.0.0", 0)) { /* mapped: all of IPv4 */
        for (size_t i = 0; i < ARRAY_LEN(closed_v4); i++)
            if (is_in(a, closed_v4[i].text, closed_v4[i].bits))
                return closed_v4[i].why;
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(carriers); i++)
        if (is_in(a, carriers[i].text, carriers[i].bits)) {
            map_v4(a + carriers[i].at, inner);
            return closed(inner);
        }
    for (size_t i = 0; i < ARRAY_LEN(closed_v6); i++)
        if (is_in(a, closed_v6[i].text, closed_v6[i].bits))
            return closed_v6[i].why;
    return is_in(a, "2000::", 3) ? NULL : "reserved";
}

/* ---- rules ---------------------------------------------------------------------------------- */

static bool parse_number(const char *text, long max, int *ret)
{
    char *end;
    long n = text[0] >= '0' && text[0] <= '9' ? strtol(text, &end, 10) : -1;

    if (n < 0 || n > max || *end != '\0')
        return false;
    *ret = (int)n;
    return true;
}

/* "10.0.0.0/8", "::1": true when it is a network. */
static bool parse_network(char *text, struct rule *r, bool *ret_ok)
{
    char *slash = strchr(text, '/');
    int bits = 0;
    bool v4;

    if (slash)
        *slash = '\0';
    if (!parse_address(text, r->address, &v4)) {
        *ret_ok = !slash; /* a host, then */
        return false;
    }
    r->bits = ADDRESS_BITS;
    *ret_ok = true;
    if (slash) {
        *ret_ok = parse_number(slash + 1, v4 ? 32 : ADDRESS_BITS, &bits);
        r->bits = (unsigned)bits + (v4 ? MAPPED_BITS : 0);
    }
    return true;
}

static bool is_host(const char *text)
{
    size_t len = strlen(text);

    return len >= 1 && len < HOST_SIZE &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

/* Cuts the port off: behind the bracket, or behind the only colon. */
static bool split_port(char **text, int *ret_port)
{
    char *colon, *bracket = strrchr(*text, ']');

    if (**text == '[' && bracket) {
        *bracket = '\0';
        ++*text;
        colon = bracket + 1;
        if (*colon == '\0')
            return true;
        return *colon == ':' && parse_number(colon + 1, 65535, ret_port) && *ret_port != 0;
    }
    colon = strchr(*text, ':');
    if (!colon || strchr(colon + 1, ':'))
        return true;
    *colon = '\0';
    return parse_number(colon + 1, 65535, ret_port) && *ret_port != 0;
}

static bool parse_rule(char *text, struct rule *r)
{
    bool ok = true;

    if (!split_port(&text, &r->port))
        return false;
    if (parse_network(text, r, &ok))
        return ok;
    if (!ok || !is_host(text) || r->port == 0)
        return false;
    memcpy(r->host, text, strlen(text) + 1);
    return true;
}

static int add_rule(struct egress *g, const char *text, size_t len, struct err *e)
{
    struct rule *r;
    char copy[RULE_SIZE];

    if (len < sizeof(copy)) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    r = mem_zalloc(sizeof(*r));
    if (!r)
        return err_set(e, IFP_ENOMEM, "egress-allow: out of memory");
    if (len >= sizeof(copy) || !parse_rule(copy, r)) {
        mem_free(r);
        return err_set(e, IFP_EINVALID,
                       "egress-allow: \"%.*s\" is not ADDRESS[/BITS][:PORT] or HOST:PORT",
                       (int)MIN(len, (size_t)100), text);
    }
    r->next = g->rules;
    g->rules = r;
    return 0;
}

int egress_open(const char *allow, struct egress **ret, struct err *e)
{
    struct egress *g = mem_zalloc(sizeof(*g));
    int rc = 0;

    if (!g)
        return err_set(e, IFP_ENOMEM, "egress-allow: out of memory");
    while (rc == 0 && *allow != '\0') {
        size_t gap = strspn(allow, " ,"), len = strcspn(allow + gap, ", ");

        allow += gap;
        if (len != 0)
            rc = add_rule(g, allow, len, e);
        allow += len;
    }
    if (rc != 0) {
        egress_close(g);
        return rc;
    }
    *ret = g;
    return 0;
}

void egress_close(struct egress *g)
{
    while (g && g->rules) {
        struct rule *next = g->rules->next;

        mem_free(g->rules);
        g->rules = next;
    }
    mem_free(g);
}

/* ---- the question --------------------------------------------------------------------------- */

/* Hosts are equal but for case and the dot of the root behind them. */
static bool same_host(const char *rule, const char *host)
{
    size_t a = strlen(rule), b = strlen(host);

    a -= a > 1 && rule[a - 1] == '.';
    b -= b > 1 && host[b - 1] == '.';
    return a == b && strncasecmp(rule, host, a) == 0;
}

static bool matches(const struct rule *r, const char *host, const uint8_t a[ADDRESS_SIZE], int port)
{
    if (r->port != 0 && r->port != port)
        return false;
    if (r->host[0] != '\0')
        return host && same_host(r->host, host);
    return is_within(a, r->address, r->bits);
}

bool egress_allows(const struct egress *g, const char *host, const struct sockaddr *address,
                   const char **ret_why)
{
    uint8_t a[ADDRESS_SIZE];
    int port;

    *ret_why = "not IP";
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;

        map_v4(&in->sin_addr, a);
        port = ntohs(in->sin_port);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)address;

        memcpy(a, &in6->sin6_addr, sizeof(a));
        port = ntohs(in6->sin6_port);
    } else {
        return false;
    }
    *ret_why = closed(a);
    for (const struct rule *r = g->rules; *ret_why && r; r = r->next)
        if (matches(r, host, a, port))
            *ret_why = NULL;
    return *ret_why == NULL;
}
