"""Two clients of one volume, and a third that nobody here wrote: what one does, the other sees.

Twice: SMB, two mounts with a client GUID and lease keys each; and mem:, one volume at two mount points, which are two
clients of it (rdr mount --also). Two rules:

- what a client must answer a break for is never stale, not once: data that is written later is there when another opens
  the file; a file that another deletes or renames is not held by a handle that only sleeps;
- everything else (clean pages under a read lease, attributes, names) is late by the way of a message, and where there
  is none by the time that it is trusted (actimeo, 1 s). The delays are published.

Each case has 100 trials, 10,000 with RDR_LONG. A client of mem: that never answers is in tests/mrx/mem/test_clients.c: its
two clients are one process.
"""

import ctypes
import fcntl
import mmap
import os
import shutil
import signal
import struct
import threading
import time

import pytest

import rig
from coherence import SOON, TRIALS, Folder, SmbClient, World, asleep, exists, get, late, publish, put, say, trials

pytestmark = pytest.mark.limit(3000 if TRIALS > 1000 else 120)


@pytest.fixture(scope="module", params=["mem", "smb"])
def world(request):
    made = World(request.param, request.getfixturevalue("samba") if request.param == "smb" else None)
    yield made
    made.end()


@pytest.fixture
def folder(world, request):
    made = Folder(world, "c" + str(abs(hash(request.node.nodeid)) % 10**8))
    os.mkdir(made.a)
    late("the folder at the other client", lambda: os.path.isdir(made.b))
    yield made


@pytest.fixture
def share(folder):
    """A folder on a server with a disk and other clients."""
    if folder.kind != "smb":
        pytest.skip("a volume in memory has no other side")
    return folder


@pytest.fixture
def smbclient(share):
    if shutil.which("smbclient") is None:
        pytest.fail("smbclient is not installed")
    made = SmbClient(share.samba, share.name)
    yield made
    made.end()


# ---- never stale ----


def test_data_that_is_written_later_is_there_when_the_other_opens(folder):
    """A writes and keeps the file open, nothing is flushed; B opens and reads all of it. In turn, so that both lose it."""
    folder.make("f", b"%08d" % 0)
    for i in trials():
        writer, reader = folder.in_turn(i, "f")
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
            late("the name", lambda: exists(folder.at_a(name)))
            os.stat(folder.at_a(name))
            assert get(folder.at_a(name)) == data
            writer.write(data)  # the grant is gone, or smaller: the break was answered
            late("the rest", lambda: get(folder.at_a(name)) == data + data)
        os.unlink(folder.at_b(name))


def test_a_writer_is_interrupted_again_and_again(folder):
    """A writes a file in pieces; B opens meanwhile after each: he sees every piece that was written, and A loses none."""
    size = 4096
    with open(folder.at_a("f"), "w+b", buffering=0) as writer:
        for i in trials():
            os.pwrite(writer.fileno(), bytes([i % 256]) * size, (i - 1) * size)
            if i == 1:
                late("the file", lambda: exists(folder.at_b("f")))
            descriptor = os.open(folder.at_b("f"), os.O_RDWR)
            assert os.pread(descriptor, size + 1, (i - 1) * size) == bytes([i % 256]) * size
            assert os.fstat(descriptor).st_size == i * size
            os.close(descriptor)
    assert get(folder.at_b("f")) == b"".join(bytes([i % 256]) * size for i in trials())


def test_a_writer_is_killed_with_data_that_is_kept_back(folder):
    """A process writes at A and is killed while it has the file open; B opens the file at once: nothing is missing."""
    folder.make("f", b"%08d" % 0)
    for i in trials():
        written, tell = os.pipe()
        child = os.fork()
        if child == 0:
            descriptor = os.open(folder.at_a("f"), os.O_RDWR)
            os.pwrite(descriptor, b"%08d" % i * 1000, 0)
            os.write(tell, b".")
            signal.pause()
            os._exit(1)
        assert os.read(written, 1) == b"."
        os.kill(child, signal.SIGKILL)
        if i % 2:
            os.waitpid(child, 0)
        descriptor = os.open(folder.at_b("f"), os.O_RDWR)
        assert os.pread(descriptor, 9000, 0) == b"%08d" % i * 1000
        os.close(descriptor)
        if not i % 2:
            os.waitpid(child, 0)
        os.close(written)
        os.close(tell)


