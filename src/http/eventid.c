/* http/eventid.c - digits, one by one. */
#include "http/eventid.h"

#include <inferpipe.h>

int eventid_parse(struct slice value, int64_t *ret)
{
    int64_t n = 0;

    *ret = 0;
    if (value.len > 1 && value.text[0] == '0')
        return IFP_EINVALID;
    for (size_t i = 0; i < value.len; i++) {
        int digit = value.text[i] - '0';

        if (digit < 0 || digit > 9 || n > (EVENTID_MAX - digit) / 10)
            return IFP_EINVALID;
        n = n * 10 + digit;
    }
    *ret = n;
    return 0;
}
