#!/bin/bash
# test_headers.sh - every header can be included alone, by C; the public ones by C++ too.
cd "${SHOAL_TREE:?}" || exit 1
bad=0 count=0
while read -r header; do
	count=$((count + 1))
	printf '#include "%s"\n' "$header" |
		${CC:-cc} -std=gnu17 -D_GNU_SOURCE -fsyntax-only -Wall -Wextra -Werror -I. -Iinclude -x c - || bad=1
	case $header in
	include/*) printf '#include "%s"\n' "$header" |
		${CXX:-c++} -std=c++17 -fsyntax-only -Wall -Wextra -Werror -I. -Iinclude -x c++ - || bad=1 ;;
	esac
done < <(find include proto dht swarm tools -name '*.h' | LC_ALL=C sort)
echo "$count headers"
[ "$count" -gt 0 ] && exit $bad