def test_a_truncation_ends_what_another_keeps_back(folder):
    """A keeps back 8 KiB; B cuts the file to some bytes of it: those stay, and the rest does not come back when A closes."""
    folder.make("f", b"")
    for i in trials():
        keeper, cutter = folder.in_turn(i, "f")
        data = b"%08d" % i * 1000
        with open(keeper, "r+b", buffering=0) as writer:
            writer.write(data)
            os.truncate(cutter, i % 100)
            assert get(cutter) == data[:i % 100]
        with open(cutter, "r+b", buffering=0) as reader:
            assert reader.read() == data[:i % 100]


def test_a_renamed_file_has_what_another_keeps_back(folder):
    """A keeps data back; B renames the file, over one that A has just read, and reads by the new name all that A wrote."""
    folder.make("f", b"")
    for i in trials():
        keeper, mover = folder.in_turn(i, "f")
        _, place = folder.in_turn(i, "g")
        with open(keeper, "r+b", buffering=0) as writer:
            writer.write(b"%08d" % i)
            os.rename(mover, place)
            descriptor = os.open(place, os.O_RDWR)
            assert os.pread(descriptor, 100, 0) == b"%08d" % i
            os.close(descriptor)
        os.rename(place, mover)
        late("the name", lambda keeper=keeper: exists(keeper))


