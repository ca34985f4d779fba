#!/bin/sh
# Runs one fuzz target for RDR_FUZZ_SECONDS (default 2) from a fresh seed corpus.
#
#     run.sh PROGRAM SEEDS-PROGRAM TARGET
#
# RDR_FUZZ_CORPUS=DIR keeps what was found in DIR/TARGET and starts from it next time.  A crash leaves its
# input in the current directory (crash-...) and is the exit code.
set -eu

program=$1
seeds=$2
target=$3
seconds=${RDR_FUZZ_SECONDS:-2}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir "$work/seeds"
"$seeds" "$target" "$work/seeds"
if [ -n "${RDR_FUZZ_CORPUS:-}" ]; then
	corpus=$RDR_FUZZ_CORPUS/$target
else
	corpus=$work/corpus
fi
mkdir -p "$corpus"
"$program" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
	"$corpus" "$work/seeds"
