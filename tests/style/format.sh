#!/bin/sh
# Every C file of the tree looks as .clang-format says.
set -eu
cd "$(dirname "$0")/../.."
files=$(git ls-files '*.c' '*.h' 2>/dev/null) || files=
[ -n "$files" ] || files=$(find src include tests bench -name '*.[ch]' 2>/dev/null)
# shellcheck disable=SC2086
clang-format-14 --dry-run --Werror $files