def test_a_file_that_another_renamed_has_what_is_kept_back(folder):
    """A has a file open, B renames it, A writes more and keeps it back: by the new name A sees the size that it has given it."""
    for i in trials(500):
        with open(folder.at_a("f"), "wb", buffering=0) as writer:
            writer.write(b"%08d" % i)
            late("the file", lambda: exists(folder.at_b("f")))
            os.rename(folder.at_b("f"), folder.at_b("g"))
            late("the new name", lambda: exists(folder.at_a("g")))
            size, end = 8, time.monotonic() + 1.5  # longer than a name is believed
            while time.monotonic() < end:
                size += writer.write(b"%08d" % i)
                assert os.stat(folder.at_a("g")).st_size == size
            assert get(folder.at_a("g")) == b"%08d" % i * (size // 8)
        os.unlink(folder.at_a("g"))
        late("the end of the file", lambda: not folder.at_server())


def test_a_name_that_another_moved_away_is_made_again(folder):
    """A has a file open that B renames; A makes a new file of that name, and one with O_EXCL: both are there, and apart."""
    for i in trials(10):
        folder.make("f", b"%08d" % i)
        for flags in (0, os.O_EXCL):
            old = os.open(folder.at_a("f"), os.O_RDWR)
            os.rename(folder.at_b("f"), folder.at_b("g"))
            late("the end of the name", lambda: not exists(folder.at_a("f")))
            new = os.open(folder.at_a("f"), os.O_RDWR | os.O_CREAT | flags)
            os.pwrite(new, b"new", 0)
            assert os.pread(old, 100, 0) == b"%08d" % i
            assert os.pread(new, 100, 0) == b"new"
            os.close(old)
            os.close(new)
            os.rename(folder.at_b("g"), folder.at_b("f"))
            late("the name", lambda i=i: exists(folder.at_a("f")) and get(folder.at_a("f")) == b"%08d" % i)
        os.unlink(folder.at_b("f"))
        late("the end of the file", lambda: not exists(folder.at_a("f")))


def test_a_name_that_another_replaced_and_moved_away_is_made_again(folder):
    """
    A has a file open by both its names, of which B moves one; he replaces the other one, and moves away what he put there:
    A makes a new file of that name with O_EXCL.
    """
    for i in trials(25):
        folder.make("f", b"%08d" % i)
        old = [os.open(folder.at_a("f"), os.O_RDWR)]
        os.link(folder.at_a("f"), folder.at_a("k"))
        old.append(os.open(folder.at_a("k"), os.O_RDONLY))
        late("the other name", lambda: exists(folder.at_b("k")))
        os.truncate(folder.at_b("k"), 8)
        os.rename(folder.at_b("k"), folder.at_b("l"))
        try:
            old.append(os.open(folder.at_a("f"), os.O_RDWR | os.O_TRUNC))
            put(folder.at_b("g"), b"other")
            os.rename(folder.at_b("g"), folder.at_b("f"))
            os.rename(folder.at_b("f"), folder.at_b("h"))
            late("the end of the name", lambda: not exists(folder.at_a("f")))
            old.append(os.open(folder.at_a("f"), os.O_RDWR | os.O_CREAT | os.O_EXCL))
            os.pwrite(old[-1], b"new", 0)
            assert os.pread(old[-1], 100, 0) == b"new"
            assert os.pread(old[0], 100, 0) == b""
        finally:
            for descriptor in old:
                os.close(descriptor)
        late("the new file", lambda: exists(folder.at_b("f")) and get(folder.at_b("f")) == b"new")
        for name in "fhl":
            os.unlink(folder.at_b(name))
        late("the end of all names", lambda: not any(exists(folder.at_a(name)) for name in "fghkl"))
        late("the end of the files", lambda: not folder.at_server())


def test_a_file_lives_by_its_other_name(folder):
    """
    A file has two names, and A has it open by both; B removes or moves away the one that A used last: by the other one A
    opens it, changes its times and cuts it at once.
    """
    for i in trials(25):
        folder.make("f", b"%08d" % i)
        os.link(folder.at_b("f"), folder.at_b("g"))
        late("the other name", lambda: exists(folder.at_a("g")))
        descriptors = [os.open(folder.at_a(name), os.O_RDONLY) for name in ("f", "g")]
        if i % 2:
            os.unlink(folder.at_b("g"))
        else:
            os.rename(folder.at_b("g"), folder.at_b("h"))
        try:
            os.utime(folder.at_a("f"), (i, i))
            os.truncate(folder.at_a("f"), 4)
            assert get(folder.at_a("f")) == (b"%08d" % i)[:4]
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        for name in "f" if i % 2 else "fh":
            os.unlink(folder.at_b(name))
        late("the end of all names", lambda: not any(exists(folder.at_a(name)) for name in "fgh"))
        late("the end of the files", lambda: not folder.at_server())


def asked_anew(path):
    """Number and size of a file, of which the kernel believes nothing that it has heard before."""
    at_fdcwd, force_sync, basic = -100, 0x2000, 0x7FF
    answer = ctypes.create_string_buffer(256)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.statx(at_fdcwd, os.fsencode(path), force_sync, basic, answer) != 0:
        raise OSError(ctypes.get_errno(), "statx", path)
    return struct.unpack_from("=QQ", answer.raw, 32)


def seen_as(path, number, size=8):
    """The file's own attributes, not those of another."""
    found = os.stat(path)
    assert found.st_ino == number and found.st_size == size, (found, number)
    return found


@pytest.mark.parametrize("act", ["stat", "times", "mode", "size", "open", "link"])
def test_a_name_of_a_file_goes_to_another(folder, act):
    """
    A file has two names, and A has used one of them last; B gives that one to another file. By the one that stayed A sees
    and changes the file itself, not the other one.
    """
    for i in trials(25):
        folder.make("f", b"%08d" % i)
        os.link(folder.at_b("f"), folder.at_b("g"))
        late("the other name", lambda: exists(folder.at_a("g")))
        number = os.stat(folder.at_a("f")).st_ino
        assert os.stat(folder.at_a("g")).st_ino == number
        os.rename(folder.at_b("g"), folder.at_b("h"))
        put(folder.at_b("g"), b"another")
        before = os.stat(folder.at_b("g"))
        if act == "stat":
            assert asked_anew(folder.at_a("f")) == (number, 8)
        elif act == "times":
            os.utime(folder.at_a("f"), (i, i))
            assert seen_as(folder.at_a("f"), number).st_mtime == i
        elif act == "mode":
            os.chmod(folder.at_a("f"), 0o444)
            assert not seen_as(folder.at_a("f"), number).st_mode & 0o222
            os.chmod(folder.at_a("f"), 0o644)
        elif act == "size":
            os.truncate(folder.at_a("f"), 4)
            assert seen_as(folder.at_a("f"), number, 4).st_size == 4
        elif act == "open":
            os.close(os.open(folder.at_a("f"), os.O_WRONLY | os.O_TRUNC))
            seen_as(folder.at_a("f"), number, 0)
        else:
            os.link(folder.at_a("f"), folder.at_a("k"))
            seen_as(folder.at_a("k"), number)
            os.unlink(folder.at_a("k"))
        after = os.stat(folder.at_b("g"))
        assert [after.st_ino, after.st_mode, after.st_size] == [before.st_ino, before.st_mode, before.st_size]
        assert after.st_mtime >= before.st_mtime  # a server may give it its last time only now
        assert get(folder.at_b("g")) == b"another"
        for name in "fgh":
            os.unlink(folder.at_b(name))
        late("the end of all names", lambda: not any(exists(folder.at_a(name)) for name in "fghk"))
        late("the end of the files", lambda: not folder.at_server())


def test_a_lock_goes_with_the_data(folder):
    """
    A locks, changes and unlocks; B cannot lock meanwhile, can afterwards, and then reads what A wrote through a descriptor
    that it had before and with pages that it had before. In turn.
    """
    folder.make("f", b"%08d" % 0)
    both = [os.open(path, os.O_RDWR) for path in (folder.at_a("f"), folder.at_b("f"))]
    for i in trials():
        one, other = both if i % 2 else reversed(both)
        fcntl.lockf(one, fcntl.LOCK_EX | fcntl.LOCK_NB, 8, 0)
        assert os.pread(one, 8, 0) == b"%08d" % (i - 1)
        with pytest.raises((BlockingIOError, PermissionError)):
            fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB, 8, 0)
        os.pwrite(one, b"%08d" % i, 0)
        os.ftruncate(one, 8 + i % 100)
        fcntl.lockf(one, fcntl.LOCK_UN, 8, 0)
        fcntl.lockf(other, fcntl.LOCK_SH | fcntl.LOCK_NB, 8, 0)
        assert os.pread(other, 8, 0) == b"%08d" % i
        assert os.fstat(other).st_size == 8 + i % 100
        fcntl.lockf(other, fcntl.LOCK_UN, 8, 0)
    for descriptor in both:
        os.close(descriptor)


