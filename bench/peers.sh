#!/bin/bash
# peers.sh - our mount and the network file systems a Linux user can mount today, all on
# one set of loopback servers over one tmpfs, for fsbench.sh to measure.
#
#   peers.sh serve            start smbd; sshd and a WebDAV server start with the first peer that needs them
#   peers.sh mount PEER       mount a peer and print its mount point
#   peers.sh umount PEER      send pending writes, unmount, drop its caches
#   peers.sh remount PEER     both (what FSB_REMOUNT needs)
#   peers.sh bench PEER...    mount, run fsbench.sh, unmount; TSV on stdout
#   peers.sh raw [LABEL]      smbclient get/put and loopback TCP
#   peers.sh stop             unmount everything and stop the servers
#   peers.sh list             the peers
#
# PEERS_DIR (/tmp/fsbench-peers) holds all state; RDR is our own command, RDR_OPTIONS more mount options for it.
# Must run as root.
# Samba listens on 127.0.0.55 (ports 445 and 4455): smbnetfs cannot name a port.
# A peer that does not mount is left out, with the reason on stderr.
set -u
here=$(cd "$(dirname "$0")" && pwd)
D=${PEERS_DIR:-/tmp/fsbench-peers}
IP=127.0.0.55 SMBPORT=4455 SSHPORT=4422 DAVPORT=4480 RCPORT=4490
RDR=${RDR:-$here/../build/release/src/tools/rdr/rdr}
PEERS="tmpfs passthrough passthrough-wb rdr smbnetfs rclone-smb rclone-smb-full gvfs-smb sshfs davfs2 rclone-sftp-full rclone-webdav-full"
# cifs is the kernel client: it needs cifs in /proc/filesystems (a guest)
grep -qw cifs /proc/filesystems && PEERS="$PEERS cifs"
PW=pw
S=$D/share/data
die() { echo "peers: $*" >&2; exit 1; }
bg() { # pidfile log command...
	local p=$1 l=$2; shift 2
	setsid "$@" </dev/null >"$l" 2>&1 &
	echo $! > "$p"
}
stoppid() { # pidfile: TERM, wait, KILL
	[ -s "$1" ] || return 0
	local p i; p=$(cat "$1"); rm -f "$1"
	kill "$p" 2>/dev/null || return 0
	for ((i = 0; i < 100; i++)); do kill -0 "$p" 2>/dev/null || return 0; sleep 0.1; done
	kill -9 "$p" 2>/dev/null
}
# waitmnt DIR: until it is mounted, or its server has ended
waitmnt() {
	local i n=${1##*/} p=
	[ ! -s "$D/run/$n" ] || p=$(cat "$D/run/$n")
	for ((i = 0; i < 300; i++)); do
		mountpoint -q "$1" && return 0
		[ -z "$p" ] || kill -0 "$p" 2>/dev/null || break
		sleep 0.05
	done
	die "$n did not mount: $(tail -n 1 "$D/log/$n" 2>/dev/null)"
}
program_of() { case $1 in
	smbnetfs|sshfs) echo "$1";;
	rclone-*) echo rclone;;
	gvfs-smb) echo /usr/libexec/gvfsd-fuse;;
	davfs2) echo mount.davfs;;
	cifs) echo mount.cifs;;
	rdr) echo "$RDR";;
	*) echo true;; esac; }
waitgone() { local i; for ((i = 0; i < 600; i++)); do kill -0 "$1" 2>/dev/null || return 0; sleep 0.05; done; }
waitport() { local i; for ((i = 0; i < 200; i++)); do (: < "/dev/tcp/$1/$2") 2>/dev/null && return 0; sleep 0.05; done; die "nothing listens on $1:$2"; }

unused() { ! (: < "/dev/tcp/$1/$2") 2>/dev/null || die "something listens on $1:$2 already"; }

