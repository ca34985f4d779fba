"""What the coherence tests are made of: two clients of one volume, a third that nobody here wrote, and trials.

Delays are printed, and conftest.py collects them: at the end of a run stands the distribution of each case.
"""

import os
import pty
import select
import socket
import subprocess
import tempfile
import time

import rig

# RDR_TRIALS: as many as one likes
TRIALS = int(os.environ.get("RDR_TRIALS", "10000" if rig.LONG else "100"))
SOON = 3  # s: attributes and names are trusted for one
TOLD = 0.05  # s: what is told shows within that

published = []  # lines


def trials(part=1):
    """@part: how many trials each turn of the loop is."""
    return range(1, (TRIALS + part - 1) // part + 1)


def say(line):
    print(line)
    published.append(line)


def publish(what, kind, delays):
    """
    The distribution of a delay. Each is within SOON, or late() had failed: that is what belief allows. That news come, half of
    them at once, every run must show; that 99 of 100 are there within TOLD is for a machine that does nothing else (RDR_LONG).
    """
    delays.sort()
    median, most = delays[len(delays) // 2], delays[max(0, len(delays) * 99 // 100 - 1)]
    say(f"{kind}: {what}: {len(delays)} trials, median {median * 1000:.2f} ms, 99 % {most * 1000:.2f} ms, "
        f"worst {delays[-1] * 1000:.2f} ms")
    assert len(delays) >= TRIALS
    assert median < TOLD
    assert most < TOLD or not rig.LONG


def late(what, seen, limit=SOON):
    """Seconds until something is seen."""
    began = time.monotonic()
    while not seen():
        assert time.monotonic() - began < limit, f"stale for {limit} s: {what}"
    return time.monotonic() - began


class World:
    """Two clients of one volume."""

    def __init__(self, kind, samba):
        self.kind = kind
        self.samba = samba
        self.second = None
        if kind == "mem":
            self.second = tempfile.mkdtemp(prefix="rdr-mnt-", dir="/tmp")
            self.mounts = [rig.Mount("mem:coherence", arguments=("--also", self.second))]
            self.paths = [self.mounts[0].path, self.second]
        else:
            self.mounts = [rig.Mount(samba.unc(), f"credentials={samba.credentials}") for _ in range(2)]
            self.paths = [mount.path for mount in self.mounts]

    def breaks(self):
        """How many breaks the clients have had."""
        return sum(mount.stats()["events"]["breaks_received"] for mount in self.mounts)

    def end(self):
        try:
            for mount in self.mounts:
                mount.unmount()
        finally:
            if self.second is not None:
                left = self.second in rig.mounts()
                if left:  # its process is gone: nobody else takes it away
                    rig.run("umount", "-l", self.second, timeout=10)
                os.rmdir(self.second)
                assert not left


class Folder:
    """The same fresh folder, as each client sees it."""

    def __init__(self, world, name):
        self.world = world
        self.kind = world.kind
        self.samba = world.samba
        self.name = name
        self.a, self.b = (os.path.join(path, name) for path in world.paths)
        self.disk = os.path.join(world.samba.disk(), name) if world.samba else None

    def at_a(self, name):
        return os.path.join(self.a, name)

    def at_b(self, name):
        return os.path.join(self.b, name)

    def in_turn(self, i, name):
        """Whoever acts, and the other: each in turn."""
        return (self.at_a(name), self.at_b(name)) if i % 2 else (self.at_b(name), self.at_a(name))

    def at_server(self):
        """What the server has, as somebody sees it who believes nothing."""
        return sorted(os.listdir(self.disk if self.disk else self.b))

    def make(self, name, data):
        """A file of A, which B has heard of."""
        put(self.at_a(name), data)
        late("the file", lambda: exists(self.at_b(name)))

    def in_use(self):
        """
        A works in the folder until its changes are told to him. What the first change costs that nobody tells him of is known:
        the time that names and attributes are believed.
        """
        def told():
            put(self.at_b("sign"), b"")
            appeared = late("a name", lambda: exists(self.at_a("sign")))
            os.unlink(self.at_b("sign"))
            return appeared + late("the end of a name", lambda: not exists(self.at_a("sign"))) < 2 * TOLD
        rig.wait_until("news of the folder", 15, told)


class SmbClient:
    """A session of smbclient: the third client. One command at a time."""

    def __init__(self, samba, folder):
        # Into a pipe it would say everything at its end; and of two lines that come at once it overlooks the second.
        self.heard, mouth = pty.openpty()
        self.told, ear = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.child = subprocess.Popen(
            ["smbclient", "//127.0.0.1/share", "-p", str(samba.port), "-A", samba.credentials,
             "-s", samba.directory + "/smb.conf", "-D", folder],
            stdin=ear, stdout=mouth, stderr=subprocess.STDOUT)
        os.close(mouth)
        ear.close()
        self.turn = 0
        self.do("pwd")

    def do(self, command, limit=60):
        """What it says to a command; it is done when this returns."""
        self.turn += 1
        mark = b"done-%d." % self.turn
        self.told.send(command.encode() + b"\n")
        self.told.send(b"!echo %s\n" % mark)
        said, end = b"", time.monotonic() + limit
        while mark not in said:
            assert select.select([self.heard], [], [], max(0, end - time.monotonic()))[0], said
            more = os.read(self.heard, 65536)
            assert more, said
            said += more
        return said.decode(errors="replace")

    def end(self):
        self.told.close()
        self.child.wait(timeout=30)
        os.close(self.heard)


def put(path, data):
    with open(path, "wb") as file:
        file.write(data)


def get(path):
    with open(path, "rb") as file:
        return file.read()


def exists(path):
    try:
        os.stat(path)
        return True
    except FileNotFoundError:
        return False


def asleep(path):
    """A file that was read and closed: its handle stays open at the server for a while, unless somebody minds."""
    get(path)
