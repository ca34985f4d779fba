#!/bin/sh
# A header compiles alone: the public ones with each compiler that is there, as C and, for their declarations, as C++,
# with 32-bit and with 16-bit wchar_t; an inner one as C.
set -u
cd "$(dirname "$0")/../.."
bad=0
common="-D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unknown-pragmas -Wno-multichar -fsyntax-only
	-Iinclude -Iinclude/nt -Iinclude/rdbss -Isrc"
as_c="-std=gnu11 -x c"
as_cxx="-std=gnu++17 -x c++"

# try COMPILER HEADER FLAGS...
try() {
	compiler=$1
	header=$2
	shift 2
	# shellcheck disable=SC2086
	printf '#include "%s"\ntypedef int not_empty;\n' "$PWD/$header" | $compiler $common "$@" - || {
		echo "$header does not compile alone ($compiler $*)"
		bad=1
	}
}

# g++ is not needed to build anything: clang speaks C++ when it is missing
for compiler in ${CC:-gcc clang-14}; do
	command -v "$compiler" >/dev/null || continue
	cxx=$compiler
	if [ "$compiler" = gcc ]; then
		command -v g++ >/dev/null && cxx=g++ || cxx=
	fi
	for header in $(find include -name '*.h' | sort); do
		# shellcheck disable=SC2086
		try "$compiler" "$header" $as_c
		case $header in
		include/rdbss_api.h) ;;	# its users are ordinary programs
		*)
			# shellcheck disable=SC2086
			try "$compiler" "$header" $as_c -fshort-wchar
			;;
		esac
		[ -n "$cxx" ] || continue
		# shellcheck disable=SC2086
		try "$cxx" "$header" $as_cxx
		# shellcheck disable=SC2086
		try "$cxx" "$header" $as_cxx -fshort-wchar
	done
done
for header in $(find src -name '*.h' | sort); do
	# shellcheck disable=SC2046,SC2086
	try "${CC:-gcc}" "$header" $as_c -I"$(dirname "$header")" $(pkg-config --cflags fuse3 libcrypto 2>/dev/null)
done
exit $bad