serve() {
	unused $IP $SMBPORT; unused $IP 445
	mkdir -p "$D"/{share,mnt,samba,ssh,dav,log,run,home}
	mountpoint -q "$D/share" || mount -t tmpfs -o size=10g tmpfs "$D/share" || die "cannot mount a tmpfs"
	mkdir -p "$S"; chmod 777 "$S"
	mkdir -p "$D"/samba/{private,lock,state,cache,pid,ncalrpc}
	cat > "$D/smb.conf" <<-E
	[global]
	  server role = standalone server
	  smb ports = $SMBPORT 445
	  interfaces = $IP/8
	  bind interfaces only = yes
	  disable netbios = yes
	  private dir = $D/samba/private
	  lock directory = $D/samba/lock
	  state directory = $D/samba/state
	  cache directory = $D/samba/cache
	  pid directory = $D/samba/pid
	  ncalrpc dir = $D/samba/ncalrpc
	  log file = $D/log/smbd.%m
	  log level = 0
	  load printers = no
	  disable spoolss = yes
	  map to guest = never
	[data]
	  path = $S
	  read only = no
	  force user = root
	E
	printf '%s\n%s\n' $PW $PW | smbpasswd -c "$D/smb.conf" -s -a root >/dev/null || die smbpasswd
	bg "$D/run/smbd" "$D/log/smbd" smbd -F -s "$D/smb.conf" --no-process-group
	waitport $IP $SMBPORT
}
serve_ssh() {
	[ ! -s "$D/run/sshd" ] || return 0
	[ -x /usr/sbin/sshd ] || die "no sshd"
	[ -f "$D/ssh/host" ] || { ssh-keygen -q -t ed25519 -N '' -f "$D/ssh/host"; ssh-keygen -q -t ed25519 -N '' -f "$D/ssh/user"; }
	cp "$D/ssh/user.pub" "$D/ssh/authorized"; chmod 600 "$D/ssh/authorized"; mkdir -p /run/sshd
	cat > "$D/ssh/conf" <<-E
	ListenAddress $IP:$SSHPORT
	HostKey $D/ssh/host
	AuthorizedKeysFile $D/ssh/authorized
	PermitRootLogin prohibit-password
	PasswordAuthentication no
	UsePAM no
	StrictModes no
	PidFile none
	Subsystem sftp internal-sftp
	E
	bg "$D/run/sshd" "$D/log/sshd" /usr/sbin/sshd -D -e -f "$D/ssh/conf"
	waitport $IP $SSHPORT
}
serve_dav() {
	[ ! -s "$D/run/dav" ] || return 0
	command -v rclone >/dev/null || die "no rclone to serve WebDAV"
	bg "$D/run/dav" "$D/log/dav" rclone serve webdav --config /dev/null --addr $IP:$DAVPORT --vfs-cache-mode writes --cache-dir "$D/dav" --dir-cache-time 0s --vfs-write-back 0s "$S"
	waitport $IP $DAVPORT
}

passthrough_build() {
	[ -x "$D/passthrough_ll" ] && return
	local src=/usr/share/doc/libfuse3-dev/examples
	[ -f $src/passthrough_ll.c ] || die "no passthrough_ll.c in $src (libfuse3-dev)"
	cp $src/passthrough_ll.c $src/passthrough_helpers.h "$D/" && (cd "$D" && : > config.h &&
		cc -O2 -I. -DHAVE_UTIMENSAT -DHAVE_POSIX_FALLOCATE passthrough_ll.c -o passthrough_ll $(pkg-config --cflags --libs fuse3) -pthread) || die "cannot build passthrough_ll"
}
rcl() { # name remote extra...
	local n=$1 r=$2; shift 2
	bg "$D/run/$n" "$D/log/$n" rclone mount "$r" "$D/mnt/$n" --config /dev/null --cache-dir "$D/cache.$n" --rc --rc-no-auth --rc-addr 127.0.0.1:$RCPORT "$@"
}
gvfs_env() { export DBUS_SESSION_BUS_ADDRESS=unix:path=$D/run/bus XDG_RUNTIME_DIR=$D/run HOME=$D/home GIO_USE_VFS=gvfs; }

point() { case $1 in
	tmpfs) echo "$S";;
	smbnetfs) echo "$D/mnt/smbnetfs/$IP/data";;
	gvfs-smb) ls -d "$D"/mnt/gvfs-smb/smb-share:* 2>/dev/null | head -1;;
	*) echo "$D/mnt/$1";; esac; }

