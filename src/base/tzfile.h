/*
 * base/tzfile.h - the bytes of an IANA time zone from the system's tz data: the folder in TZDIR, or
 * /usr/share/zoneinfo.
 */
#ifndef BASE_TZFILE_H
#define BASE_TZFILE_H

#include "base/base.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

enum { TZFILE_NAME_MAX = 63 };

/* A name as IANA writes them ("Europe/Berlin"): parts of letters, digits, + - _, no dots. */
bool tzfile_name_ok(const char *name);
/* Appends the file to `into`, which the caller releases.  IFP_EINVALID: a bad or unknown name;
 * IFP_ESERVER: this machine has no tz data. */
int tzfile_read(const char *name, struct buf *into, struct err *e) MUSTCHECK;

#endif