def take_turns(folder, name, until, result):
    """One writes and keeps it back, the other opens and has it: that is a break. In turn; how often."""
    turns = 0
    try:
        while time.monotonic() < until:
            one, other = folder.in_turn(turns, name)
            writer = os.open(one, os.O_RDWR)
            os.pwrite(writer, b"%08d" % turns, 0)
            reader = os.open(other, os.O_RDWR)
            assert os.pread(reader, 100, 0) == b"%08d" % turns
            os.close(reader)
            os.close(writer)
            turns += 1
        result.append(turns)
    except (AssertionError, OSError) as error:
        result.append(error)


def test_many_breaks_a_second(folder):
    """
    Clients take a file that is being written from each other as fast as they can, four files at once: each open finds what
    was written last, and costs the other his lease, if he had one yet. For 30 s and 1,000 times a second with RDR_LONG, where the server is in
    this process.
    """
    seconds = 30 if rig.LONG else 1
    names = [f"f{i}" for i in range(4)]
    for name in names:
        folder.make(name, b"")
    before, began, results = folder.world.breaks(), time.monotonic(), []
    workers = [threading.Thread(target=take_turns, args=(folder, name, began + seconds, results)) for name in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took, breaks = time.monotonic() - began, folder.world.breaks() - before
    assert all(isinstance(turns, int) for turns in results), results
    say(f"{folder.kind}: {sum(results) / took:.0f} changes of the writer and {breaks / took:.0f} breaks a second, for {took:.0f} s")
    assert min(results) >= 10
    assert breaks >= sum(results) // 3
    assert breaks >= 1000 * took or not rig.LONG or folder.kind != "mem"


def test_a_sleeping_handle_does_not_keep_others_from_the_file(folder):
    """B deletes, renames and replaces files that A has only just closed: no error, and soon they are really gone."""
    kinds, many = ("gone", "old", "target"), 34
    for _ in trials(len(kinds) * many):
        names = [f"{kind}{i}" for kind in kinds for i in range(many)]
        for name in names:
            put(folder.at_b(name), b"1")
        rig.wait_until("the names at A", SOON, lambda: all(exists(folder.at_a(name)) for name in names))
        for name in names:
            asleep(folder.at_a(name))
        for i in range(many):
            os.unlink(folder.at_b(f"gone{i}"))
            os.rename(folder.at_b(f"old{i}"), folder.at_b(f"target{i}"))
            os.unlink(folder.at_b(f"target{i}"))
        # a server need not ask for the handle before a deletion (Samba does not): it goes by itself
        rig.wait_until("the end of the files", SOON, lambda: folder.at_server() == [])
        rig.wait_until("the end of the names at A", SOON, lambda: not any(exists(folder.at_a(name)) for name in names))


def test_both_append_and_nothing_is_lost(folder):
    """Opens in turn, each writing its line at the end that it finds."""
    folder.make("log", b"")
    lines = []
    for i in trials():
        lines.append(b"%s %d\n" % (b"a" if i % 2 else b"b", i))
        with open(folder.in_turn(i, "log")[0], "ab", buffering=0) as file:
            file.write(lines[-1])
    assert get(os.path.join(folder.disk or folder.b, "log")) == b"".join(lines)


# ---- late by a message, or by the time of trust ----


def test_an_open_file_shows_soon_what_the_other_wrote(folder):
    """A keeps a file open and reads it; B writes. The break of a read lease is waited for by nobody."""
    folder.make("f", b"%08d" % 0)
    content, size = [], []
    with open(folder.at_a("f"), "rb", buffering=0) as reader, open(folder.at_b("f"), "r+b", buffering=0) as writer:
        for i in trials():
            os.pread(reader.fileno(), 8, 0)
            os.pwrite(writer.fileno(), b"%08d" % i, 0)
            content.append(late("content", lambda i=i: os.pread(reader.fileno(), 8, 0) == b"%08d" % i))
            os.ftruncate(writer.fileno(), 8 + i % 100)
            size.append(late("size", lambda i=i: os.fstat(reader.fileno()).st_size == 8 + i % 100))
    publish("a read of an open file after another client's write", folder.kind, content)
    publish("the size of an open file after another client's truncation", folder.kind, size)


def test_a_file_opened_again_has_what_the_other_wrote(folder):
    """
    A opens, reads and closes; B replaces the content; A's next open reads it. The handle that A keeps asleep, and its
    pages, cost no message: that they are old A hears from the break, for which the server does not make B wait.
    """
    folder.make("f", b"%08d" % 0)
    delays = []
    for i in trials():
        asleep(folder.at_a("f"))
        with open(folder.at_b("f"), "r+b", buffering=0) as writer:
            writer.write(b"%08d" % i)
        delays.append(late("content", lambda i=i: get(folder.at_a("f")) == b"%08d" % i))
    publish("an open after another client's write", folder.kind, delays)


def test_a_mapping_shows_soon_what_the_other_wrote(folder):
    """A reads through a mapping of the whole file, which B overwrites."""
    folder.make("f", b"%08d" % 0)
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
    folder.make("f", b"")
    folder.in_use()
    grown, cut = [], []
    for i in trials():
        put(folder.at_b("f"), b"x" * (1000 + i % 1000))
        grown.append(late("growth", lambda i=i: os.stat(folder.at_a("f")).st_size == 1000 + i % 1000))
        os.truncate(folder.at_b("f"), i % 7)
        cut.append(late("truncation", lambda i=i: os.stat(folder.at_a("f")).st_size == i % 7))
        late("the content", lambda i=i: get(folder.at_a("f")) == b"x" * (i % 7))
    publish("a size after another client's write and close", folder.kind, grown)
    publish("a size after another client's truncation", folder.kind, cut)


def test_times_follow(folder):
    """B sets a file's times; A sees them."""
    folder.make("f", b"")
    folder.in_use()
    delays = []
    for i in trials():
        os.utime(folder.at_b("f"), (10**9 + i, 10**9 + 2 * i))
        delays.append(late("times", lambda i=i: os.stat(folder.at_a("f")).st_mtime == 10**9 + 2 * i))
    publish("times after another client set them", folder.kind, delays)


def test_names_follow(folder):
    """New, renamed and removed names of B reach A, by look-up and in a listing."""
    folder.in_use()
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


# ---- the third client ----


def test_a_third_client_reads_what_is_kept_back(share, smbclient):
    """A writes and keeps the file open; smbclient fetches it and has all of it."""
    local = os.path.join(share.samba.directory, "fetched")
    with open(share.at_a("f"), "w+b", buffering=0) as writer:
        for i in trials():
            os.pwrite(writer.fileno(), b"%08d" % i * 1000, 0)
            smbclient.do(f"get f {local}")
            assert get(local) == b"%08d" % i * 1000


def test_a_third_client_is_kept_out_by_a_lock(share, smbclient):
    """What A has locked smbclient cannot read; what A unlocks it can, and has what A wrote."""
    local = os.path.join(share.samba.directory, "fetched")
    with open(share.at_a("f"), "w+b", buffering=0) as writer:
        for i in trials():
            fcntl.lockf(writer, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(writer.fileno(), b"%08d" % i, 0)
            assert "NT_STATUS_FILE_LOCK_CONFLICT" in smbclient.do(f"get f {local}")
            fcntl.lockf(writer, fcntl.LOCK_UN)
            smbclient.do(f"get f {local}")
            assert get(local) == b"%08d" % i


def test_a_third_client_s_changes_show(share, smbclient):
    """
    smbclient replaces, renames and deletes a file that A has only just closed: it may, and A sees each soon. A file whose
    handle sleeps at A is deleted when that ends; how soon a name goes is measured with files that A only looks at.
    """
    local = os.path.join(share.samba.directory, "local")
    share.in_use()
    content, size, renamed, removed = [], [], [], []
    for i in trials():
        put(share.at_a(f"f{i}"), b"a%d" % i)
        asleep(share.at_a(f"f{i}"))
        put(local, b"smbclient %d" % i)
        assert "NT_STATUS" not in smbclient.do(f"put {local} f{i}")
        content.append(late("content", lambda i=i: get(share.at_a(f"f{i}")) == b"smbclient %d" % i))
        put(local, b"x" * (100 + i % 100))
        assert "NT_STATUS" not in smbclient.do(f"put {local} f{i}")
        size.append(late("size", lambda i=i: os.stat(share.at_a(f"f{i}")).st_size == 100 + i % 100))
        asleep(share.at_a(f"f{i}"))
        assert "NT_STATUS" not in smbclient.do(f"rename f{i} g{i}")
        renamed.append(late("the new name", lambda i=i: exists(share.at_a(f"g{i}")) and not exists(share.at_a(f"f{i}"))))
        assert "NT_STATUS" not in smbclient.do(f"del g{i}")
        assert "NT_STATUS" not in smbclient.do(f"put {local} h{i}")
        late("the name", lambda i=i: exists(share.at_a(f"h{i}")))
        assert "NT_STATUS" not in smbclient.do(f"del h{i}")
        removed.append(late("the end of a name", lambda i=i: not exists(share.at_a(f"h{i}"))))
    rig.wait_until("the end of the files", SOON, lambda: share.at_server() == [])
    publish("an open after smbclient's put", share.kind, content)
    publish("a size after smbclient's put", share.kind, size)
    publish("a name that smbclient changed", share.kind, renamed)
    publish("a name that smbclient removed", share.kind, removed)


def test_a_file_replaced_behind_the_server_s_back_is_seen(share):
    """Somebody at the server renames another file over one that A has only just closed: no lease knows of it."""
    put(share.at_a("f"), b"first")
    for i in range(3):
        asleep(share.at_a("f"))
        put(os.path.join(share.disk, "other"), b"number %d" % i)
        os.rename(os.path.join(share.disk, "other"), os.path.join(share.disk, "f"))
        late("the new file", lambda i=i: get(share.at_a("f")) == b"number %d" % i)


# ---- who does not answer, and a server that goes ----


def test_a_client_that_is_stopped_keeps_nobody_from_writing(world, share):
    """B's daemon is stopped with a read lease: A's write waits for nothing. When B goes on it soon has the new data."""
    share.make("f", b"before")
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
    B's daemon is stopped with data that it keeps back, in 100 files: A's opens end when the server's patience does. When B
    goes on, his data are there, or he is told that they are not; and both see the same.
    """
    names = [f"f{i}" for i in range(100)]
    for name in names:
        put(share.at_a(name), b"before")
    rig.wait_until("the files", SOON, lambda: all(exists(share.at_b(name)) for name in names))
    writers = [os.open(share.at_b(name), os.O_RDWR) for name in names]
    for writer in writers:
        os.pwrite(writer, b"unsent", 0)
    os.kill(world.mounts[1].pid, signal.SIGSTOP)
    found, began = {}, time.monotonic()
    openers = [threading.Thread(target=lambda name=name: found.update({name: get(share.at_a(name))})) for name in names]
    try:
        for opener in openers:
            opener.start()
        for opener in openers:
            opener.join(timeout=max(0, began + 90 - time.monotonic()))
        took = time.monotonic() - began
    finally:
        os.kill(world.mounts[1].pid, signal.SIGCONT)
    assert found == {name: b"before" for name in names}
    say(f"{share.kind}: {len(names)} opens waited {took:.0f} s for a client that never answers")
    told = {name: was_told(writer) for name, writer in zip(names, writers)}

    def agreed(name):
        try:
            now = get(share.at_a(name))
            return get(share.at_b(name)) == now and (told[name] or now == b"unsent")
        except OSError:
            return False

    rig.wait_until("one truth", 30, lambda: all(agreed(name) for name in names))


def was_told(writer):
    """Ends a descriptor: did anybody say that its data are lost?"""
    told = False
    for step in (os.fsync, os.close):
        try:
            step(writer)
        except OSError:
            told = True
    return told


class Leased:
    """A server with a mount of its own, and files of three kinds that the mount holds leases of."""

    def __init__(self):
        self.server = rig.Samba()
        self.mount = rig.Mount(self.server.unc(), f"credentials={self.server.credentials}")

    def at(self, name):
        return os.path.join(self.mount.path, name)

    def lose_the_server(self, names):
        """Killed, and back with other content in each of the files."""
        self.server.signal_all(signal.SIGKILL)
        for name in names:
            put(os.path.join(self.server.disk(), name), b"after!")
        self.server.start()

    def has_come_back(self, name):
        try:
            return get(self.at(name)) == b"after!"
        except OSError:
            return False

    def end(self):
        try:
            self.mount.unmount()
        finally:
            self.server.stop()


@pytest.fixture
def leased():
    made = Leased()
    yield made
    made.end()


def read_or_none(descriptor):
    try:
        return os.pread(descriptor, 100, 0)
    except OSError:
        return None


def test_leases_end_with_the_server(leased):
    """
    The server is killed while handles sleep, while files are open to read and while data is kept back. After its return
    nothing hangs: files are what they are, whoever has one open gets that or an error, never what was; and data that did
    not arrive is an error of its writer.
    """
    many = 34
    for _ in trials(3 * many):
        slept, read, written = ([f"{kind}{i}" for i in range(many)] for kind in ("slept", "read", "written"))
        for name in slept + read + written:
            put(leased.at(name), b"before")
        writers = [os.open(leased.at(name), os.O_RDWR) for name in written]
        readers = [os.open(leased.at(name), os.O_RDONLY) for name in read]
        assert [os.pread(reader, 100, 0) for reader in readers] == [b"before"] * many
        for writer in writers:
            os.pwrite(writer, b"unsent", 0)
        for name in slept:
            asleep(leased.at(name))
        leased.lose_the_server(slept + read)
        rig.wait_until("the server's return", 30, lambda: leased.has_come_back("slept0"))
        assert [get(leased.at(name)) for name in slept + read] == [b"after!"] * (2 * many)
        assert all(read_or_none(reader) in (None, b"after!") for reader in readers)
        told = [was_told(writer) for writer in writers]
        assert all(told[i] or get(leased.at(written[i])) == b"unsent" for i in range(many))
        for reader in readers:
            os.close(reader)
        for name in slept + read + written:
            os.unlink(leased.at(name))
