#!/bin/sh
# demo.sh RDR - what `./run demo` shows: a private Samba and a mem: volume, mounted, used, unmounted.
#
# Everything lies below one folder in /tmp and is taken away at the end, also after a failure.
set -eu
rdr=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/rdr-demo.XXXXXX)
chmod 711 "$work" # the server looks in as its own users
smb=$work/share
mem=$work/scratch
PATH=$PATH:/usr/sbin:/sbin

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
	bold='' plain=''
fi
title() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }

# Shows a command, then runs it.
run() {
	printf '%s$ %s%s\n' "$bold" "$*" "$plain"
	"$@"
}
shown() {
	printf '%s$ %s%s\n' "$bold" "$1" "$plain"
	sh -c "$1"
}

finish() {
	code=$?
	trap - EXIT INT TERM
	for directory in "$smb" "$mem"; do
		if grep -q " $directory fuse.rdr " /proc/mounts; then
			"$rdr" umount -q -f "$directory" || :
		fi
	done
	"$here/samba/stop" "$work/samba" || :
	if grep -q " $work/" /proc/mounts; then
		echo "demo: something is still mounted below $work" >&2
		code=1
	else
		rm -rf "$work"
	fi
	[ $code = 0 ] || echo "demo: FAILED" >&2
	exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

# What was read back must be what was written.
same() {
	cmp "$1" "$2" && echo "    $(basename "$1"): $(wc -c <"$1") bytes, identical"
}

mkdir "$smb" "$mem"
ln -s "$rdr" "$work/rdr"
PATH=$work:$PATH
export PATH smb mem
[ -c /dev/fuse ] || {
	echo "demo: this machine has no /dev/fuse (modprobe fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN)" >&2
	exit 1
}
port=$((20000 + $$ % 20000))

title "A private Samba on the loopback"
"$here/samba/start" "$port" "$work/samba" | head -n 1

title "Mount its share, and a volume in memory"
printf 'username=alice\npassword=Passw0rd\n' >"$work/credentials"
chmod 600 "$work/credentials"
run rdr mount -o "credentials=$work/credentials" "//127.0.0.1:$port/share" "$smb"
run rdr mount mem:scratch "$mem"
run rdr list
grep fuse.rdr /proc/mounts | sed 's/^/    /'

title "Write, list, read back"
head -c 5000000 /dev/urandom >"$work/five-megabytes"
for directory in "$smb" "$mem"; do
	shown "echo 'hello, redirector' >'$directory/hello.txt'"
	shown "mkdir '$directory/pictures' && cp '$work/five-megabytes' '$directory/pictures/'"
	shown "ls -l '$directory' '$directory/pictures'"
	shown "cat '$directory/hello.txt'"
	same "$directory/pictures/five-megabytes" "$work/five-megabytes"
done
echo "and on the server's own disk:"
same "$work/samba/disk/share/pictures/five-megabytes" "$work/five-megabytes"

title "From one to the other, then rename and remove"
run cp "$smb/hello.txt" "$mem/from-the-server.txt"
run mv "$mem/from-the-server.txt" "$mem/renamed.txt"
run cat "$mem/renamed.txt"
run rm "$smb/hello.txt"
run df -h "$smb" "$mem"

title "What the redirector holds: servers, shares, open files, and who refers to them"
exec 9<"$smb/pictures/five-megabytes"	# something open, to be seen
run rdr status
exec 9<&-

title "Unmount"
run rdr umount "$smb"
run rdr umount "$mem"
run rdr list
echo
echo "Done: both volumes unmounted, every object finalized, every byte of pool freed."
