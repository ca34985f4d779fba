"""Two clients of one volume, and a third that nobody here wrote: what one does, the other sees.

Twice: SMB, two mounts with a client GUID and lease keys each; and mem:, one volume at two mount points, which are two
clients of it (rdr mount --also). Two rules:

- what a client must answer a break for is never stale, not once: data that is written later is there when another opens
  the file; a file that another deletes or renames is not held by a handle that only sleeps;
- everything else (clean pages under a read lease, attributes, names) is late by the way of a message, and where there
  is none by the time that it is trusted (actimeo, 1 s). The delays are published.

A client of mem: that never answers is in tests/mrx/mem/test_clients.c: its two clients are one process.
"""

import mmap
import os
import shutil
import signal
import tempfile
import time

import pytest

import rig

pytestmark = pytest.mark.limit(1200 if rig.LONG else 120)

TRIALS = 10000 if rig.LONG else 100
PATIENCE = 240 if rig.LONG else 2  # s for the trials of a case that is late by a second each
SOON = 3  # s: attributes and names are trusted for one


def trials():
    """As many as the time allows, at least three."""
    began = time.monotonic()
    for i in range(1, TRIALS + 1):
        yield i
        if i >= 3 and time.monotonic() - began > PATIENCE:
            return


def publish(what, kind, delays):
    """Each delay is within SOON, or late() had failed; how soon is for a quiet machine to say."""
    delays.sort()
    print(f"{kind}: {what}: {len(delays)} trials, median {delays[len(delays) // 2] * 1000:.2f} ms, "
          f"99 % {delays[max(0, len(delays) * 99 // 100 - 1)] * 1000:.2f} ms, worst {delays[-1] * 1000:.2f} ms")
    assert len(delays) >= 3


def late(what, seen):
    """Seconds until something is seen."""
    began = time.monotonic()
    while not seen():
        assert time.monotonic() - began < SOON, f"stale for {SOON} s: {what}"
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

    def end(self):
        try:
            for mount in self.mounts:
                mount.unmount()
        finally:
            if self.second is not None:
                assert self.second not in rig.mounts()
                os.rmdir(self.second)


@pytest.fixture(scope="module", params=["mem", "smb"])
def world(request):
    made = World(request.param, request.getfixturevalue("samba") if request.param == "smb" else None)
    yield made
    made.end()


class Folder:
    """The same fresh folder, as each client sees it."""

    def __init__(self, world, name):
        self.kind = world.kind
        self.samba = world.samba
        self.name = name
        self.a, self.b = (os.path.join(path, name) for path in world.paths)
        self.disk = os.path.join(world.samba.disk(), name) if world.samba else None

    def at_a(self, name):
        return os.path.join(self.a, name)

    def at_b(self, name):
        return os.path.join(self.b, name)

    def at_server(self):
        """What the server has, as somebody sees it who believes nothing."""
        return sorted(os.listdir(self.disk if self.disk else self.b))


@pytest.fixture
def folder(world, request):
    made = Folder(world, "c" + str(abs(hash(request.node.nodeid)) % 10**8))
    os.mkdir(made.a)
    rig.wait_until("the folder at the other client", SOON, lambda: os.path.isdir(made.b))
    yield made


@pytest.fixture
def share(folder):
    """A folder on a server with a disk and other clients."""
    if folder.kind != "smb":
        pytest.skip("a volume in memory has no other side")
    return folder


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


def smbclient(samba, command, check=True):
    return rig.run("smbclient", "//127.0.0.1/share", "-p", str(samba.port), "-A", samba.credentials,
                   "-s", samba.directory + "/smb.conf", "-c", command, timeout=60, check=check)


def need(tool):
    if shutil.which(tool) is None:
        pytest.fail(f"{tool} is not installed")


def asleep(path):
    """A file that was read and closed: its handle stays open at the server for a while, unless somebody minds."""
    get(path)


# ---- never stale ----


def test_data_that_is_written_later_is_there_when_the_other_opens(folder):
    """A writes and keeps the file open, nothing is flushed; B opens and reads all of it. In turn, so that both lose it."""
    put(folder.at_a("f"), b"%08d" % 0)
    rig.wait_until("the file", SOON, lambda: exists(folder.at_b("f")))
    for i in trials():
        writer, reader = (folder.at_a("f"), folder.at_b("f")) if i % 2 else (folder.at_b("f"), folder.at_a("f"))
        with open(writer, "r+b", buffering=0) as file:
            file.write(b"%08d" % i)
            descriptor = os.open(reader, os.O_RDWR)
            assert os.pread(descriptor, 100, 0) == b"%08d" % i
            os.close(descriptor)


