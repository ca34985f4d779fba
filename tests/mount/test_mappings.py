"""
Files in the memory of programs that change them there (MAP_SHARED, PROT_WRITE). While no other client has the file
open, the kernel may keep changed pages; what takes that away brings them to the server first. With another client
there is no new mapping, and what an old one changes goes to the server at once, or fsync() says that it did not.
"""

import errno
import fcntl
import mmap
import os
import sqlite3
import subprocess
import sys
import time

import pytest

import rig

PAGE = 4096
SIZE = 64 * PAGE
SOON = 5  # s


def put(path, data):
    with open(path, "wb") as file:
        file.write(data)


def get(path):
    with open(path, "rb") as file:
        return file.read()


def block(i, size=PAGE):
    return bytes([i % 251 + 1]) * size


class Mapped:
    """A file, open for reading and writing, and mapped so."""

    def __init__(self, path, size=SIZE):
        self.fd = os.open(path, os.O_RDWR)
        try:
            self.memory = mmap.mmap(self.fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        except OSError:
            os.close(self.fd)
            raise

    def store(self, page, data):
        self.memory[page * PAGE:page * PAGE + len(data)] = data

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.memory.close()
        os.close(self.fd)


class Clients:
    """Two clients of one volume: a has the mapping, b is the other one. at_server() asks neither of them."""

    def __init__(self, kind, samba):
        self.kind = kind
        self.samba = samba
        self.second = None
        if kind == "mem":
            self.second = rig.tempfile.mkdtemp(prefix="rdr-mnt-", dir="/tmp")
            self.mounts = [rig.Mount("mem:mappings", arguments=("--also", self.second))]
            self.a, self.b = self.mounts[0].path, self.second
        else:
            self.mounts = [rig.Mount(samba.unc(), f"credentials={samba.credentials}") for _ in range(2)]
            self.a, self.b = (mount.path for mount in self.mounts)

    def paths(self, name, data=bytes(SIZE)):
        """The same fresh file, as each client has it."""
        a, b = os.path.join(self.a, name), os.path.join(self.b, name)
        put(a, data)
        rig.wait_until("the file at the other client", SOON, lambda: os.path.exists(b))
        return a, b

    def end(self):
        try:
            for mount in self.mounts:
                mount.unmount()
        finally:
            if self.second is not None:
                os.rmdir(self.second)


@pytest.fixture(scope="module", params=["mem", "smb"])
def clients(request):
    made = Clients(request.param, request.getfixturevalue("samba") if request.param == "smb" else None)
    yield made
    made.end()


# ---- one client ----


def test_what_is_stored_is_there_for_everybody_here(place):
    """Stores are seen by every path at once: this handle, others of all kinds, opened before or after."""
    put(place / "f", block(0, SIZE))
    flags = (os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_DIRECT, os.O_RDWR | os.O_APPEND)
    before = [os.open(place / "f", flag) for flag in flags]
    with Mapped(place / "f") as mapped:
        after = [os.open(place / "f", flag) for flag in flags]
        for i in range(1, 20):
            mapped.store(i % 64, block(i))
            for fd in [mapped.fd] + before + after:
                assert os.pread(fd, PAGE, i % 64 * PAGE) == block(i), (i, fd)
            assert get(place / "f")[i % 64 * PAGE:][:PAGE] == block(i)
            assert os.stat(place / "f").st_size == SIZE
        for fd in before + after:
            os.close(fd)


def test_what_is_written_is_there_in_the_mapping(place):
    """Writes of other handles come into the mapping at once, and stores beside them in the same page survive."""
    put(place / "f", block(0, SIZE))
    before = [os.open(place / "f", flag) for flag in (os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_DIRECT)]
    with Mapped(place / "f") as mapped:
        after = [os.open(place / "f", flag) for flag in (os.O_WRONLY, os.O_RDWR)]
        for i in range(1, 20):
            for fd in before + after:
                mapped.store(i, b"stored %06d" % i)
                os.pwrite(fd, b"written %06d" % i, i * PAGE + 2000)
                assert mapped.memory[i * PAGE + 2000:i * PAGE + 2014] == b"written %06d" % i, (i, fd)
                assert mapped.memory[i * PAGE:i * PAGE + 13] == b"stored %06d" % i, (i, fd)
        for fd in before + after:
            os.close(fd)
    data = get(place / "f")
    assert data[19 * PAGE:19 * PAGE + 13] == b"stored 000019" and len(data) == SIZE


def test_msync_fsync_close_and_munmap_bring_it_to_the_server(place, request):
    """Each of them, and the descriptor may be closed long before the mapping is."""
    put(place / "f", bytes(SIZE))

    def at_server():
        return get(os.path.join(place.disk, "f") if place.disk else place / "f")

    mapped = Mapped(place / "f")
    for i, bring in enumerate((mapped.memory.flush, lambda: os.fsync(mapped.fd), lambda: os.close(mapped.fd),
                               mapped.memory.flush, mapped.memory.close), 1):
        mapped.store(i, block(i))
        bring()
        rig.wait_until("the page", SOON if i == 5 else 0.5, lambda i=i: at_server()[i * PAGE:][:PAGE] == block(i))
    assert at_server() == bytes(PAGE) + b"".join(block(i) for i in range(1, 6)) + bytes(SIZE - 6 * PAGE)


def test_a_mapping_and_a_size(place):
    """A mapped file is cut and grown: what was cut off is zeros, nothing of it comes back."""
    put(place / "f", bytes(SIZE))
    with Mapped(place / "f") as mapped:
        for i in range(1, 10):
            mapped.store(0, block(i))
            mapped.store(9, block(i))
            os.ftruncate(mapped.fd, 100)
            assert os.stat(place / "f").st_size == 100
            os.ftruncate(mapped.fd, SIZE)
            assert mapped.memory[:PAGE] == block(i, 100) + bytes(PAGE - 100)
            assert mapped.memory[9 * PAGE:10 * PAGE] == bytes(PAGE)
            assert get(place / "f") == block(i, 100) + bytes(SIZE - 100)


def test_many_changed_pages(place):
    """More than one message can carry, changed in no order, by several programs at once."""
    size = 8 << 20
    put(place / "f", bytes(size))
    program = ("import mmap,os,sys\n"
               "fd=os.open(sys.argv[1],os.O_RDWR)\n"
               "m=mmap.mmap(fd,0)\n"
               "n=int(sys.argv[2])\n"
               "for k in range(2048):\n"
               "    p=(k*1031)%2048*4096+n*16\n"
               "    m[p:p+16]=b'%08d%08d'%(n,k)\n")
    running = [subprocess.Popen([sys.executable, "-c", program, place / "f", str(n)]) for n in range(4)]
    assert [one.wait(60) for one in running] == [0] * 4
    data = get(os.path.join(place.disk, "f") if place.disk else place / "f")
    for k in range(2048):
        at = (k * 1031) % 2048 * PAGE
        for n in range(4):
            assert data[at + n * 16:at + n * 16 + 16] == b"%08d%08d" % (n, k), (k, n)


# ---- two clients ----


def test_another_client_that_opens_sees_every_store(clients):
    """The break waits until the kernel has given up its changed pages: not one of them is missing."""
    for i in range(1, 30):
        a, b = clients.paths(f"opens{i}")
        with Mapped(a) as mapped:
            for page in range(0, 64, 1 + i % 7):
                mapped.store(page, block(i + page))
            data = get(b)
            for page in range(0, 64, 1 + i % 7):
                assert data[page * PAGE:page * PAGE + PAGE] == block(i + page), (i, page)
            assert len(data) == SIZE


def test_no_mapping_while_another_client_has_the_file_open(clients):
    """Nobody would say when a page changes: ENODEV, and everything else works. Once he has closed it, it works again."""
    a, b = clients.paths("enodev")
    other = os.open(b, os.O_RDWR)
    with pytest.raises(OSError) as refused:
        Mapped(a)
    assert refused.value.errno == errno.ENODEV
    with open(a, "r+b", buffering=0) as file:
        file.write(b"plain")
        assert os.pread(other, 5, 0) == b"plain"
    os.close(other)

    def works():
        os.rename(a, a + ".new")  # a handle that only sleeps is closed for that, where the server asks for it
        os.rename(a + ".new", a)
        try:
            with Mapped(a) as mapped:
                mapped.store(0, b"again")
        except OSError as error:
            assert error.errno == errno.ENODEV
            return False
        return True

    rig.wait_until("a mapping", SOON, works)
    assert get(b)[:5] == b"again"


def test_a_mapping_goes_on_when_another_client_reads(clients):
    """He has the file open: what is stored from then on is at the server a moment later, and he sees it. Nothing fails."""
    a, b = clients.paths("reads")
    with Mapped(a) as mapped:
        mapped.store(0, block(1))
        other = os.open(b, os.O_RDONLY)
        assert os.pread(other, PAGE, 0) == block(1)
        for i in range(2, 12):
            mapped.store(i % 5, block(i))
            rig.wait_until("the store", SOON, lambda i=i: os.pread(other, PAGE, i % 5 * PAGE) == block(i))
            assert mapped.memory[i % 5 * PAGE:][:PAGE] == block(i)
        mapped.memory.flush()
        os.fsync(mapped.fd)
        os.close(other)
        time.sleep(1.1)
        mapped.store(7, block(99))
        mapped.memory.flush()
    assert get(b)[7 * PAGE:8 * PAGE] == block(99)


STORER = """
import mmap, os, select, sys
fd = os.open(sys.argv[1], os.O_RDWR)
m = mmap.mmap(fd, 4096)
m[0:8] = b"%08d" % 0
print("mapped", flush=True)
sys.stdin.readline()
k = 0
while not select.select([0], [], [], 0)[0]:
    k += 1
    m[0:8] = b"%08d" % k
    m[200:208] = b"%08d" % k
    m.flush()
print(k, flush=True)
"""


def test_another_client_writes_into_a_page_that_is_stored_to(clients):
    """
    A program goes on storing to a page of a mapping that has outlived its grant, and another client writes elsewhere in the
    same page: of neither anything is lost, though the kernel writes back whole pages.
    """
    a, b = clients.paths("beside", bytes(PAGE))
    storer = subprocess.Popen([sys.executable, "-c", STORER, a], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    other = -1
    try:
        assert storer.stdout.readline() == "mapped\n"
        other = os.open(b, os.O_RDWR)
        assert os.pread(other, 8, 0) == b"%08d" % 0
        storer.stdin.write("go\n")
        storer.stdin.flush()
        k, rounds, began = -1, 5000 if rig.LONG else 300, time.monotonic()
        # until both have had their turns, however the machine hands them out
        while k < rounds or int(os.pread(other, 8, 0)) <= 10:
            assert time.monotonic() - began < 60, k
            if k >= rounds:
                time.sleep(0.02)
            k += 1
            assert os.pwrite(other, b"%08d" % k, 100) == 8
            for _ in range(3):
                assert os.pread(other, 8, 100) == b"%08d" % k, k
        storer.stdin.write("end\n")
        storer.stdin.flush()
        last = int(storer.stdout.readline())
        assert storer.wait(10) == 0
        data = os.pread(other, PAGE, 0)
    finally:
        storer.kill()
        storer.communicate()
        if other >= 0:
            os.close(other)
    assert data[:8] == data[200:208] == b"%08d" % last
    assert data[100:108] == b"%08d" % (k,)


def test_pages_that_outlive_their_grant(clients):
    """Stores of a value that was there before arrive, too, whatever else has changed the page here meanwhile."""
    a, b = clients.paths("again", bytes(4 * PAGE))
    with Mapped(a, 4 * PAGE) as mapped:
        mapped.store(0, b"first")
        other = os.open(b, os.O_RDWR)
        try:
            assert os.pread(other, 5, 0) == b"first"
            for i in range(30):
                for change in (lambda: os.pwrite(mapped.fd, b"second", 0), lambda: os.ftruncate(mapped.fd, 2),
                               lambda: os.pwrite(other, b"third", 0)):
                    mapped.store(0, b"first")
                    mapped.memory.flush()
                    assert os.pread(other, 5, 0) == b"first", i
                    change()
                    os.ftruncate(mapped.fd, 4 * PAGE)
                    rig.wait_until("the change", SOON, lambda: mapped.memory[:5] != b"first")
                    mapped.store(0, b"first")
                    mapped.memory.flush()
                    assert os.pread(other, 5, 0) == b"first", i
        finally:
            os.close(other)


def test_a_page_with_locked_bytes(clients):
    """
    The server lets nobody write what is locked shared. Stores beside it in the same page arrive; one into it is lost, and
    msync() says so.
    """
    a, b = clients.paths("locked")
    with Mapped(a) as mapped:
        fcntl.lockf(mapped.fd, fcntl.LOCK_SH, 10, 100)
        other = os.open(b, os.O_RDWR)  # from here on the lock is the server's
        for i in range(1, 10):
            mapped.memory[0:10] = b"before%04d" % i
            mapped.memory[110:120] = b"behind%04d" % i
            mapped.memory.flush()
            data = os.pread(other, 120, 0)
            assert (data[:10], data[110:]) == (b"before%04d" % i, b"behind%04d" % i)
        mapped.memory[102:107] = b"never"
        with pytest.raises(OSError):
            mapped.memory.flush()
        assert os.pread(other, 10, 100) == bytes(10)
        os.close(other)
        fcntl.lockf(mapped.fd, fcntl.LOCK_UN, 10, 100)
        mapped.memory[102:107] = b"again"
        mapped.memory.flush()
    assert get(b)[102:107] == b"again"


# ---- SQLite with a write-ahead log: its index is a shared mapping ----

WRITER = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
end, done = time.monotonic() + float(sys.argv[3]), 0
while time.monotonic() < end:
    db.execute("begin immediate")
    db.execute("insert into rows values (?, ?, ?)", (int(sys.argv[2]), done, "x" * 300))
    db.execute("update counter set value = value + 1")
    db.execute("commit")
    done += 1
    db.execute("select count(*) from rows").fetchone()
    time.sleep(0.002)
print(done)
"""


def make_database(path):
    db = sqlite3.connect(path, isolation_level=None)
    assert db.execute("pragma journal_mode=wal").fetchone() == ("wal",)
    db.execute("create table rows (who, number, filler)")
    db.execute("create table counter (value)")
    db.execute("insert into counter values (0)")
    db.close()


def start_writers(path, count, seconds):
    return [subprocess.Popen([sys.executable, "-c", WRITER, path, str(n), str(seconds)], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True) for n in range(count)]


def finish(writers):
    """How many transactions each of them has made; none of them has failed."""
    ends = [writer.communicate(timeout=90) for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * len(writers), ends
    return [int(out) for out, _ in ends]


def check_database(path, done):
    db = sqlite3.connect(path, timeout=20)
    try:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert db.execute("select value from counter").fetchone() == (sum(done),)
        for who, number in enumerate(done):
            rows = db.execute("select number from rows where who = ? order by number", (who,)).fetchall()
            assert rows == [(i,) for i in range(number)]
    finally:
        db.close()


def test_wal_of_programs_of_one_client(clients):
    """Two programs write for some seconds, no transaction is lost, and the database is whole for another client."""
    a, b = (os.path.join(path, "wal") for path in (clients.a, clients.b))
    make_database(a)
    done = finish(start_writers(a, 2, 20 if rig.LONG else 3))
    assert min(done) > 0
    check_database(a, done)
    db = sqlite3.connect(a)
    assert db.execute("pragma wal_checkpoint(truncate)").fetchone()[0] == 0
    db.close()
    rig.wait_until("the file", SOON, lambda: os.path.exists(b))

    def seen():
        try:
            check_database(b, done)
        except sqlite3.OperationalError:
            return False  # handles of the first client that only sleep
        return True

    rig.wait_until("the database at the other client", 30, seen)


def test_wal_of_two_clients(clients):
    """While programs of one have the database open the other gets an error, and the first one's go on and lose nothing."""
    a, b = (os.path.join(path, "wal2") for path in (clients.a, clients.b))
    make_database(a)
    rig.wait_until("the file", SOON, lambda: os.path.exists(b))
    keeper = sqlite3.connect(a)
    assert keeper.execute("select value from counter").fetchone() == (0,)
    writers = start_writers(a, 2, 20 if rig.LONG else 4)
    try:
        rig.wait_until("rows", 20, lambda: keeper.execute("select value from counter").fetchone()[0] > 5)
        refused = 0
        while any(writer.poll() is None for writer in writers) and refused < (1000 if rig.LONG else 10):
            db = sqlite3.connect(b, timeout=0.1)
            with pytest.raises(sqlite3.OperationalError):
                db.execute("update counter set value = -1")
            db.close()
            refused += 1
        assert refused > 0
    finally:
        done = finish(writers)
        keeper.close()
    check_database(a, done)


def test_what_was_changed_before_a_file_is_emptied_is_gone(place):
    """Pages that are written behind the open that empties the file would make it as long as it was."""
    for i in range(1, 200 if rig.LONG else 20):
        put(place / "f", block(i, 14097))
        with open(place / "f", "r+b", buffering=0) as file:
            mapped = mmap.mmap(file.fileno(), 2 * PAGE)
        mapped[414:] = block(i + 1, 2 * PAGE - 414)
        put(place / "f", block(i + 2, PAGE + 6))
        assert os.stat(place / "f").st_size == PAGE + 6, i
        assert get(place / "f") == block(i + 2, PAGE + 6), i
        mapped.close()
        assert get(place / "f") == block(i + 2, PAGE + 6), i
