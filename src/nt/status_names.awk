# status_names.awk - ntstatus.h to the rows of the name table; of several names for one value the first wins, and
# STATUS_SUCCESS before the STATUS_WAIT_ names.
/^#define STATUS_[A-Z0-9_]+ \(\(NTSTATUS\)0x/ {
	match($0, /0x[0-9A-F]+/)
	value = substr($0, RSTART, RLENGTH)
	if ($2 ~ /^STATUS_(WAIT_|ABANDONED)/ || value in seen) next
	seen[value] = 1
	printf "{(NTSTATUS)%su, \"%s\"},\n", value, $2
}
