"""The command: what it prints, what it accepts, how a daemon is asked and ended."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

import rig


@pytest.mark.without_fuse
def test_help_and_version():
    """--help goes to standard output and succeeds; --version is one line."""
    done = rig.rdr("--help")
    assert done.returncode == 0 and done.stderr == ""
    for word in ["rdr mount", "rdr umount", "rdr list", "rdr status", "credentials=", "Exit codes"]:
        assert word in done.stdout
    done = rig.rdr("--version")
    assert done.returncode == 0 and done.stdout.startswith("rdr ") and done.stdout.count("\n") == 1


def test_mount_returns_when_it_works_and_umount_says_no_leaks():
    """The parent returns with a mount that works; umount tells the verdict."""
    mount = rig.Mount("mem:")
    assert mount.path in rig.mounts()
    assert os.listdir(mount.path) == []
    done = mount.unmount()
    assert done.stdout.strip() == f"{mount.path} unmounted, no leaks"


def test_proc_mounts_shows_type_and_source(samba):
    """/proc/mounts has the type fuse.rdr and the UNC; no user, no password."""
    mount = rig.Mount(samba.unc(), f"credentials={samba.credentials},ro")
    with open("/proc/self/mounts", encoding="utf-8") as table:
        line = [line for line in table if f" {mount.path} " in line][0]
    fields = line.split()
    assert fields[0] == samba.unc() and fields[2] == "fuse.rdr"
    assert "ro" in fields[3].split(",") and "nosuid" in fields[3].split(",") and "nodev" in fields[3].split(",")
    assert rig.USER not in line and rig.PASSWORD not in line
    with pytest.raises(OSError):
        os.mkdir(os.path.join(mount.path, "no"))
    mount.unmount()


@pytest.mark.parametrize("form", ["unc", "backslashes", "url", "url-user", "port-option"])
def test_every_way_to_name_a_share(samba, form):
    """UNC, backslashes, URL with and without a user, and port= all lead to the same share."""
    marker = f"marker-{form}"
    with open(os.path.join(samba.disk(), marker), "wb"):
        pass
    options, env = f"credentials={samba.credentials}", None
    spec = {
        "unc": samba.unc(),
        "backslashes": f"\\\\127.0.0.1:{samba.port}\\share",
        "url": f"smb://127.0.0.1:{samba.port}/share",
        "url-user": f"smb://{rig.USER}@127.0.0.1:{samba.port}/share",
        "port-option": "//127.0.0.1/share",
    }[form]
    if form == "url-user":
        options, env = "", rig.clean_env(PASSWD=rig.PASSWORD)
    if form == "port-option":
        options += f",port={samba.port}"
    mount = rig.Mount(spec, options, env=env)
    assert marker in os.listdir(mount.path)
    mount.unmount()
    os.unlink(os.path.join(samba.disk(), marker))


def test_a_folder_of_a_share_is_the_root(samba):
    """//server/share/folder shows that folder, and nothing above it."""
    os.makedirs(os.path.join(samba.disk(), "sub/folder"), exist_ok=True)
    for name in ("sub", "sub/folder"):
        os.chmod(os.path.join(samba.disk(), name), 0o777)
    with open(os.path.join(samba.disk(), "sub/folder/inside"), "wb"):
        pass
    mount = rig.Mount(samba.unc("share", "sub/folder"), f"credentials={samba.credentials}")
    assert os.listdir(mount.path) == ["inside"]
    mount.unmount()


@pytest.mark.parametrize("vers", ["2.0", "2.1", "3.0", "3.0.2", "3.1.1", "default"])
def test_every_dialect_carries_data(samba, vers):
    """A file goes through unchanged in each dialect."""
    mount = rig.Mount(samba.unc(), f"credentials={samba.credentials},vers={vers}")
    data = os.urandom(300000)
    with open(os.path.join(mount.path, "dialect"), "wb") as file:
        file.write(data)
    with open(os.path.join(mount.path, "dialect"), "rb") as file:
        assert file.read() == data
    with open(os.path.join(samba.disk(), "dialect"), "rb") as file:
        assert file.read() == data
    os.unlink(os.path.join(mount.path, "dialect"))
    mount.unmount()


