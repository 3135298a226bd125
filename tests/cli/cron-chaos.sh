#!/bin/bash
# tests/cli/cron-chaos.sh - the small form of `make cron-chaos`.
cd "$(dirname "$0")/../.." || exit 1
INSTANCES=3 CRON_JOBS=50 SECONDS_OF_CHAOS=12 PERIODS="1, 2, 3, 5" exec bash tests/chaos/cron.sh
