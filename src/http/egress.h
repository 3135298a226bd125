/*
 * http/egress.h - where outgoing requests may go: the decision about one resolved address.
 *
 * Asked for every connection at the moment it is made, on every redirect, with the address that is
 * about to be connected to: so neither an odd spelling of a host nor a name that resolves to
 * another address the second time (rebinding) gets past it.  Refused is what is not the public
 * Internet: loopback, private, link-local (with the metadata services of clouds), shared,
 * multicast, reserved and unspecified addresses, in IPv6 also where they are embedded (mapped,
 * compatible, NAT64, 6to4, Teredo).  CONFIG_EGRESS_ALLOW lists what is allowed all the same:
 *
 *     10.1.0.0/16:443, 127.0.0.1:9000, [fd00::/8]:8080, 192.0.2.7, hooks.internal:8443
 *
 * A rule without a port allows all of them; a name needs one, and counts for the host as the URL
 * spells it.  Immutable once made: any thread.
 */
#ifndef HTTP_EGRESS_H
#define HTTP_EGRESS_H

#include "base/base.h"
#include "base/err.h"

#include <stdbool.h>

struct egress;
struct sockaddr;

/* IFP_EINVALID names the rule that is wrong.  "" allows the public Internet alone. */
int egress_open(const char *allow, struct egress **ret, struct err *e) MUSTCHECK;
void egress_close(struct egress *g); /* NULL is fine */
/* May a connection for the URL's `host` (may be NULL) go to this address?  Families other than IPv4
 * and IPv6 never.  When not, *ret_why says what kind of address it is ("loopback"). */
bool egress_allows(const struct egress *g, const char *host, const struct sockaddr *address,
                   const char **ret_why) MUSTCHECK;

#endif