@pytest.mark.parametrize("way", ["option", "PASSWD", "PASSWD_FILE", "PASSWD_FD", "USER"])
def test_every_way_to_give_a_password(samba, way, tmp_path):
    """Each source of a password that mount.cifs knows works."""
    file = tmp_path / "one-line"
    file.write_text(rig.PASSWORD + "\n", encoding="ascii")
    file.chmod(0o600)
    options, env, more = f"username={rig.USER}", rig.clean_env(), {}
    if way == "option":
        options += f",password={rig.PASSWORD}"
    elif way == "PASSWD":
        env["PASSWD"] = rig.PASSWORD
    elif way == "PASSWD_FILE":
        env["PASSWD_FILE"] = str(file)
    elif way == "USER":
        options, env["USER"] = "vers=default", f"{rig.USER}%{rig.PASSWORD}"
    path = tempfile.mkdtemp(prefix="rdr-mnt-", dir="/tmp")
    words = [rig.RDR, "mount", "-o", options, samba.unc(), path]
    if way == "PASSWD_FD":
        with open(file, "rb") as opened:
            env["PASSWD_FD"] = str(opened.fileno())
            done = rig.run(*words, env=env, pass_fds=[opened.fileno()])
    else:
        done = rig.run(*words, env=env, **more)
    assert done.returncode == 0, done.stderr
    try:
        assert os.path.isdir(path) and path in rig.mounts()
    finally:
        done = rig.rdr("umount", path)
        os.rmdir(path)
    assert done.returncode == 0, done.stderr


def test_fstab_and_mount_options_never_fail_a_mount():
    """What fstab, systemd and mount(8) write is accepted."""
    mount = rig.Mount("mem:", "rw,nosuid,nodev,noexec,noatime,relatime,_netdev,nofail,noauto,user,users,"
                              "x-systemd.automount,X-anything=1,x-gvfs-show,comment=hello,defaults,async,group,owner")
    with open(os.path.join(mount.path, "f"), "wb") as file:
        file.write(b"1")
    mount.unmount()


def test_modes_and_owner_are_shown_as_asked():
    """uid, gid, file_mode and dir_mode decide what stat shows."""
    mount = rig.Mount("mem:", "uid=1234,gid=4321,file_mode=0640,dir_mode=0750" if os.geteuid() == 0
                      else "file_mode=0640,dir_mode=0750")
    with open(os.path.join(mount.path, "f"), "wb"):
        pass
    os.mkdir(os.path.join(mount.path, "d"))
    assert os.stat(os.path.join(mount.path, "f")).st_mode & 0o7777 == 0o640
    assert os.stat(os.path.join(mount.path, "d")).st_mode & 0o7777 == 0o750
    if os.geteuid() == 0:
        assert os.stat(os.path.join(mount.path, "f")).st_uid == 1234
        assert os.stat(os.path.join(mount.path, "f")).st_gid == 4321
    mount.unmount()


def test_list_shows_what_is_mounted_and_forgets_the_dead():
    """list names each mount; a daemon that was killed is no longer listed, and its socket is removed."""
    one, two = rig.Mount("mem:one"), rig.Mount("mem:two")
    lines = [json.loads(line) for line in rig.rdr("list", "--json").stdout.splitlines()]
    found = {line["directory"]: line for line in lines}
    assert found[one.path]["source"] == "mem:one" and found[one.path]["pid"] == one.pid
    assert found[two.path]["source"] == "mem:two"
    assert f"mem:two on {two.path} (pid {two.pid})" in rig.rdr("list").stdout
    os.kill(two.pid, signal.SIGKILL)
    rig.wait_until("its end", 5, lambda: rig.is_gone(two.pid))
    assert two.path not in rig.rdr("list").stdout
    done = rig.rdr("umount", two.path, timeout=5)
    assert done.returncode == 0 and two.path not in rig.mounts()
    two.discard()
    one.unmount()


def test_the_second_mount_point_is_known():
    """list names both directories of one daemon, status answers for both, umount of the second ends that one alone."""
    second = tempfile.mkdtemp(prefix="rdr-mnt-", dir="/tmp")
    mount = rig.Mount("mem:twice", arguments=("--also", second))
    try:
        lines = [json.loads(line) for line in rig.rdr("list", "--json").stdout.splitlines()]
        found = {line["directory"]: line for line in lines}
        assert found[mount.path]["pid"] == found[second]["pid"] == mount.pid
        assert found[second]["source"] == "mem:twice"
        assert f"mem:twice on {second} (pid {mount.pid})" in rig.rdr("list").stdout
        status = rig.rdr("status", second)
        assert status.returncode == 0 and f"mem:twice on {mount.path} and {second} (pid {mount.pid}" in status.stdout
        assert rig.rdr("status", "--check", second).returncode == 0

        with open(os.path.join(second, "held"), "w", encoding="ascii"):
            done = rig.rdr("umount", second, timeout=10)
            assert done.returncode == 32 and f"rdr umount -f {second}" in done.stderr
            assert second in rig.mounts()
        done = rig.rdr("umount", second, timeout=10)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{second} unmounted; {mount.path} stays\n"
        assert second not in rig.mounts() and mount.alive()
        assert os.listdir(mount.path) == ["held"]
        rig.wait_until("the end of its session", 10, lambda: "and " + second not in rig.rdr("status", mount.path).stdout)
        assert second not in rig.rdr("list").stdout
        assert rig.rdr("status", second).returncode == 1
        assert rig.rdr("umount", second).returncode == 1
    finally:
        mount.unmount()
        os.rmdir(second)


