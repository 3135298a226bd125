# InferPipe.  `make run` shows it, `make test` proves it, `make lint` keeps it in shape.
#
#   make all              library and binary in build/
#   make run              install what is missing, build, run the demo (DEMO=only, DEMO=0)
#   make test T=pattern   all tests, or those whose path contains the pattern
#   make sim SCHEDULES=n SEED=s   the engine in a simulated world; each seed is one schedule
#   make bench            throughput, latency, memory and recovery beside PostgreSQL's own limit
#   make fuzz SECONDS=n T=target  libFuzzer on what strangers can send
#   make lint format coverage zones install clean
#
# Variables: SAN=address,undefined (or thread) and COVERAGE=1 build in folders of their own;
# V=1 shows each command and all output of the tests; PREFIX and DESTDIR say where to install.
# Asserts stay in every build: they hold the invariants, see CONTRIBUTING.md.

VERSION := 0.1.0
SOVERSION := 0
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
Q := $(if $(V),,@)
comma := ,

BUILD := build$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(COVERAGE),-cov)
BUILD_COV := build$(if $(SAN),-$(subst $(comma),-,$(SAN)))-cov
export BUILD V SAN COVERAGE T KINDS INFERPIPE_TEST_ZONES

# Compiling ---------------------------------------------------------------------------------------