def test_an_open_brings_what_another_keeps_back(folder):
    """
    B writes and keeps the data, as the server allows it. A looks at the file, sees it empty, and opens it: that makes the
    server ask B for the data, and A reads all of it, whatever it believed of the size.
    """
    for i in trials():
        name = f"f{i}"
        with open(folder.at_b(name), "wb", buffering=0) as writer:
            data = b"%08d" % i * 1000
            writer.write(data)
            rig.wait_until("the name", SOON, lambda: exists(folder.at_a(name)))
            os.stat(folder.at_a(name))
            assert get(folder.at_a(name)) == data
            writer.write(data)  # the grant is gone, or smaller: the break was answered
            rig.wait_until("the rest", SOON, lambda: get(folder.at_a(name)) == data + data)


def test_a_writer_is_interrupted_again_and_again(folder):
    """A writes a megabyte in pieces; B opens meanwhile after each: he sees every piece that was written, and A loses none."""
    size, count = 16384, 64
    with open(folder.at_a("f"), "w+b", buffering=0) as writer:
        for i in range(count):
            os.pwrite(writer.fileno(), bytes([i + 1]) * size, i * size)
            if i == 0:
                rig.wait_until("the file", SOON, lambda: exists(folder.at_b("f")))
            descriptor = os.open(folder.at_b("f"), os.O_RDWR)
            assert os.pread(descriptor, size + 1, i * size) == bytes([i + 1]) * size
            assert os.fstat(descriptor).st_size == (i + 1) * size
            os.close(descriptor)
    assert get(folder.at_b("f")) == b"".join(bytes([i + 1]) * size for i in range(count))


def test_many_breaks_a_second(folder):
    """Both open, write and close in turn as fast as they can: each open finds what the other wrote last."""
    seconds = 30 if rig.LONG else 2
    put(folder.at_a("f"), b"%08d" % 0)
    rig.wait_until("the file", SOON, lambda: exists(folder.at_b("f")))
    began = time.monotonic()
    turns = 0
    while time.monotonic() - began < seconds:
        descriptor = os.open((folder.at_a if turns % 2 else folder.at_b)("f"), os.O_RDWR)
        assert os.pread(descriptor, 100, 0) == b"%08d" % turns
        turns += 1
        os.pwrite(descriptor, b"%08d" % turns, 0)
        os.close(descriptor)
    print(f"{folder.kind}: {turns / (time.monotonic() - began):.0f} changes of the writer a second")
    assert turns >= 10


def test_a_sleeping_handle_does_not_keep_others_from_the_file(folder):
    """B deletes, renames and replaces files that A has only just closed: no error, and soon they are really gone."""
    names = ("gone", "old", "target")
    for _ in range(3):
        for name in names:
            put(folder.at_b(name), b"1")
        rig.wait_until("the names at A", SOON, lambda: all(exists(folder.at_a(name)) for name in names))
        for name in names:
            asleep(folder.at_a(name))
        os.unlink(folder.at_b("gone"))
        os.rename(folder.at_b("old"), folder.at_b("target"))
        os.unlink(folder.at_b("target"))
        # a server need not ask for the handle before a deletion (Samba does not): it goes by itself
        rig.wait_until("the end of the files", SOON, lambda: folder.at_server() == [])
        rig.wait_until("the end of the names at A", SOON, lambda: not any(exists(folder.at_a(name)) for name in names))


def test_both_append_and_nothing_is_lost(folder):
    """Opens in turn, each writing its line at the end that it finds."""
    put(folder.at_a("log"), b"")
    rig.wait_until("the file", SOON, lambda: exists(folder.at_b("log")))
    lines = []
    for i in range(50):
        for place in (folder.a, folder.b):
            line = b"%s %d\n" % (os.fsencode(os.path.basename(os.path.dirname(place))), i)
            with open(os.path.join(place, "log"), "ab", buffering=0) as file:
                file.write(line)
            lines.append(line)
    assert get(os.path.join(folder.disk or folder.b, "log")) == b"".join(lines)


# ---- late by a message, or by the time of trust ----