def test_the_second_mount_point_goes_by_force():
    """umount -f takes it away while somebody is in it; the first one stays, and ends without a leak."""
    second = tempfile.mkdtemp(prefix="rdr-mnt-", dir="/tmp")
    mount = rig.Mount("mem:twice", arguments=("--also", second))
    try:
        with open(os.path.join(second, "held"), "w", encoding="ascii"):
            done = rig.rdr("umount", "-f", "-q", second, timeout=10)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            assert second not in rig.mounts()
            assert second not in rig.rdr("list").stdout
            assert os.listdir(mount.path) == ["held"]
    finally:
        mount.unmount()
        os.rmdir(second)


def kinds(status):
    counted = {}
    for entry in status["objects"]:
        counted[entry["kind"]] = counted.get(entry["kind"], 0) + 1
    return counted


@pytest.mark.parametrize("kind", ["mem", "smb"])
def test_status_lists_the_objects_and_who_holds_them(kind, request):
    """One SRV_CALL, NET_ROOT and V_NET_ROOT; an open file has its FCB, SRV_OPEN and FOBX; counts have holders."""
    if kind == "mem":
        mount = rig.Mount("mem:status")
    else:
        server = request.getfixturevalue("samba")
        mount = rig.Mount(server.unc(), f"credentials={server.credentials}")
    with open(os.path.join(mount.path, "held-open"), "wb") as file:
        file.write(b"12345")
        file.flush()
        status = mount.status()
        assert status["rdr"] == 1 and status["pid"] == mount.pid and status["directory"] == mount.path
        counted = kinds(status)
        assert counted["SRV_CALL"] == 1 and counted["NET_ROOT"] >= 1 and counted["V_NET_ROOT"] >= 1
        fcbs = [entry for entry in status["objects"] if entry["kind"] == "FCB" and "held-open" in entry["name"]]
        assert len(fcbs) == 1
        opens = [entry for entry in status["objects"] if entry["kind"] == "SRV_OPEN" and entry["parent"] == fcbs[0]["id"]]
        assert opens
        ids = {entry["id"] for entry in opens}
        assert [entry for entry in status["objects"] if entry["kind"] == "FOBX" and entry["parent"] in ids]
        for entry in status["objects"]:
            assert entry["references"] >= 1, entry
        text = rig.rdr("status", mount.path).stdout
        for word in ["SRV_CALL", "NET_ROOT", "V_NET_ROOT", "FCB", "SRV_OPEN", "FOBX", "held-open", "refs"]:
            assert word in text
    os.unlink(os.path.join(mount.path, "held-open"))
    mount.unmount()


def test_status_check_finds_the_objects_in_agreement():
    """--check looks at every object and says that they agree: text and --json, exit code 0."""
    mount = rig.Mount("mem:check")
    with open(os.path.join(mount.path, "open"), "wb"):
        done = rig.rdr("status", "--check", "--json", mount.path)
        answer = json.loads(done.stdout)
        assert done.returncode == 0 and answer["directory"] == mount.path
        # SRV_CALL, NET_ROOT, V_NET_ROOT; FCB, SRV_OPEN and FOBX of the file
        assert answer["checked"] >= 6 and answer["disagreements"] == 0 and answer["findings"] == []
        done = rig.rdr("status", "--check", mount.path)
        assert done.returncode == 0
        assert " 0 disagreements" in done.stdout and mount.path in done.stdout
    assert rig.rdr("status", "--chekc", mount.path).returncode == 1
    mount.unmount()


def serve_answers(listener, answers):
    """A daemon's end of the control socket, with answers of ours; ends when the listener is closed."""
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer:
            peer.settimeout(5)
            command = json.loads(peer.recv(4096))["command"]
            peer.sendall(json.dumps(answers[command]).encode() + b"\n")


