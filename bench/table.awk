# table.awk - fsbench lines of several file systems to one Markdown table.
#
#   awk -v ours=rdr -v smb="rclone-smb rclone-smb-full smbnetfs gvfs-smb" -f table.awk results.tsv
#
# The last column is ours against the best of the SMB peers: above 1 we are ahead, whichever way the unit counts.
BEGIN { FS = "\t"; n = split(smb, peer, " ") }
{
	if (!($2 in seen)) { seen[$2] = ++metrics; name[metrics] = $2; unit[$2] = $4 }
	if (!($1 in column)) { column[$1] = ++columns; label[columns] = $1 }
	value[$2, $1] = $3
}
function number(v) { return v ~ /^[0-9.eE+-]+$/ }
function show(v) { return number(v) ? (v >= 100 ? sprintf("%d", v) : sprintf("%.3g", v)) : (v == "" ? "-" : v) }
END {
	line = "| metric | unit |"; rule = "| --- | --- |"
	for (c = 1; c <= columns; c++) { line = line " " label[c] " |"; rule = rule " ---: |" }
	print line " " ours " / best SMB peer |"; print rule " ---: |"
	for (m = 1; m <= metrics; m++) {
		k = name[m]; line = "| " k " | " unit[k] " |"; best = ""; less = unit[k] == "s"
		for (c = 1; c <= columns; c++) line = line " " show(value[k, label[c]]) " |"
		for (p = 1; p <= n; p++) {
			v = value[k, peer[p]]
			if (number(v) && v > 0 && (best == "" || (less ? v + 0 < best : v + 0 > best))) best = v + 0
		}
		v = value[k, ours]; ratio = "-"
		if (best != "" && number(v) && v > 0) ratio = sprintf("%.2f", less ? best / v : v / best)
		print line " " ratio " |"
	}
}
