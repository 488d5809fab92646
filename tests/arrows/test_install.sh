#!/bin/bash
# test_install.sh - what is installed can be used: a stranger's program, built by pkg-config alone, runs.
set -eu
to=$(mktemp -d)
trap 'rm -rf "$to"' EXIT
cmake --install "${SHOAL_BUILD:?}" --prefix "$to" >"$to/log" || { cat "$to/log"; exit 1; }

cat >"$to/user.c" <<'C'
#include <shoal/types.h>
#include <string.h>
int main(void)
{
	return strcmp(shoal_err_name(SHOAL_ERR_MALFORMED), "malformed") != 0;
}
C
pc=$(find "$to" -name libshoal.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
# Installed below another prefix than configured: the .pc follows, as it does for a packager's DESTDIR.
flags=$(pkg-config --define-variable=prefix="$to" --cflags --libs libshoal)
# shellcheck disable=SC2086 -- flags are words
cc -Wall -Werror -o "$to/user" "$to/user.c" $flags
LD_LIBRARY_PATH=$(dirname "$(dirname "$pc")") "$to/user"
if [ -x "$to/bin/shoal" ]; then
	"$to/bin/shoal" --version
fi
find "$to" -type f -printf '%P\n' | sort
