# lunula. Two commands do it all: `make demo` and `make test`.
#
#   make          build lunula/core.so
#   make debug    build it with the address and undefined-behaviour sanitizers;
#                 what follows (make test) runs with them, until `make`
#   make deps     install what is missing (Debian; elsewhere name it)
#   make demo     set up, fetch weights and reviews, fine-tune, evaluate
#   make test     set up, run every spec
#   make soak     the long runs
#   make lint     look at the sources without running them
#   make bench    speed, beside PyTorch and onnxruntime where they are installed
#   make install  into PREFIX (/usr/local)
#   make clean
#
# for another Lua than 5.4: LUA=luajit, lua5.1, lua5.2 or lua5.3 after each.
# lunula/core.so is then for that one, until the next make.

LUA      ?= lua5.4
PREFIX   ?= /usr/local
BUILD    := build
CORE     := lunula/core.so
MODE     := $(shell cat $(BUILD)/mode 2>/dev/null || echo release)

CC       ?= cc
WARN     := -Wall -Wextra -Wpedantic -Wshadow
STD      := -std=c99 -ffp-contract=fast
NEEDED   := openblas libutf8proc
INCLUDES  = $(shell pkg-config --cflags $(LUA) $(NEEDED))
LIBS      = $(shell pkg-config --libs $(NEEDED)) -lm -lpthread -ldl
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined

ifeq ($(MODE),debug)
OPTIM    := -O1 -g -fno-omit-frame-pointer $(SANITIZE)
LINK     := $(SANITIZE)
GUARD     = PATH="$(abspath $(BUILD))/debug/bin:$$PATH" \
            LD_PRELOAD="$$($(CC) -print-file-name=libasan.so)" \
            ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
else
OPTIM    := -O3 -DNDEBUG
endif

SRC      := $(sort $(wildcard src/*/*.c))
OUT      := $(BUILD)/$(LUA)-$(MODE)
OBJ      := $(SRC:src/%.c=$(OUT)/%.o)
VERSION   = $(shell $(LUA) -e 'print((_VERSION:gsub("Lua ", "")))')
PATHS    := LUA_PATH='./lua/?.lua;./lua/?/init.lua;;' LUA_CPATH='./?.so;;'

# what is needed, as Debian names it
DEV_lua5.1 := liblua5.1-0-dev
DEV_luajit := libluajit-5.1-dev
TO_RUN   := $(LUA) $(or $(DEV_$(LUA)),lib$(LUA)-dev) lua-cjson
TO_BUILD := gcc libc6-dev pkg-config $(TO_RUN) libopenblas-dev libutf8proc-dev
TO_FETCH := curl ca-certificates python3-pip
TO_TEST  := lua-busted
TO_LINT  := lua-check lua5.1 clang
PACKAGES := $(TO_BUILD) $(TO_FETCH) $(TO_TEST)
SUDO      = $(if $(filter 0,$(shell id -u)),,sudo)

all:
	@mkdir -p $(BUILD) && echo release >$(BUILD)/mode
	@$(MAKE) --no-print-directory MODE=release core

debug:
	@mkdir -p $(BUILD) && echo debug >$(BUILD)/mode
	@$(MAKE) --no-print-directory MODE=debug core
	@$(PLAIN)

# programs that are run beside Lua and hang with the sanitizer in them
define PLAIN
mkdir -p $(BUILD)/debug/bin && cd $(BUILD)/debug/bin && \
for p in curl python3; do \
  at=$$(command -v $$p) && \
  printf '#!/bin/sh\nunset LD_PRELOAD\nexec %s "$$@"\n' "$$at" >$$p && \
  chmod 755 $$p; \
done || true
endef

# not a file target: the library of the other mode or Lua must go
core: $(OUT)/core.so
	@mkdir -p $(dir $(CORE))
	@cmp -s $< $(CORE) || install -m 755 $< $(CORE)

$(OUT)/core.so: $(OBJ)
	@echo "link $@"
	@$(CC) -shared $(LDFLAGS) $(LINK) -o $@ $(OBJ) $(LIBS)

$(OUT)/%.o: src/%.c
	@mkdir -p $(@D)
	@echo "cc   $<"
	@$(CC) $(STD) $(WARN) -fPIC $(INCLUDES) $(OPTIM) $(CFLAGS) -MMD -MP \
	  -c -o $@ $<

-include $(OBJ:.o=.d)

deps:
	@$(call install,$(PACKAGES))

lint-deps:
	@$(call install,$(TO_BUILD) $(TO_LINT))

# what is missing of the packages $(1): installed, or named
define install
if command -v dpkg-query >/dev/null; then \
  missing=$$(for p in $(1); do \
    dpkg-query -W -f='$${Status}' $$p 2>/dev/null | \
      grep -q 'ok installed' || printf ' %s' $$p; done); \
  if [ -z "$$missing" ]; then :; \
  elif [ "$$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then \
    echo "as root: apt-get install$$missing" >&2; exit 1; \
  else \
    echo "installing$$missing"; \
    $(SUDO) apt-get update -qq && \
    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
      --no-install-recommends $$missing >/dev/null; \
  fi; \
elif ! pkg-config --exists $(LUA) $(NEEDED); then \
  echo "lunula needs these, here named as in Debian: $(1)" >&2; exit 1; \
fi
endef

# a fresh make: what `deps` has just installed is seen by pkg-config
demo: deps
	@$(MAKE) --no-print-directory core
	@$(PATHS) $(GUARD) $(LUA) examples/demo.lua

test: deps
	@$(MAKE) --no-print-directory core
	@$(GUARD) busted --lua=$(LUA)

soak: core
	@$(GUARD) busted --lua=$(LUA) --run=soak

lint: lint-deps
	@$(MAKE) --no-print-directory look

look:
	@luacheck -q lua spec examples src/bin/lunula
	@lua5.1 spec/support/style.lua
	@for cc in gcc clang; do \
	  echo "$$cc $(WARN)"; \
	  $$cc $(STD) $(WARN) -Werror -fsyntax-only $(INCLUDES) $(SRC) || exit 1; \
	done

bench: deps
	@$(MAKE) --no-print-directory MODE=release core
	@$(PATHS) $(LUA) spec/peers/bench.lua

install:
	@$(MAKE) --no-print-directory MODE=release core
	install -d $(DESTDIR)$(PREFIX)/lib/lua/$(VERSION)/lunula \
	  $(DESTDIR)$(PREFIX)/share/lua/$(VERSION) $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(CORE) $(DESTDIR)$(PREFIX)/lib/lua/$(VERSION)/lunula/
	cp -R lua/lunula $(DESTDIR)$(PREFIX)/share/lua/$(VERSION)/
	sed '1s|.*|#!/usr/bin/env $(LUA)|' src/bin/lunula \
	  >$(DESTDIR)$(PREFIX)/bin/lunula
	chmod 755 $(DESTDIR)$(PREFIX)/bin/lunula

clean:
	rm -rf $(BUILD) lunula src/*/*.o

.PHONY: all debug core deps lint-deps demo test soak lint look bench \
        install clean