def test_an_open_file_shows_soon_what_the_other_wrote(folder):
    """A keeps a file open and reads it; B writes. The break of a read lease is waited for by nobody."""
    put(folder.at_b("f"), b"%08d" % 0)
    rig.wait_until("the file", SOON, lambda: exists(folder.at_a("f")))
    delays = []
    with open(folder.at_a("f"), "rb", buffering=0) as reader, open(folder.at_b("f"), "r+b", buffering=0) as writer:
        for i in trials():
            os.pread(reader.fileno(), 8, 0)
            os.pwrite(writer.fileno(), b"%08d" % i, 0)
            delays.append(late("content", lambda i=i: os.pread(reader.fileno(), 8, 0) == b"%08d" % i))
    publish("a read of an open file after another client's write", folder.kind, delays)


def test_a_file_opened_again_has_what_the_other_wrote(folder):
    """
    A opens, reads and closes; B replaces the content; A's next open reads it. The handle that A keeps asleep, and its
    pages, cost no message: that they are old A hears from the break, for which the server does not make B wait.
    """
    put(folder.at_b("f"), b"%08d" % 0)
    rig.wait_until("the file", SOON, lambda: exists(folder.at_a("f")))
    delays = []
    for i in trials():
        asleep(folder.at_a("f"))
        with open(folder.at_b("f"), "r+b", buffering=0) as writer:
            writer.write(b"%08d" % i)
        delays.append(late("content", lambda i=i: get(folder.at_a("f")) == b"%08d" % i))
    publish("an open after another client's write", folder.kind, delays)


def test_a_mapping_shows_soon_what_the_other_wrote(folder):
    """A reads through a mapping of the whole file, which B overwrites."""
    put(folder.at_b("f"), b"%08d" % 0)
    rig.wait_until("the file", SOON, lambda: exists(folder.at_a("f")))
    delays = []
    with open(folder.at_a("f"), "rb") as file, mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ) as mapping:
        assert mapping[:] == b"%08d" % 0
        with open(folder.at_b("f"), "r+b", buffering=0) as writer:
            for i in trials():
                os.pwrite(writer.fileno(), b"%08d" % i, 0)
                delays.append(late("mapping", lambda i=i: mapping[:] == b"%08d" % i))
    publish("a mapping after another client's write", folder.kind, delays)


def test_sizes_follow(folder):
    """B makes a file longer and shorter; A looks at its size, and an open finds as much."""
    put(folder.at_b("f"), b"")
    rig.wait_until("the file", SOON, lambda: exists(folder.at_a("f")))
    grown, cut = [], []
    for i in trials():
        put(folder.at_b("f"), b"x" * (1000 + i))
        grown.append(late("growth", lambda i=i: os.stat(folder.at_a("f")).st_size == 1000 + i))
        os.truncate(folder.at_b("f"), i % 7)
        cut.append(late("truncation", lambda i=i: os.stat(folder.at_a("f")).st_size == i % 7))
        rig.wait_until("the content", SOON, lambda i=i: get(folder.at_a("f")) == b"x" * (i % 7))
    publish("a size after another client's write and close", folder.kind, grown)
    publish("a size after another client's truncation", folder.kind, cut)


def test_times_follow(folder):
    """B sets a file's times; A sees them."""
    put(folder.at_b("f"), b"")
    rig.wait_until("the file", SOON, lambda: exists(folder.at_a("f")))
    delays = []
    for i in trials():
        os.utime(folder.at_b("f"), (10**9 + i, 10**9 + 2 * i))
        delays.append(late("times", lambda i=i: os.stat(folder.at_a("f")).st_mtime == 10**9 + 2 * i))
    publish("times after another client set them", folder.kind, delays)


def test_names_follow(folder):
    """New, renamed and removed names of B reach A, by look-up and in a listing."""
    new, renamed, removed = [], [], []
    for i in trials():
        assert not exists(folder.at_a(f"n{i}")) and f"n{i}" not in os.listdir(folder.a)
        put(folder.at_b(f"n{i}"), b"")
        new.append(late("a new name", lambda i=i: exists(folder.at_a(f"n{i}")) and f"n{i}" in os.listdir(folder.a)))
        os.rename(folder.at_b(f"n{i}"), folder.at_b(f"r{i}"))
        renamed.append(late("a changed name", lambda i=i: exists(folder.at_a(f"r{i}")) and not exists(folder.at_a(f"n{i}"))
                            and os.listdir(folder.a) == [f"r{i}"]))
        os.unlink(folder.at_b(f"r{i}"))
        removed.append(late("a removed name", lambda i=i: not exists(folder.at_a(f"r{i}")) and os.listdir(folder.a) == []))
    publish("a new name", folder.kind, new)
    publish("a changed name", folder.kind, renamed)
    publish("a removed name", folder.kind, removed)


