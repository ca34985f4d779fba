#!/bin/sh
# A public header compiles alone, with 32-bit and with 16-bit wchar_t; an inner one compiles alone, too.
set -u
cd "$(dirname "$0")/../.."
bad=0
compiler=${CC:-gcc}
flags="-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unknown-pragmas -Wno-multichar -fsyntax-only
	-Iinclude -Iinclude/nt -Iinclude/rdbss -Isrc -x c"

# try HEADER FLAGS...
try() {
	header=$1
	shift
	# shellcheck disable=SC2086
	printf '#include "%s"\ntypedef int not_empty;\n' "$PWD/$header" | $compiler $flags "$@" - || {
		echo "$header does not compile alone ($*)"
		bad=1
	}
}

for header in $(find include -name '*.h' | sort); do
	try "$header"
	case $header in
	include/rdbss_api.h) ;;	# its users are ordinary programs
	*) try "$header" -fshort-wchar ;;
	esac
done
for header in $(find src -name '*.h' | sort); do
	try "$header" -I"$(dirname "$header")" $(pkg-config --cflags fuse3 libcrypto 2>/dev/null)
done
exit $bad