@pytest.mark.parametrize("broken", [True, False])
def test_status_check_tells_a_disagreement(tmp_path, broken):
    """A finding is printed with rule, object and name, and the exit code is 4; a daemon that cannot check gives 2."""
    hello = {"rdr": 1, "ok": True, "version": "0", "pid": 1, "source": "mem:x", "directory": str(tmp_path)}
    found = {"checked": 9, "busy": 1, "disagreements": 1,
             "findings": [{"rule": "count", "kind": "FCB", "id": 4096, "name": "\\a\\b", "text": "is 1"}]}
    mount = rig.Mount("mem:")
    path = os.path.join(os.path.dirname(control_socket(mount)), "1.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        answers = {"list": hello, "check": {**hello, **(found if broken else {"check_error": "STATUS_X"})}}
        thread = threading.Thread(target=serve_answers, args=(listener, answers), daemon=True)
        thread.start()
        try:
            done = rig.rdr("status", "--check", str(tmp_path))
            if broken:
                assert done.returncode == 4
                assert "9 objects checked (1 files busy), 1 disagreements" in done.stdout
                assert 'rule count: FCB 0x1000 "\\a\\b": is 1' in done.stdout
                assert rig.rdr("status", "--check").returncode == 4
            else:
                assert done.returncode == 2 and "STATUS_X" in done.stderr
        finally:
            os.unlink(path)
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    mount.unmount()


def test_fusermount3_u_ends_the_daemon():
    """The mount can be ended with fusermount3 -u: the daemon ends by itself, without a leak."""
    mount = rig.Mount("mem:")
    rig.run("fusermount3", "-u", mount.path, check=True)
    rig.wait_until("the daemon's end", 10, lambda: rig.is_gone(mount.pid))
    assert not rig.SANITIZER.search(mount.read_log()), mount.read_log()
    mount.discard()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_unmounts(number):
    """TERM and INT end the mount in order, and the log says who sent them."""
    mount = rig.Mount("mem:")
    os.kill(mount.pid, number)
    rig.wait_until("the daemon's end", 10, lambda: rig.is_gone(mount.pid))
    assert mount.path not in rig.mounts()
    assert f"unmounting {mount.path}: signal {int(number)} " in mount.read_log()
    assert f"of process {os.getpid()}\n" in mount.read_log()
    assert not rig.SANITIZER.search(mount.read_log()), mount.read_log()
    mount.discard()


def test_foreground_stays_and_tells_the_service_manager():
    """-f stays in the foreground, sends READY=1 over NOTIFY_SOCKET, and ends with code 0 on TERM."""
    path = tempfile.mkdtemp(prefix="rdr-mnt-", dir="/tmp")
    name = tempfile.mktemp(prefix="rdr-notify-", dir="/tmp")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(name)
    manager.settimeout(20)
    process = subprocess.Popen([rig.RDR, "mount", "-f", "mem:", path], stdin=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, env=rig.clean_env(NOTIFY_SOCKET=name))
    try:
        assert b"READY=1" in manager.recv(4096)
        assert path in rig.mounts()
        process.terminate()
        assert b"STOPPING=1" in manager.recv(4096)
        _, text = process.communicate(timeout=20)
        assert process.returncode == 0, text
        assert b"no leaks" in text
    finally:
        process.kill()
        process.communicate(timeout=10)
        if path in rig.mounts():
            rig.run("umount", "-l", path)
        manager.close()
        os.unlink(name)
        os.rmdir(path)


def test_usr1_writes_the_state_and_hup_reopens_the_log():
    """USR1 writes one JSON object to the log; after HUP a moved log is made anew."""
    mount = rig.Mount("mem:")
    os.kill(mount.pid, signal.SIGUSR1)
    rig.wait_until("the state in the log", 5, lambda: "rdr: state {" in mount.read_log())
    line = [line for line in mount.read_log().splitlines() if line.startswith("rdr: state ")][0]
    assert json.loads(line[len("rdr: state "):])["objects"]
    os.rename(mount.log, mount.log + ".1")
    os.kill(mount.pid, signal.SIGHUP)
    rig.wait_until("a new log", 5, lambda: os.path.exists(mount.log))
    os.unlink(mount.log + ".1")
    mount.unmount()


def test_mount_8_helper_mounts_and_fakes():
    """As mount.fuse.rdr: -f only pretends, and a plain call mounts; -n, -s and -v are accepted."""
    folder = tempfile.mkdtemp(prefix="rdr-helper-", dir="/tmp")
    helper = os.path.join(folder, "mount.fuse.rdr")
    path = os.path.join(folder, "mnt")
    os.symlink(rig.RDR, helper)
    os.mkdir(path)
    done = rig.run(helper, "mem:", path, "-f", "-o", "rw", env=rig.clean_env())
    assert done.returncode == 0 and path not in rig.mounts(), done.stderr
    done = rig.run(helper, "mem:helper", path, "-sn", "-v", "-o", "rw,noexec", "-t", "fuse.rdr", env=rig.clean_env())
    assert done.returncode == 0 and path in rig.mounts(), done.stderr
    done = rig.rdr("umount", path)
    assert done.returncode == 0, done.stderr
    os.unlink(helper)
    os.rmdir(path)
    os.rmdir(folder)


def control_socket(mount):
    for folder in [os.path.join(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent"), "rdr"),
                   f"/run/user/{os.geteuid()}/rdr", f"/tmp/rdr-{os.geteuid()}"]:
        path = os.path.join(folder, f"{mount.pid}.sock")
        if os.path.exists(path):
            return path
    raise AssertionError("no control socket")


def test_control_socket_is_private_and_survives_nonsense():
    """The socket has mode 0600 in a folder of mode 0700; garbage and silence do not stop the next question."""
    mount = rig.Mount("mem:")
    path = control_socket(mount)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    for text in [b"\n", b"{}\n", b"{\"rdr\":2,\"command\":\"list\"}\n", b"[" * 5000 + b"\n", b"\xff\xfe\0\n",
                 b"{\"rdr\":1,\"command\":\"fly\"}\n", b"{\"rdr\":1,\"command\":\"list\"", b"x" * 10000]:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(5)
            peer.connect(path)
            try:
                peer.sendall(text)
                peer.shutdown(socket.SHUT_WR)
                answer = peer.recv(4096)
            except OSError:
                answer = b""
            if answer:
                assert json.loads(answer)["ok"] is False
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(path)
        assert mount.status(timeout=6)["pid"] == mount.pid
    mount.unmount()


def test_a_daemon_that_is_stuck_does_not_stand_for_others():
    """A socket that accepts and never answers delays neither umount nor status of another mount, and not list for long."""
    mount = rig.Mount("mem:")
    path = os.path.join(os.path.dirname(control_socket(mount)), "0.sock")
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.bind(path)
        stuck.listen(16)
        try:
            began = time.monotonic()
            assert mount.status()["pid"] == mount.pid
            assert time.monotonic() - began < 1.5
            assert mount.path in rig.rdr("list", timeout=5).stdout
            began = time.monotonic()
            done = rig.rdr("umount", mount.path, timeout=5)
            assert time.monotonic() - began < 1.5
            assert "no leaks" in done.stdout
        finally:
            os.unlink(path)
    mount.discard()


ROOTLESS = """
set -e
mknod "$1/fuse" c 10 229 && chmod 666 "$1/fuse" && mount --bind "$1/fuse" /dev/fuse
exec setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$1" sh -e -c '
    "$0" mount mem: "$1/mnt"
    grep " $1/mnt fuse.rdr " /proc/mounts
    echo hello >"$1/mnt/f"
    grep hello "$1/mnt/f"
    pid=$("$0" list | sed "s/.*(pid \\([0-9]*\\)).*/\\1/")
    # what root owns in /proc is closed to the user: no core dump, no look into memory
    test "$(stat -c %u /proc/$pid/status)" = 0
    "$0" umount "$1/mnt"
    ! grep "$1/mnt" /proc/mounts
' "$1/rdr" "$1"
"""


def test_mounting_is_rootless():
    """An ordinary user mounts, uses and unmounts a volume, with fusermount3."""
    if os.geteuid() != 0:
        pytest.skip("this whole run is one of an ordinary user")
    if rig.run("unshare", "-m", "true").returncode != 0:
        pytest.skip("no mount namespace to be had here (a chroot, or a container without the right)")
    folder = tempfile.mkdtemp(prefix="rdr-user-", dir="/tmp")
    rig.run("cp", rig.RDR, os.path.join(folder, "rdr"), check=True)
    os.mkdir(os.path.join(folder, "mnt"))
    os.chmod(folder, 0o755)
    os.chown(os.path.join(folder, "mnt"), 65534, 65534)
    env = rig.clean_env()
    env.pop("XDG_RUNTIME_DIR", None)
    try:
        done = rig.run("unshare", "-m", "sh", "-c", ROOTLESS, "sh", folder, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "user_id=65534" in done.stdout and "nosuid" in done.stdout
        assert f"{folder}/mnt unmounted, no leaks" in done.stdout
    finally:
        rig.run("rm", "-rf", folder, "/tmp/rdr-65534")
