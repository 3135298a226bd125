/*
 * http/meter.h - the interceptor "metrics": requests, answers, errors, time and what is under way
 * (METRICS_HTTP_MAP of base/metrics_map.h).  Its `self` is not used.
 */
#ifndef HTTP_METER_H
#define HTTP_METER_H

#include "http/chain.h"

extern const struct interceptor meter_interceptor;

#endif
