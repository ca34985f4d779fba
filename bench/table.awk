# table.awk - fsbench lines of several file systems to one Markdown table.
#
#   awk -v ours=rdr -v pace=pace -v fuse=passthrough-wb -v smb="rclone-smb rclone-smb-full smbnetfs gvfs-smb" \
#       -f table.awk results.tsv
#
# The last columns are ours against the best of the SMB peers, against the server's own pace, against a FUSE file system
# on the server's own disk that lets the kernel keep everything, and against these two one after the other, which is what
# an operation costs that goes through the kernel and to the server: above 1 we are ahead, whichever way the unit counts.
BEGIN { FS = "\t"; n = split(smb, peer, " ") }
{
	if (!($2 in seen)) { seen[$2] = ++metrics; name[metrics] = $2; unit[$2] = $4 }
	if (!($1 in column)) { column[$1] = ++columns; label[columns] = $1 }
	count[$2, $1]++
	value[$2, $1] = $3
	if (number($3)) all[$2, $1, count[$2, $1]] = $3 + 0
	else word[$2, $1] = $3
}
function number(v) { return v ~ /^[0-9.eE+-]+$/ }
function show(v) { return number(v) ? (v >= 100 ? sprintf("%d", v) : sprintf("%.3g", v)) : (v == "" ? "-" : v) }
# The median where a metric was measured several times; a word if one of them was no number.
function median(k, l,   c, i, j, t, v) {
	c = count[k, l]
	if (c < 2) return value[k, l]
	if ((k, l) in word) return word[k, l]
	for (i = 1; i <= c; i++) v[i] = all[k, l, i]
	for (i = 2; i <= c; i++) for (j = i; j > 1 && v[j] < v[j - 1]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
	return v[int((c + 1) / 2)]
}
function ratio(v, other, less) {
	if (!number(v) || !number(other) || v <= 0 || other <= 0) return "-"
	return sprintf("%.2f", less ? other / v : v / other)
}
# What two steps take together, each measured by itself.
function both(v, w, less) {
	if (!number(v) || !number(w) || v <= 0 || w <= 0) return "-"
	return less ? v + w : 1 / (1 / v + 1 / w)
}
END {
	line = "| metric | unit |"; rule = "| --- | --- |"
	for (c = 1; c <= columns; c++) { line = line " " label[c] " |"; rule = rule " ---: |" }
	print line " " ours " / best SMB peer | " ours " / " pace " | " ours " / " fuse " | " \
		ours " / both |"
	print rule " ---: | ---: | ---: | ---: |"
	for (m = 1; m <= metrics; m++) {
		k = name[m]; line = "| " k " | " unit[k] " |"; best = ""; less = unit[k] == "s"
		for (c = 1; c <= columns; c++) line = line " " show(median(k, label[c])) " |"
		for (p = 1; p <= n; p++) {
			v = median(k, peer[p])
			if (number(v) && v > 0 && (best == "" || (less ? v + 0 < best : v + 0 > best))) best = v + 0
		}
		v = median(k, ours)
		print line " " ratio(v, best, less) " | " ratio(v, median(k, pace), less) " | " \
			ratio(v, median(k, fuse), less) " | " \
			ratio(v, both(median(k, pace), median(k, fuse), less), less) " |"
	}
}