# ---- the third client, and the server ----


def test_a_third_client_is_not_kept_from_a_file_either(share):
    """smbclient replaces and deletes a file that A has only just closed."""
    need("smbclient")
    local = os.path.join(share.samba.directory, "local")
    for i in range(5):
        put(share.at_a("f"), b"a%d" % i)
        asleep(share.at_a("f"))
        put(local, b"smbclient %d" % i)
        smbclient(share.samba, f"put {local} {share.name}/f")
        assert get(share.at_a("f")) == b"smbclient %d" % i
        asleep(share.at_a("f"))
        smbclient(share.samba, f"del {share.name}/f")
        rig.wait_until("the end of the file", SOON, lambda: share.at_server() == [])
        rig.wait_until("the end of the name", SOON, lambda: not exists(share.at_a("f")))


def test_a_file_replaced_behind_the_server_s_back_is_seen(share):
    """Somebody at the server renames another file over one that A has only just closed: no lease knows of it."""
    put(share.at_a("f"), b"first")
    for i in range(3):
        asleep(share.at_a("f"))
        put(os.path.join(share.disk, "other"), b"number %d" % i)
        os.rename(os.path.join(share.disk, "other"), os.path.join(share.disk, "f"))
        rig.wait_until("the new file", SOON, lambda i=i: get(share.at_a("f")) == b"number %d" % i)


def test_a_client_that_is_stopped_keeps_nobody_from_writing(world, share):
    """B's daemon is stopped with a read lease: A's write waits for nothing. When B goes on it soon has the new data."""
    put(share.at_a("f"), b"before")
    rig.wait_until("the file", SOON, lambda: exists(share.at_b("f")))
    with open(share.at_a("f"), "r+b", buffering=0) as writer, open(share.at_b("f"), "rb", buffering=0) as reader:
        assert os.pread(reader.fileno(), 100, 0) == b"before"
        os.kill(world.mounts[1].pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            os.pwrite(writer.fileno(), b"behind", 0)
            os.fsync(writer.fileno())
            assert time.monotonic() - began < 10
        finally:
            os.kill(world.mounts[1].pid, signal.SIGCONT)
        late("content", lambda: os.pread(reader.fileno(), 100, 0) == b"behind")


@pytest.mark.skipif(not rig.LONG, reason="Samba waits 35 s for an answer")
def test_a_client_that_never_answers_its_break(world, share):
    """
    B's daemon is stopped with data that it keeps back: A's open ends when the server's patience does. When B goes on, his
    data are there, or he is told that they are not; and both see the same.
    """
    put(share.at_a("f"), b"before")
    rig.wait_until("the file", SOON, lambda: exists(share.at_b("f")))
    writer = os.open(share.at_b("f"), os.O_RDWR)
    os.pwrite(writer, b"unsent", 0)
    os.kill(world.mounts[1].pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert get(share.at_a("f")) == b"before"
        assert time.monotonic() - began < 60
    finally:
        os.kill(world.mounts[1].pid, signal.SIGCONT)
    told = False
    for step in (os.fsync, os.close):
        try:
            step(writer)
        except OSError:
            told = True

    def agreed():
        try:
            return get(share.at_a("f")) == get(share.at_b("f")) and (told or get(share.at_a("f")) == b"unsent")
        except OSError:
            return False

    rig.wait_until("one truth", 30, agreed)


def test_leases_end_with_the_server(samba, tmp_path):
    """The server is killed while handles sleep: after its return files are what they are, and nothing hangs."""
    server = rig.Samba()
    try:
        mount = rig.Mount(server.unc(), f"credentials={server.credentials}")
        try:
            for i in range(20):
                put(os.path.join(mount.path, f"f{i}"), b"before")
                asleep(os.path.join(mount.path, f"f{i}"))
            server.signal_all(9)
            for i in range(20):
                put(os.path.join(server.disk(), f"f{i}"), b"after!")
            server.start()

            def back():
                try:
                    return get(os.path.join(mount.path, "f0")) == b"after!"
                except OSError:
                    return False

            rig.wait_until("the server's return", 30, back)
            assert [get(os.path.join(mount.path, f"f{i}")) for i in range(20)] == [b"after!"] * 20
        finally:
            mount.unmount()
    finally:
        server.stop()
