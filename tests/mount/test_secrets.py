"""A password is in no place where others, or a later reader, could find it."""

import os
import re
import socket
import subprocess
import tempfile
import threading

import pytest

import rig

SECRET = "qX7-very-Secret-93"


@pytest.fixture(scope="module")
def guarded():
    """A server with a password that stands nowhere else."""
    server = rig.Samba(password=SECRET)
    yield server
    server.stop()


def places(pid):
    """What /proc shows of a process, as bytes."""
    found = {}
    for name in ("cmdline", "environ", "comm", "status", "maps"):
        try:
            with open(f"/proc/{pid}/{name}", "rb") as file:
                found[name] = file.read()
        except OSError:
            pass
    return found


def assert_clean(pid):
    shown = places(pid)
    assert "cmdline" in shown and "environ" in shown
    for name, text in shown.items():
        assert SECRET.encode() not in text, f"the password is in /proc/{pid}/{name}"


WAYS = {
    "option": (f"username=alice,password={SECRET}", {}),
    "user-percent": (f"username=alice%{SECRET}", {}),
    "PASSWD": ("username=alice", {"PASSWD": SECRET}),
    "USER": ("vers=default", {"USER": f"alice%{SECRET}"}),
}


@pytest.mark.parametrize("way", [*WAYS, "url", "credentials"])
def test_daemon_shows_no_password(guarded, way):
    """Not in argv, not in the environment, not in a verbose log, not in the mount table, not in status."""
    spec, arguments = guarded.unc(), ["-v"]
    if way == "url":
        options, more = "", {}
        spec = f"smb://alice:{SECRET}@127.0.0.1:{guarded.port}/share"
    elif way == "credentials":
        options, more = f"credentials={guarded.credentials}", {}
    else:
        options, more = WAYS[way]
    mount = rig.Mount(spec, options, arguments=arguments, env=rig.clean_env(**more))
    try:
        assert_clean(mount.pid)
        with open("/proc/self/mountinfo", "rb") as table:
            assert SECRET.encode() not in table.read()
        assert SECRET not in rig.rdr("status", mount.path).stdout
        assert SECRET not in rig.rdr("list", "--json").stdout
        assert SECRET not in mount.read_log()
    finally:
        mount.unmount()


@pytest.mark.parametrize("way", [*WAYS, "url"])
def test_parent_shows_no_password_while_it_waits(way):
    """While a server keeps silent, neither the waiting parent nor its child shows the password."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4)
    port = listener.getsockname()[1]
    arrived = threading.Event()
    peers = []

    def accept():
        try:
            peers.append(listener.accept()[0])
            peers[0].recv(1)
            arrived.set()
        except OSError:
            pass

    threading.Thread(target=accept, daemon=True).start()
    spec, options, more = f"//127.0.0.1:{port}/share", "", {}
    if way == "url":
        spec = f"smb://alice:{SECRET}@127.0.0.1:{port}/share"
    else:
        options, more = WAYS[way]
    path = tempfile.mkdtemp(prefix="rdr-mnt-", dir="/tmp")
    before = rig.processes()
    words = [rig.RDR, "mount", *(["-o", options] if options else []), spec, path]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env=rig.clean_env(**more))
    try:
        assert arrived.wait(20)
        found = rig.processes() - before
        assert len(found) == 2, found
        for pid in found:
            assert_clean(pid)
        process.terminate()
        _, text = process.communicate(timeout=15)
        assert process.returncode == 8, text
        assert SECRET.encode() not in text
        rig.wait_until("no process left", 5, lambda: rig.processes() <= before)
        assert path not in rig.mounts()
    finally:
        process.kill()
        process.communicate(timeout=10)
        listener.close()
        os.rmdir(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="reading another process' memory needs root")
def test_the_password_stays_only_where_a_reconnection_needs_it(guarded):
    """After the mount works, memory holds no UTF-8 copy; in UTF-16 the V_NET_ROOT's and the driver's own, no other."""
    mount = rig.Mount(guarded.unc(), f"credentials={guarded.credentials}")
    try:
        hits = {SECRET.encode(): [], SECRET.encode("utf-16-le"): []}
        with open(f"/proc/{mount.pid}/maps", encoding="ascii") as maps:
            regions = [line.split() for line in maps]
        with open(f"/proc/{mount.pid}/mem", "rb", buffering=0) as memory:
            for fields in regions:
                start, end = (int(word, 16) for word in fields[0].split("-"))
                # the shadow of a sanitizer is terabytes of nothing
                if "rw" not in fields[1] or end - start > 1 << 30:
                    continue
                try:
                    memory.seek(start)
                    content = memory.read(end - start)
                except (OSError, ValueError):
                    continue
                for needle, found in hits.items():
                    found += [hex(start + m.start()) for m in re.finditer(re.escape(needle), content)]
        assert hits[SECRET.encode()] == []
        assert len(hits[SECRET.encode("utf-16-le")]) <= 2, hits
    finally:
        mount.unmount()