domount() {
	local n=$1 m=$D/mnt/$1
	command -v "$(program_of "$n")" >/dev/null || die "$(program_of "$n") is not installed"
	mkdir -p "$m"
	case $n in
	sshfs|rclone-sftp-full) serve_ssh;;
	davfs2|rclone-webdav-full) serve_dav;;
	esac
	case $n in
	tmpfs) sync; echo 3 > /proc/sys/vm/drop_caches;;
	passthrough) passthrough_build; bg "$D/run/$n" "$D/log/$n" "$D/passthrough_ll" -f -o "source=$S" "$m"; waitmnt "$m";;
	passthrough-wb) passthrough_build; bg "$D/run/$n" "$D/log/$n" "$D/passthrough_ll" -f -o "source=$S,writeback,cache=always" "$m"; waitmnt "$m";;
	smbnetfs)
		mkdir -p "$D/home/.smb"
		echo "auth \"$IP\" \"root\" \"$PW\"" > "$D/home/.smb/smbnetfs.auth"; chmod 600 "$D/home/.smb/smbnetfs.auth"
		printf 'include "smbnetfs.auth"\ninclude "smbnetfs.host"\nlog_file "%s"\n' "$D/log/smbnetfs.log" > "$D/home/.smb/smbnetfs.conf"; chmod 600 "$D/home/.smb/smbnetfs.conf"
		printf 'host %s visible=true\n' $IP > "$D/home/.smb/smbnetfs.host"
		printf '[global]\n  disable netbios = yes\n  name resolve order = host\n' > "$D/home/.smb/smb.conf"
		HOME=$D/home bg "$D/run/$n" "$D/log/$n" smbnetfs -f "$m"; waitmnt "$m"
		local i; for ((i = 0; i < 100; i++)); do [ -d "$(point $n)" ] && break; sleep 0.05; done;;
	rclone-smb) rcl $n ":smb,host=$IP,port=$SMBPORT,user=root,pass=$(rclone obscure $PW):data"; waitmnt "$m";;
	rclone-smb-full) rcl $n ":smb,host=$IP,port=$SMBPORT,user=root,pass=$(rclone obscure $PW):data" --vfs-cache-mode full; waitmnt "$m";;
	rclone-sftp-full) rcl $n ":sftp,host=$IP,port=$SSHPORT,user=root,key_file=$D/ssh/user,shell_type=unix:$S" --vfs-cache-mode full; waitmnt "$m";;
	rclone-webdav-full) rcl $n ":webdav,url='http://$IP:$DAVPORT/',vendor=other:" --vfs-cache-mode full; waitmnt "$m";;
	rdr)
		printf 'username=root\npassword=%s\n' "$PW" > "$D/rdr.cred"; chmod 600 "$D/rdr.cred"
		"$RDR" mount "//$IP:$SMBPORT/data" "$m" -o "credentials=$D/rdr.cred${RDR_OPTIONS:+,$RDR_OPTIONS}" >> "$D/log/rdr" 2>&1 || die "rdr does not mount: $(tail -1 "$D/log/rdr")";;
	sshfs) bg "$D/run/$n" "$D/log/$n" sshfs -f -o "port=$SSHPORT,IdentityFile=$D/ssh/user,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null" "root@$IP:$S" "$m"; waitmnt "$m";;
	davfs2)
		mkdir -p "$D/davcache"; chown root:davfs2 "$D/davcache"; chmod 775 "$D/davcache"
		printf 'cache_dir %s\nask_auth 0\nsecrets %s\n' "$D/davcache" "$D/dav.secrets" > "$D/dav.conf"
		printf 'http://%s:%s/ u p\n' $IP $DAVPORT > "$D/dav.secrets"; chmod 600 "$D/dav.secrets" "$D/dav.conf"
		mount.davfs "http://$IP:$DAVPORT/" "$m" -o "conf=$D/dav.conf" >> "$D/log/davfs2" 2>&1 || die "davfs2 mount failed"; waitmnt "$m";;
	gvfs-smb)
		gvfs_env
		bg "$D/run/dbus.pid" "$D/log/dbus" dbus-daemon --session --nofork --address="unix:path=$D/run/bus"
		local i; for ((i = 0; i < 100; i++)); do [ -S "$D/run/bus" ] && break; sleep 0.05; done
		bg "$D/run/gvfsd.pid" "$D/log/gvfsd" /usr/libexec/gvfsd --no-fuse; sleep 0.3
		bg "$D/run/$n" "$D/log/$n" /usr/libexec/gvfsd-fuse -f "$m"; waitmnt "$m"
		printf "WORKGROUP\n%s\n" "$PW" | gio mount "smb://root@$IP:$SMBPORT/data" >> "$D/log/gio" 2>&1
		for ((i = 0; i < 100; i++)); do [ -d "$(point $n)" ] && break; sleep 0.1; done
		[ -d "$(point $n)" ] || die "gvfs did not mount: $(ls "$m")";;
	cifs) mount -t cifs "//$IP/data" "$m" -o "port=$SMBPORT,user=root,pass=$PW,vers=3.1.1" 2>> "$D/log/cifs" || die "cifs does not mount: $(tail -1 "$D/log/cifs")";;
	*) die "no peer $n";;
	esac
	point "$n"
}
doumount() {
	local n=$1 m=$D/mnt/$1 i p
	case $n in
	tmpfs) return 0;;
	rclone-*-full) # unmounting does not wait for uploads: wait for them here
		for ((i = 0; i < 1200; i++)); do
			rclone rc --url http://127.0.0.1:$RCPORT vfs/stats 2>/dev/null > "$D/run/stats" || break
			grep -q '"uploadsInProgress": 0' "$D/run/stats" && grep -q '"uploadsQueued": 0' "$D/run/stats" && break
			sleep 0.1
		done;;
	esac
	p=; [ -s "$D/run/$n" ] && p=$(cat "$D/run/$n")
	if ! mountpoint -q "$m"; then stoppid "$D/run/$n"; p=
	else case $n in
	davfs2|cifs) umount "$m" >/dev/null 2>&1;;
	rdr) "$RDR" umount "$m" >> "$D/log/rdr" 2>&1 || die "rdr umount: $(tail -1 "$D/log/rdr")";;
	gvfs-smb) gvfs_env; timeout 60 gio mount -u "smb://root@$IP:$SMBPORT/data" >/dev/null 2>&1; fusermount3 -u "$m" || fusermount3 -uz "$m";;
	*) for ((i = 0; i < 50; i++)); do fusermount3 -u "$m" 2>/dev/null && break; sleep 0.1; done; mountpoint -q "$m" && fusermount3 -uz "$m";;
	esac; fi
	[ -n "$p" ] && waitgone "$p"; stoppid "$D/run/$n" # one that does not end by itself is ended
	[ $n = gvfs-smb ] && { stoppid "$D/run/gvfsd.pid"; stoppid "$D/run/dbus.pid"; rm -f "$D/run/bus"; }
	rm -rf "$D/cache.$n" "$D/davcache"
	return 0
}
raw() {
	local L=${1:-raw} f=$D/raw.bin a b i mb=${SIZE_MB:-1024}
	local sc="smbclient -s $D/smb.conf -p $SMBPORT -U root%$PW //$IP/data"
	head -c "$((mb << 20))" /dev/urandom > "/dev/shm/fsb.raw.$$"; f=/dev/shm/fsb.raw.$$
	for i in 1 2 3; do
		a=$(date +%s%N); $sc -c "put $f raw.bin" >/dev/null 2>&1; b=$(date +%s%N)
		cmp -s "$f" "$S/raw.bin" || { printf '%s\tsmbclient_put\tFAIL\tMB/s\n' "$L"; continue; }
		awk -v n="$mb" -v t=$((b - a)) -v l="$L" 'BEGIN {printf "%s\tsmbclient_put\t%.6g\tMB/s\n", l, n * 1048.576e6 / t}'
		a=$(date +%s%N); $sc -c "get raw.bin $f.2" >/dev/null 2>&1; b=$(date +%s%N)
		cmp -s "$f" "$f.2" || { printf '%s\tsmbclient_get\tFAIL\tMB/s\n' "$L"; continue; }
		awk -v n="$mb" -v t=$((b - a)) -v l="$L" 'BEGIN {printf "%s\tsmbclient_get\t%.6g\tMB/s\n", l, n * 1048.576e6 / t}'
	done
	rm -f "$f" "$f.2" "$S/raw.bin"
	bg "$D/run/iperf" "$D/log/iperf" iperf3 -s -B $IP -p 4499; waitport $IP 4499; sleep 0.3
	for i in 1 2 3; do
		iperf3 -c $IP -p 4499 -t 2 -f m 2>/dev/null | awk -v l="$L" '/receiver/ {for (i = 1; i < NF; i++) if ($(i + 1) ~ /Mbits/) printf "%s\ttcp_loopback\t%.6g\tMB/s\n", l, $i / 8}'
	done
	stoppid "$D/run/iperf"
}

c=${1:-}; [ $# -gt 0 ] && shift
case $c in
serve) serve;;
list) printf '%s\n' $PEERS;;
mount) domount "$1";;
umount) doumount "$1";;
remount) doumount "$1" && domount "$1" >/dev/null;;
bench)
	for n in "$@"; do
		m=$(domount "$n") || { echo "peers: $n is left out" >&2; doumount "$n"; continue; }
		FSB_BACKING=$S FSB_TMP=${FSB_TMP:-/dev/shm} FSB_REMOUNT="PEERS_DIR='$D' '$here/peers.sh' remount $n" "$here/fsbench.sh" "$m" "$n"
		doumount "$n"
	done;;
raw) raw "$@";;
stop)
	for n in $PEERS; do [ -e "$D/mnt/$n" ] && doumount "$n"; done
	for p in smbd sshd dav iperf; do stoppid "$D/run/$p"; done
	mountpoint -q "$D/share" && umount "$D/share";;
*) sed -n '2,19p' "$0"; exit 2;;
esac