LIB_PKGS := libpq libuv libcjson openssl libcurl zlib
PKG_CFLAGS := $(shell pkg-config --cflags $(LIB_PKGS) 2>/dev/null)
# Debian 12 has llhttp as the sources inside a package of Node.js, Debian 13 as a library.
LLHTTP_SRC := $(if $(shell pkg-config --exists libllhttp 2>/dev/null && echo y),,$(wildcard /usr/share/llhttp/*.c))
LLHTTP_FLAGS := $(if $(LLHTTP_SRC),-isystem /usr/share/include/llhttp)
PKG_LIBS := $(shell pkg-config --libs $(LIB_PKGS) 2>/dev/null) \
    $(if $(LLHTTP_SRC),,$(shell pkg-config --libs libllhttp 2>/dev/null)) -lpthread -lm

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Werror
HARDENING := -fstack-protector-strong -fstack-clash-protection -fcf-protection
# Fortified sources need the optimiser and hide what the sanitizers would see: release only.
RELEASE := -O2 -D_FORTIFY_SOURCE=3
MODE := $(if $(SAN),-O1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all)
MODE += $(if $(COVERAGE),$(if $(SAN),,-O0) --coverage -fprofile-update=atomic)
MODE += $(if $(SAN)$(COVERAGE),,$(RELEASE))

CFLAGS ?= -g
OBJCOPY ?= objcopy
FLAGS = -std=gnu17 $(CFLAGS) $(MODE) $(WARNINGS) $(HARDENING) -MMD -MP
LIB_FLAGS = $(FLAGS) -Iinclude -Isrc -fPIC -fvisibility=hidden $(PKG_CFLAGS) $(LLHTTP_FLAGS)
# Examples see what a user sees: the public header and libpq's.
USER_FLAGS = $(FLAGS) -Iinclude -fPIE $(PKG_CFLAGS)
TEST_FLAGS = $(FLAGS) -Iinclude -Isrc -Itests -fPIE $(PKG_CFLAGS) $(LLHTTP_FLAGS)
LDFLAGS += $(MODE) -Wl,-z,relro,-z,now

# Sources and products ----------------------------------------------------------------------------

MAIN := $(wildcard src/app/main.c)
LIB_SRC := $(filter-out $(MAIN),$(wildcard src/*/*.c))
LLHTTP_OBJ := $(LLHTTP_SRC:/usr/share/llhttp/%.c=$(BUILD)/llhttp/%.o)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(BUILD)/gen/migrations.o $(BUILD)/gen/texts.o $(LLHTTP_OBJ)
MIGRATIONS := $(sort $(wildcard sql/migrations/*.sql))
EXAMPLES := $(patsubst %.c,$(BUILD)/%,$(wildcard examples/*.c))
# Helpers, built and not run by themselves: tests/lib, tests/programs, what has no test_ in front.
TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*.c tests/integration/*.c tests/fault/*.c))
# The simulator: the engine with a modelled database in place of src/pg.
SIM_SRC := $(filter-out tests/sim/sim.c tests/sim/test_%,$(wildcard tests/sim/*.c))
SIM_OBJ := $(SIM_SRC:%.c=$(BUILD)/%.o)
SIM := $(BUILD)/tests/sim/sim $(BUILD)/tests/sim/test_sim
PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/programs/*.c))
# The same program with its code changed, as from one deploy to the next.
RELEASES := $(BUILD)/tests/programs/release-2 $(BUILD)/tests/programs/release-3
FLOOR := $(BUILD)/bench/floor
BENCH_CHAIN := $(BUILD)/bench/chain
BENCH_HTTP := $(BUILD)/bench/http_floor $(BUILD)/bench/http_server
# What makes chaos, and the worker that it happens to.
CHAOS_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/chaos/worker.c tests/chaos/http.c,\
    $(wildcard tests/chaos/*.c)))
CHAOS := $(BUILD)/tests/chaos/chaos $(BUILD)/tests/chaos/worker $(BUILD)/tests/chaos/http
# What a fuzzer drives; without one a target replays its corpus.
FUZZ := $(patsubst %.c,$(BUILD)/%,$(filter-out %/replay.c,$(wildcard tests/fuzz/*.c)))
CHOSEN_FUZZ := $(if $(T),$(foreach f,$(FUZZ),$(if $(findstring $(T),$(notdir $f)),$f)),$(FUZZ))
TEST_LIB_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/lib/*.c))
CHOSEN_TESTS := $(if $(T),$(foreach t,$(TESTS),$(if $(findstring $(T),$t),$t)),$(TESTS))

BINARY := $(MAIN:src/app/main.c=$(BUILD)/inferpipe)
SHARED := $(BUILD)/libinferpipe.so.$(VERSION)
STATIC := $(BUILD)/libinferpipe.a
INTERNAL := $(BUILD)/libinferpipe-internal.a

.PHONY: all run test tests bench sim zones chaos chaos-failover lint format coverage install clean
.SECONDARY:
.DELETE_ON_ERROR:

all: $(SHARED) $(STATIC) $(BINARY) $(EXAMPLES)
tests: all $(CHOSEN_TESTS) $(PROGRAMS) $(RELEASES) $(SIM) $(FLOOR) $(BENCH_CHAIN) $(BENCH_HTTP) $(CHAOS) $(FUZZ)

run:
	$(Q)scripts/deps run
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all
	$(Q)scripts/demo

test:
	$(Q)scripts/deps run test
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) tests
	$(Q)scripts/test-lanes

# Time zones beside PostgreSQL's at every sixth hour from 1970 to 2100; `make test` samples.
zones:
	$(Q)$(MAKE) --no-print-directory test T=integration/test_zones INFERPIPE_TEST_ZONES=hours

# Thousands of simulated schedules; a violation names its seed, SCHEDULES=1 SEED=s repeats it.
sim: $(BUILD)/tests/sim/sim
	$(Q)$< --schedules $(or $(SCHEDULES),10000) --seed $(or $(SEED),1)

# Open-ended: make chaos SECONDS=600 SEED=7; a seed repeats its schedule of faults.
chaos chaos-failover:
	$(Q)scripts/deps run test
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all $(CHAOS)
	$(Q)$(BUILD)/tests/chaos/chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) \
	    $(if $(findstring failover,$@),--failover --calm)

# Starts over HTTP at two servers that are killed, over a network that loses replies: SECONDS, SEED.
.PHONY: chaos-http
chaos-http:
	$(Q)scripts/deps run test
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all $(BUILD)/tests/chaos/http
	$(Q)$(BUILD)/tests/chaos/http $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

# The C tests alone: what psql and the shell do is not measured.  With SAN also a sanitizer's run.
coverage:
	$(Q)scripts/deps run test coverage
	$(Q)find $(BUILD_COV) -name '*.gcda' -delete 2>/dev/null || true
	$(Q)$(MAKE) --no-print-directory test COVERAGE=1 KINDS="unit integration fault"
	$(Q)scripts/coverage $(BUILD_COV)

# On a private PostgreSQL; JSON=1 prints JSON alone, ONLY=section,... and QUICK=1 do less.
BENCH := $(BINARY) bench --floor $(FLOOR) --limit $(BUILD)/bench/limit \
    $(if $(QUICK),--quick) $(if $(HELD),--held $(HELD)) $(if $(ONLY),--only $(ONLY)) \
    $(if $(JSON),--json) \
    $(if $(ONLY)$(QUICK),,--write docs/benchmarks.md)
bench:
	$(Q)scripts/deps run >&2
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all $(FLOOR) >&2
	$(Q)bench/limit/gen.sh $(BUILD)/bench/limit
	$(Q)TESTDB_MAX_WAL=8GB scripts/testdb $(BENCH)

lint:
	$(Q)scripts/deps run lint
	$(Q)scripts/lint/run

# What clang-tidy needs to find foreign headers.
.PHONY: lint-flags
lint-flags:
	@echo $(PKG_CFLAGS) $(LLHTTP_FLAGS)

format:
	$(Q)clang-format -i $(wildcard include/*.h src/*/*.[ch] tests/*/*.[ch] examples/*.c)

# Schedules beside workers that are killed, stopped and have wrong clocks: INSTANCES, CRON_JOBS,
# SECONDS, SEED.  A small one is part of `make test`.
.PHONY: cron-chaos
cron-chaos:
	$(Q)scripts/deps run test
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all $(BUILD)/tests/programs/demo
	$(Q)SECONDS_OF_CHAOS=$(or $(SECONDS),120) scripts/testdb tests/chaos/cron.sh

# The chain of interceptors alone: nanoseconds a request.
.PHONY: bench-chain
bench-chain: $(BENCH_CHAIN)
	$(Q)$(BENCH_CHAIN)

# The HTTP server beside libuv and llhttp alone, with wrk: ROUNDS, ROUND_SECONDS.
.PHONY: bench-http load
bench-http:
	$(Q)scripts/deps run bench
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) $(BENCH_HTTP)
	$(Q)bench/http.sh $(BUILD)/bench

# The server beside its yardsticks, with wrk: ROUNDS, ROUND_SECONDS; WRITE=docs/benchmarks-server.md.
.PHONY: bench-server
bench-server:
	$(Q)scripts/deps run bench >&2
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all $(BENCH_HTTP) >&2
	$(Q)scripts/testdb bench/server.sh

# Memory of connections, and what slow clients cost a good one: make load LOAD=10000.
load:
	$(Q)scripts/deps run test
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/tests/unit/test_http_load
	$(Q)LOAD=$(or $(LOAD),10000) $(BUILD)/tests/unit/test_http_load

# Open-ended: make fuzz SECONDS=600 T=json; each target whose name contains the pattern, or all.
.PHONY: fuzz
fuzz:
	$(Q)scripts/deps run test fuzz
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) CC=clang SAN=address,undefined BUILD=build-fuzz FUZZER=1 \
	    WARNINGS=-Wall CFLAGS='-g -fsanitize=fuzzer-no-link' $(CHOSEN_FUZZ:$(BUILD)/%=build-fuzz/%)
	$(Q)scripts/fuzz $(or $(SECONDS),60) $(notdir $(CHOSEN_FUZZ))

clean:
	rm -rf build build-*

# Rules -------------------------------------------------------------------------------------------

say = $(if $(V),,@printf '  %-5s %s\n' $(1) $@)

$(BUILD)/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(LIB_FLAGS) -c $< -o $@

# Strict, as what it lets through else is what requests are smuggled by.
$(BUILD)/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=gnu17 $(CFLAGS) $(MODE) $(HARDENING) -w -DLLHTTP_STRICT_MODE=1 $(LLHTTP_FLAGS) \
	    -fPIC -fvisibility=hidden -c $< -o $@

$(BUILD)/gen/migrations.c: scripts/embed $(MIGRATIONS) $(wildcard sql/schema/*.sql)
	@mkdir -p $(@D)
	$(call say,EMBED)
	$(Q)scripts/embed $(MIGRATIONS) > $@

$(BUILD)/gen/texts.c: scripts/embed-text src/api/schemas.json src/api/docs.html
	@mkdir -p $(@D)
	$(call say,EMBED)
	$(Q)scripts/embed-text api/openapi.h openapi_schemas=src/api/schemas.json \
	    openapi_page=src/api/docs.html > $@

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	$(Q)$(CC) $(LIB_FLAGS) -c $< -o $@

$(INTERNAL): $(LIB_OBJ)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# One relocatable object whose internal names are local: a host may define its own log_emit.
$(STATIC): $(LIB_OBJ)
	$(call say,AR)
	$(Q)$(LD) -r $^ -o $(BUILD)/libinferpipe.o
	$(Q)$(OBJCOPY) --localize-hidden $(BUILD)/libinferpipe.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(BUILD)/libinferpipe.o

$(SHARED): $(LIB_OBJ) src/app/libinferpipe.map
	$(call say,LD)
	$(Q)$(CC) -shared $(LDFLAGS) -Wl,-soname,libinferpipe.so.$(SOVERSION) \
	    -Wl,--version-script=src/app/libinferpipe.map $(LIB_OBJ) $(PKG_LIBS) -o $@
	$(Q)ln -sf libinferpipe.so.$(VERSION) $(BUILD)/libinferpipe.so.$(SOVERSION)
	$(Q)ln -sf libinferpipe.so.$(SOVERSION) $(BUILD)/libinferpipe.so

$(BINARY): $(BUILD)/src/app/main.o $(INTERNAL)
	$(call say,LD)
	$(Q)$(CC) -pie $(LDFLAGS) $^ $(PKG_LIBS) -o $@

$(BUILD)/examples/%: examples/%.c $(STATIC)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(USER_FLAGS) -pie $(LDFLAGS) $< $(STATIC) $(PKG_LIBS) -o $@

$(BUILD)/tests/lib/%.o: tests/lib/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TEST_FLAGS) -c $< -o $@

$(BUILD)/tests/chaos/%.o: tests/chaos/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TEST_FLAGS) -c $< -o $@

$(CHAOS): $(BUILD)/tests/chaos/%: $(BUILD)/tests/chaos/%.o $(INTERNAL)
	$(call say,LD)
	$(Q)$(CC) -pie $(LDFLAGS) $(filter %.o,$^) $(filter %lib.a,$^) $(INTERNAL) \
	    $(if $(filter %lib.a,$^),-lcmocka) $(PKG_LIBS) -o $@

$(BUILD)/tests/chaos/chaos: $(CHAOS_OBJ)
$(BUILD)/tests/chaos/http: $(patsubst %,$(BUILD)/tests/chaos/%.o,check cluster proxy) \
    $(BUILD)/tests/lib.a

$(BUILD)/tests/lib.a: $(TEST_LIB_OBJ)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(TESTS) $(PROGRAMS): $(BUILD)/%: %.c $(BUILD)/tests/lib.a $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TEST_FLAGS) -pie $(LDFLAGS) $< $(BUILD)/tests/lib.a $(INTERNAL) \
	    -lcmocka $(PKG_LIBS) -o $@

$(RELEASES): $(BUILD)/tests/programs/release-%: tests/programs/release.c $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TEST_FLAGS) -DRELEASE=$* -pie $(LDFLAGS) $< $(INTERNAL) $(PKG_LIBS) -o $@

$(FLOOR) $(BENCH_CHAIN) $(BENCH_HTTP): $(BUILD)/bench/%: bench/%.c $(INTERNAL)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TEST_FLAGS) -pie $(LDFLAGS) $^ $(PKG_LIBS) -o $@

$(BUILD)/tests/sim/%.o: tests/sim/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TEST_FLAGS) -c $< -o $@

$(SIM): %: %.o $(SIM_OBJ) $(INTERNAL)
	$(call say,LD)
	$(Q)$(CC) -pie $(LDFLAGS) $< $(SIM_OBJ) $(INTERNAL) -lcmocka $(PKG_LIBS) -o $@

$(BUILD)/tests/fuzz/%.o: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TEST_FLAGS) -c $< -o $@

$(FUZZ): %: %.o $(if $(FUZZER),,$(BUILD)/tests/fuzz/replay.o) $(INTERNAL)
	$(call say,LD)
	$(Q)$(CC) -pie $(LDFLAGS) $(if $(FUZZER),-fsanitize=fuzzer) $^ $(PKG_LIBS) -o $@

# Installing --------------------------------------------------------------------------------------

install: all
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin include lib/pkgconfig share/doc/inferpipe)
	install -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin
	install -m 644 include/inferpipe.h $(DESTDIR)$(PREFIX)/include
	install -m 644 $(STATIC) $(SHARED) $(DESTDIR)$(PREFIX)/lib
	cp -P $(BUILD)/libinferpipe.so $(BUILD)/libinferpipe.so.$(SOVERSION) $(DESTDIR)$(PREFIX)/lib
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' src/app/libinferpipe.pc.in \
	    > $(DESTDIR)$(PREFIX)/lib/pkgconfig/libinferpipe.pc
	install -m 644 LICENSE README.md CHANGELOG.md $(DESTDIR)$(PREFIX)/share/doc/inferpipe

-include $(SIM_OBJ:.o=.d) $(addsuffix .d,$(SIM))
-include $(LIB_OBJ:.o=.d) $(TEST_LIB_OBJ:.o=.d) $(addsuffix .d,$(EXAMPLES) $(TESTS) $(PROGRAMS) $(RELEASES))
-include $(addsuffix .d,$(CHAOS)) $(CHAOS_OBJ:.o=.d)
-include $(BUILD)/src/app/main.d $(FLOOR).d $(BENCH_CHAIN).d $(BENCH_HTTP:=.d) $(FUZZ:=.d)
