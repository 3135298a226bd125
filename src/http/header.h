/* http/header.h - one header of a message. */
#ifndef HTTP_HEADER_H
#define HTTP_HEADER_H

#include "base/jsonscan.h"

struct http_header {
    struct slice name, value; /* name in lower case; value without white space around it */
};

#endif
