#!/bin/sh
# Who may call whom: the rules of docs/ARCHITECTURE.md that a text search can check.
set -u
cd "$(dirname "$0")/../.."
bad=0

# forbid WHY PATTERN PATH...: no line below PATH matches; comments at the start of a line do not count.
forbid() {
	why=$1 pattern=$2
	shift 2
	found=$(grep -rnE --include='*.c' --include='*.h' -e "$pattern" "$@" 2>/dev/null |
		grep -vE '^[^:]*:[0-9]+:[[:space:]]*(\*|//|/\*)' | grep -vE "${except:-^$}")
	if [ -n "$found" ]; then
		echo "$why:"
		echo "$found" | head -n 20 | sed 's/^/  /'
		bad=1
	fi
	except=
}

os='(^|[^A-Za-z0-9_>.])(pthread_[a-z_]+|clock_gettime|gettimeofday|nanosleep|usleep|sleep|socket|epoll_[a-z]+|malloc|calloc|realloc|strdup|free|getrandom) *\('
above='src/core src/mrx src/front/door src/front/capi'
# an engine.c holds a foreign library with threads and sockets of its own
except='/engine\.c:'
# shellcheck disable=SC2086
forbid "only src/nt calls the operating system" "$os" $above
forbid "src/nt knows nothing of the redirector" '#include *["<](core|mrx|front|tools)/|#include *["<](rx|mrx|fcb|rxprocs|rxcontx|rxstruc)\.h' src/nt include/nt
forbid "a mini-redirector uses public headers only" '#include *["<](\.\./)*(core|front|tools)/' src/mrx
forbid "front ends and tools never touch core structures" '#include *["<](\.\./)*core/' src/front src/tools
forbid "the core knows no mini-redirector and no front end" '#include *["<](\.\./)*(mrx|front|tools)/' src/core
for wire in src/mrx/*/wire; do
	forbid "a wire codec knows no NT type, no RDBSS type and no socket" '#include *["<](nt(ifs|def|ddk|status|rxdef|strsafe|_[a-z_]+)|rx[a-z]*|mrx[a-z]*|wdm|irp|unicode|sys/socket|netinet/[a-z]+)\.h|#include *["<](\.\./)*(nt|core|rxtypes)/' "$wire"
done
except='src/core/minirdr/calldown(_object)?\.c:'
forbid "only calldown*.c calls a mini-redirector's table" '[Dd]ispatch->(MRx[A-Za-z]+|LowIOSubmit)[^=;&|,)]*\(' src/core
forbid "a promise instead of code" '(TODO|FIXME)([^A-Za-z0-9]|$)|not implemented yet|placeholder' src include
exit $bad
