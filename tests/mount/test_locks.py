"""Locks of files (fcntl and flock) between the processes of a mount, and between two mounts of one share.

A mount is a client of its own: what one holds, the server keeps from the other.
"""

import json
import os
import select
import signal
import subprocess
import sys

import pytest

import rig

SOON = 5  # s
HERE = os.path.dirname(os.path.abspath(__file__))
REFUSED = ("EAGAIN", "EACCES")


class Process:
    """A process of its own, which opens files and locks them (locker.py)."""

    def __init__(self, path=None, flags=os.O_RDWR):
        self.child = subprocess.Popen([sys.executable, os.path.join(HERE, "locker.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.child.pid
        self.children = []
        self.fd = self.ask("open", path, flags) if path else None
        assert path is None or isinstance(self.fd, int), self.fd

    def tell(self, *words):
        self.child.stdin.write(json.dumps(words).encode() + b"\n")
        self.child.stdin.flush()

    def answered(self, limit=0.0):
        return bool(select.select([self.child.stdout], [], [], limit)[0])

    def answer(self, limit=30):
        assert self.answered(limit), f"no answer within {limit} s"
        return json.loads(self.child.stdout.readline())

    def ask(self, *words):
        self.tell(*words)
        return self.answer()

    def lock(self, kind, start=0, length=0, fd=None):
        return self.ask("lock", self.fd if fd is None else fd, kind, start, length, False)

    def wait_for(self, kind, start=0, length=0):
        self.tell("lock", self.fd, kind, start, length, True)

    def test(self, kind, start=0, length=0):
        return self.ask("test", self.fd, kind, start, length)

    def flock(self, kind, wait=False):
        return self.ask("flock", self.fd, kind, wait)

    def fork(self):
        self.children.append(self.ask("fork"))
        return self.children[-1]

    def end(self):
        for pid in self.children + [self.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.child.wait(timeout=30)
        self.child.stdin.close()
        self.child.stdout.close()


@pytest.fixture(scope="module")
def clients(samba):
    a = rig.Mount(samba.unc(), f"credentials={samba.credentials}")
    b = rig.Mount(samba.unc(), f"credentials={samba.credentials}")
    yield a, b
    a.unmount()
    b.unmount()


def fresh(first, request, others=()):
    """A new file, as every mount names it."""
    name = "l" + str(abs(hash(request.node.nodeid)) % 10**8)
    with open(os.path.join(first.path, name), "wb") as file:
        file.write(b"0123456789" * 100)
    places = [os.path.join(mount.path, name) for mount in (first, *others)]
    rig.wait_until("the file at the other client", SOON, lambda: all(os.path.exists(place) for place in places))
    return places


@pytest.fixture
def files(clients, request):
    """The same new file as each of two clients names it."""
    return fresh(clients[0], request, clients[1:])


@pytest.fixture
def here(request, place):
    """A file in one mount, of each kind."""
    path = place / "f"
    with open(path, "wb") as file:
        file.write(b"0123456789" * 100)
    return path


@pytest.fixture
def start():
    """Makes processes, and ends them."""
    made = []

    def make(*words, **more):
        made.append(Process(*words, **more))
        return made[-1]

    yield make
    for process in made:
        process.end()


def refused(answer):
    assert answer is True or answer in REFUSED, answer
    return answer is not True


# ---- between two mounts ----


def test_a_lock_of_one_mount_is_seen_by_the_other(files, start):
    """What A holds B cannot have, and F_GETLK at B says so; what A gives up B gets."""
    a, b = start(files[0]), start(files[1])
    assert a.lock("w", 10, 20) is True
    assert refused(b.lock("w", 15, 1))
    assert refused(b.lock("r", 29, 5))
    assert b.test("r", 15, 1)[0] == "w"
    assert b.lock("w", 30, 5) is True
    assert b.lock("w", 0, 10) is True
    assert a.lock("u", 10, 20) is True
    assert b.test("w", 15, 1)[0] == "u"
    assert b.lock("w", 10, 20) is True
    assert a.test("w")[0] == "w"
    assert b.lock("u") is True
    assert a.lock("w") is True


def test_shared_locks_are_shared(files, start):
    """Both read-lock; neither gets more until the other lets go, and who asked in vain keeps what he had."""
    a, b = start(files[0]), start(files[1])
    assert a.lock("r", 0, 100) is True
    assert b.lock("r", 50, 100) is True
    assert b.test("w", 0, 10)[0] == "r"
    assert refused(a.lock("w", 40, 20))
    assert refused(b.lock("w", 99, 1))
    assert refused(b.lock("w", 0, 10)), "A has lost what it had"
    assert b.lock("u") is True
    assert a.lock("w", 40, 20) is True
    assert refused(b.lock("r", 50, 1))
    assert b.lock("r", 0, 40) is True, "A has more than it asked for"
    assert b.lock("r", 60, 40) is True


def test_a_lock_is_weakened_and_cut(files, start):
    """Exclusive to shared, a hole in the middle, the ends: the other client gets exactly what was given up."""
    a, b = start(files[0]), start(files[1])
    assert a.lock("w", 0, 100) is True
    assert a.lock("u", 40, 20) is True
    assert refused(b.lock("w", 39, 1)) and refused(b.lock("w", 60, 1))
    assert b.lock("w", 40, 20) is True
    assert b.lock("u") is True
    assert a.lock("r", 60, 40) is True
    assert b.lock("r", 60, 40) is True
    assert refused(b.lock("r", 0, 1))
    assert b.lock("u") is True
    assert a.lock("u", 60, 10) is True
    assert b.lock("w", 60, 10) is True
    assert refused(b.lock("w", 70, 30)) and refused(b.lock("w", 0, 40))
    assert a.lock("u") is True
    assert b.lock("w") is True


def test_a_lock_is_waited_for_at_the_server(files, start):
    """F_SETLKW of B comes back when A gives the range up, and not before."""
    a, b = start(files[0]), start(files[1])
    assert a.lock("w", 0, 10) is True
    b.wait_for("w", 5, 10)
    assert not b.answered(0.5)
    assert a.lock("w", 20, 5) is True, "who waits keeps nobody from the rest"
    assert a.lock("u", 0, 10) is True
    assert b.answer(SOON) is True
    assert refused(a.lock("r", 14, 1))
    assert a.lock("r", 4, 1) is True


def test_waiting_for_more_than_one_shares(files, start):
    """Who holds a shared lock and waits for more gets it when the other sharer goes."""
    a, b = start(files[0]), start(files[1])
    assert a.lock("r", 0, 10) is True and b.lock("r", 0, 10) is True
    b.wait_for("w", 0, 10)
    assert not b.answered(0.5)
    assert a.lock("u") is True
    assert b.answer(SOON) is True
    assert refused(a.lock("r", 0, 1))


def test_a_signal_ends_the_wait_at_the_server(files, start):
    """EINTR, and nothing is held or wanted afterwards."""
    a, b = start(files[0]), start(files[1])
    assert a.lock("w", 0, 10) is True
    assert b.ask("alarm", 0.3) is None
    b.wait_for("w", 0, 10)
    assert b.answer(SOON) == "EINTR"
    assert a.lock("u") is True
    assert a.test("w")[0] == "u"
    assert a.lock("w") is True


def test_death_releases(files, start):
    """The locks of a killed process go, those that it waited for too."""
    a, b, c = start(files[0]), start(files[1]), start(files[1])
    assert a.lock("w", 0, 10) is True
    b.wait_for("w", 0, 10)
    assert not b.answered(0.2)
    b.end()
    c.wait_for("w", 0, 10)
    a.end()
    assert c.answer(SOON) is True
    c.end()
    d = start(files[0])
    rig.wait_until("the end of C's lock", SOON, lambda: d.lock("w") is True)


def test_flock_between_mounts(files, start):
    """flock is a lock at the server too: shared and exclusive, waited for, gone with the last descriptor."""
    a, b = start(files[0]), start(files[1])
    assert a.flock("r") is True and b.flock("r") is True
    assert refused(b.flock("w"))
    assert a.flock("u") is True
    rig.wait_until("B alone", SOON, lambda: b.flock("w") is True)
    a.tell("flock", a.fd, "w", True)
    assert not a.answered(0.3)
    b.end()
    assert a.answer(SOON) is True


def test_flock_and_fcntl_meet_at_the_server(files, start):
    """At the server there is only one kind of lock."""
    a, b = start(files[0]), start(files[1])
    assert a.flock("w") is True
    assert refused(b.lock("r", 7, 1))
    assert a.flock("u") is True
    assert b.lock("r", 7, 1) is True
    assert refused(a.flock("w"))
    assert a.flock("r") is True


def test_what_is_locked_the_other_client_cannot_touch(files, start):
    """Locks are mandatory at the server: a transfer of the other client is refused, with an error that says so."""
    a, b = start(files[0]), start(files[1])
    assert a.lock("w", 0, 10) is True
    assert a.ask("write", a.fd, "ab", 0) == 2
    assert b.ask("write", b.fd, "x", 9) == "EACCES"
    # Samba looks for locks only where it has granted no caching of reads, and takes that back behind the lock's answer
    rig.wait_until("no reading", SOON, lambda: b.ask("read", b.fd, 2, 0) == "EACCES")
    assert b.ask("write", b.fd, "x", 10) == 1
    assert a.lock("u") is True
    assert b.ask("read", b.fd, 2, 0) == "ab"


def test_a_counter_under_a_lock(files, start):
    """Two clients add to a number under a lock, reading it through another descriptor that keeps pages: none is lost."""
    rounds = 400 if rig.LONG else 40
    program = (
        "import fcntl, os, sys\n"
        "path, rounds = sys.argv[1], int(sys.argv[2])\n"
        "lock, reader = os.open(path, os.O_RDWR), os.open(path, os.O_RDONLY)\n"
        "for _ in range(rounds):\n"
        "    fcntl.lockf(lock, fcntl.LOCK_EX, 1, 5000)\n"
        "    number = int(os.pread(reader, 8, 0))\n"
        "    assert os.fstat(reader).st_size == 1000 + number, (os.fstat(reader).st_size, number)\n"
        "    os.pwrite(lock, b'%08d' % (number + 1), 0)\n"
        "    os.ftruncate(lock, 1000 + number + 1)\n"
        "    fcntl.lockf(lock, fcntl.LOCK_UN, 1, 5000)\n"
    )
    with open(files[0], "r+b", buffering=0) as file:
        file.write(b"%08d" % 0)
    both = [subprocess.Popen([sys.executable, "-c", program, path, str(rounds)]) for path in files for _ in range(2)]
    for process in both:
        assert process.wait(timeout=100) == 0
    with open(files[0], "rb") as file:
        assert int(file.read(8)) == 4 * rounds


# ---- under an exclusive grant: the server hears of no lock until somebody else comes ----


def lock_messages(mount):
    """How many LOCK messages the mount has sent, for an operation or because of a break."""
    stats = mount.stats()
    sent = [operation["messages"] for operation in stats["operations"]] + [stats["background"]["messages"]]
    return sum(times for messages in sent for name, times in messages.items() if "LOCK" in name.split("+"))


def test_a_lock_under_an_exclusive_grant_costs_nothing(files, clients, start):
    """
    Locks, conversions, unlocks, conflicts and waits of the processes of one mount: no message. When the other mount opens the
    file it is as if the server had known all along: what is held is refused there, what is given up is had there.
    """
    a, beside = start(files[0]), start(files[0])
    assert a.lock("w", 0, 10) is True  # the grant of the writer that made the file may just have been taken
    assert a.lock("u") is True
    before = lock_messages(clients[0])
    for _ in range(20):
        assert a.lock("r", 0, 100) is True
        assert a.lock("w", 10, 20) is True
        assert a.lock("u", 0, 50) is True
        assert a.lock("u") is True
    assert a.lock("w", 0, 10) is True
    assert a.lock("r", 20, 10) is True
    assert beside.lock("r", 25, 10) is True
    assert refused(beside.lock("w", 0, 1))
    beside.wait_for("w", 5, 5)
    assert not beside.answered(0.1)
    assert a.lock("u", 5, 5) is True
    assert beside.answer(SOON) is True
    assert a.test("w", 5, 5)[3] == beside.pid
    assert a.ask("write", a.fd, "abc", 0) == 3
    assert lock_messages(clients[0]) == before

    b = start(files[1])
    assert refused(b.lock("r", 0, 5))
    assert refused(b.lock("r", 9, 1))
    assert refused(b.lock("w", 34, 1))
    assert b.lock("r", 20, 15) is True
    assert b.lock("w", 35, 10) is True
    assert lock_messages(clients[0]) > before
    b.wait_for("w", 0, 5)
    assert not b.answered(0.3)
    assert a.lock("u", 0, 5) is True
    assert b.answer(SOON + 5) is True
    assert b.ask("read", b.fd, 3, 0) == "abc"
    assert refused(a.lock("r", 0, 1))


@pytest.mark.parametrize("how", ["closed", "dead"])
def test_a_lock_that_nobody_heard_of_is_given_up(files, clients, start, how):
    """With the close, or the death, of its holder it is gone: the other client has it at once, and no message was sent."""
    a = start(files[0])
    before = lock_messages(clients[0])
    assert a.lock("w", 0, 10) is True
    if how == "closed":
        a.ask("close", a.fd)
    else:
        a.end()
    b = start(files[1])
    assert b.lock("w", 0, 10) is True
    assert lock_messages(clients[0]) == before


# ---- in one mount: what POSIX says ----


def test_a_deadlock_is_refused(here, place, start):
    """Who would wait for ever is told (EDEADLK), in one file and across two; whoever waits already goes on waiting."""
    other = place / "g"
    with open(other, "wb") as file:
        file.write(b"x")
    a, b = start(here), start(other)
    assert a.lock("w", 0, 10) is True
    assert b.lock("w", 0, 10) is True
    b_here, a_other = b.ask("open", str(here), os.O_RDWR), a.ask("open", str(other), os.O_RDWR)
    a.tell("lock", a_other, "r", 0, 10, True)
    assert not a.answered(0.3)
    assert b.ask("lock", b_here, "w", 5, 1, True) in ("EDEADLK", "EDEADLOCK"), "two names of one number"
    assert not a.answered(0.1)
    assert b.lock("u") is True
    assert a.answer(SOON) is True


def test_processes_of_one_mount(here, start):
    """A conflict of two processes here: refused, named with its process, waited for, interrupted."""
    a, b = start(here), start(here)
    assert a.lock("w", 10, 20) is True
    assert refused(b.lock("r", 29, 1))
    assert b.test("w", 0, 0) == ["w", 10, 20, a.pid]
    assert b.lock("w", 30, 0) is True
    assert a.test("r", 100, 1) == ["w", 30, 0, b.pid]
    assert b.ask("alarm", 0.3) is None
    b.wait_for("w", 0, 30)
    assert b.answer(SOON) == "EINTR"
    b.wait_for("w", 0, 30)
    assert not b.answered(0.3)
    assert a.lock("u", 10, 10) is True
    assert not b.answered(0.2)
    assert a.lock("u", 20, 10) is True
    assert b.answer(SOON) is True
    assert a.test("r", 0, 1) == ["w", 0, 0, b.pid], "one lock by now"


def test_locks_here_keep_nobody_from_the_data(here, start):
    """Whoever does not ask for a lock reads and writes, through whatever handle, as on a local file system."""
    before, a = start(here), start(here)
    assert a.lock("w") is True
    after, reader = start(here), start(here, os.O_RDONLY)
    assert before.ask("write", before.fd, "before", 0) == 6
    assert after.ask("write", after.fd, "after", 10) == 5
    assert reader.ask("read", reader.fd, 15, 0) == "before6789after"
    assert a.ask("fsync", a.fd) is None and before.ask("fsync", before.fd) is None
    writer = start(here, os.O_WRONLY)
    os.truncate(here, 12)
    assert writer.ask("write", writer.fd, "end", 12) == 3
    assert reader.ask("read", reader.fd, 100, 0) == "before6789afend"


def test_a_descriptor_that_may_not_read_takes_a_lock_too(here, start):
    """A lock through a descriptor that only writes, or only reads, keeps nobody here from reading and writing."""
    reader, writer = start(here, os.O_RDONLY), start(here, os.O_WRONLY)
    assert writer.flock("w") is True
    assert reader.ask("read", reader.fd, 3, 0) == "012"
    assert writer.ask("write", writer.fd, "x", 1) == 1
    assert writer.flock("u") is True
    assert reader.flock("w") is True
    assert writer.ask("write", writer.fd, "y", 2) == 1
    assert reader.ask("read", reader.fd, 3, 0) == "0xy"
    assert reader.ask("lock", reader.fd, "w", 0, 1, False) == "EBADF"


def test_close_gives_up_as_posix_says(here, start):
    """fcntl's go with any descriptor of the process, also one they were not taken through; flock's with the last."""
    a, b = start(here), start(here)
    second = a.ask("open", here, os.O_RDONLY)
    assert a.lock("w") is True
    assert a.ask("close", second) is None
    assert b.lock("w") is True
    assert b.lock("u") is True
    copy = a.ask("dup", a.fd)
    assert a.flock("w") is True
    child = a.fork()
    assert a.ask("close", a.fd) is None
    assert refused(b.flock("w"))
    assert a.ask("close", copy) is None
    assert refused(b.flock("w"))
    os.kill(child, signal.SIGKILL)
    rig.wait_until("the last descriptor", SOON, lambda: b.flock("w") is True)


def test_a_child_inherits_no_lock(here, start):
    """fcntl's locks stay with the process; its death frees them though the child has the descriptor still."""
    a, b = start(here), start(here)
    assert a.lock("w") is True
    a.fork()
    os.kill(a.pid, signal.SIGKILL)
    rig.wait_until("the lock", SOON, lambda: b.lock("w") is True)


def test_flock_and_fcntl_do_not_meet_here(here, start):
    """As on a local file system the two kinds know nothing of each other."""
    a, b = start(here), start(here)
    assert a.flock("w") is True
    assert b.lock("w") is True
    assert a.lock("u") is True
    assert refused(a.lock("r"))
    assert refused(b.flock("r"))
    assert b.lock("u") is True
    assert refused(b.flock("r"))


def test_a_file_without_a_name_is_locked(here, start):
    """An open file is locked after its name is gone, and stays so for whoever has it open."""
    a, b = start(here), start(here)
    os.unlink(here)
    assert a.lock("w", 0, 10) is True
    assert refused(b.lock("w", 0, 1))
    assert b.ask("write", b.fd, "x", 0) == 1
    a.end()
    rig.wait_until("the lock", SOON, lambda: b.lock("w", 0, 1) is True)


def test_many_wait(here, start):
    """A hundred processes wait for one lock and nothing else stops; each gets it once."""
    a = start(here)
    assert a.lock("w") is True
    count = 100
    program = ("import fcntl, os, sys\n"
               "fd = os.open(sys.argv[1], os.O_RDWR)\n"
               "print(flush=True)\n"
               "fcntl.lockf(fd, fcntl.LOCK_EX)\n"
               "number = int(os.pread(fd, 8, 2000) or b'0')\n"
               "os.pwrite(fd, b'%08d' % (number + 1), 2000)\n")
    waiting = [subprocess.Popen([sys.executable, "-c", program, here], stdout=subprocess.PIPE) for _ in range(count)]
    for process in waiting:
        process.stdout.readline()
    assert a.ask("read", a.fd, 3, 0) == "012"
    assert a.lock("u") is True
    for process in waiting:
        assert process.wait(timeout=60) == 0
        process.stdout.close()
    assert a.ask("read", a.fd, 8, 2000) == "%08d" % count


# ---- the option ----


def test_nobrl_keeps_locks_here(samba, request, start):
    """nobrl: processes of the mount meet, the server hears nothing."""
    options = f"credentials={samba.credentials}"
    a, b = rig.Mount(samba.unc(), options + ",nobrl"), rig.Mount(samba.unc(), options)
    try:
        files = fresh(a, request, (b,))
        one, two, other = start(files[0]), start(files[0]), start(files[1])
        assert one.lock("w") is True
        assert refused(two.lock("w"))
        assert other.lock("w") is True
        one.end(), two.end(), other.end()
    finally:
        a.unmount()
        b.unmount()


# ---- loss ----


def test_a_lost_lock_is_an_error_forever(request, start):
    """
    The server dies and comes back: what was locked is not. Every later read, write, fsync and lock of that descriptor is
    EIO; a new descriptor works.
    """
    server = rig.Samba()
    mount = rig.Mount(server.unc(), f"credentials={server.credentials},timeout=5")
    try:
        (path,) = fresh(mount, request)
        holder, sleeper, sharer, other = start(path), start(path), start(path, os.O_RDONLY), start(path)
        assert holder.lock("w", 0, 10) is True
        assert sleeper.lock("w", 20, 10) is True
        assert sharer.lock("r", 40, 10) is True
        server.signal_all(signal.SIGKILL)
        assert holder.ask("read", holder.fd, 3, 0) == "EIO"
        rig.wait_until("its end", 10, lambda: rig.is_gone(server.pid))
        server.start()
        fresh_one = start()
        rig.wait_until("the server", 30, lambda: isinstance(fresh_one.ask("open", path, os.O_RDWR), int))
        fresh_one.fd = fresh_one.ask("open", path, os.O_RDWR)
        assert fresh_one.ask("read", fresh_one.fd, 3, 0) == "012"
        assert fresh_one.lock("w", 0, 100) is True
        for process in (holder, sleeper, sharer):  # of one file: what one has lost all have lost
            for _ in range(2):
                assert process.ask("read", process.fd, 3, 0) == "EIO"
                assert process.ask("lock", process.fd, "r", 60, 1, False) == "EIO"
                assert process.ask("fsync", process.fd) == "EIO"
        assert holder.ask("write", holder.fd, "x", 0) == "EIO"
        assert sleeper.ask("write", sleeper.fd, "x", 0) == "EIO"
        for process in (holder, sleeper, sharer, other, fresh_one):
            process.end()
    finally:
        mount.discard()
        server.stop()


# ---- what locks are for ----

SQLITE = r"""
import random, sqlite3, sys, time
path, me, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
end = time.monotonic() + seconds
base = sqlite3.connect(path, timeout=30, isolation_level=None)
done = busy = 0
while time.monotonic() < end:
    try:
        if random.random() < 0.3:
            total, count = base.execute("select sum(amount), count(*) from account").fetchone()
            assert total == 100000, total
            assert count == 100, count
        else:
            one, two, sum = random.randrange(100), random.randrange(100), random.randrange(10)
            base.execute("begin immediate" if random.random() < 0.5 else "begin")
            base.execute("update account set amount = amount - ? where id = ?", (sum, one))
            base.execute("update account set amount = amount + ? where id = ?", (sum, two))
            base.execute("insert into log(who, note) values (?, ?)", (me, "x" * random.randrange(2000)))
            base.execute("commit" if random.random() < 0.9 else "rollback")
        done += 1
    except sqlite3.OperationalError as error:
        if "locked" not in str(error) and "busy" not in str(error):
            raise
        busy += 1
        if base.in_transaction:
            base.execute("rollback")
rows = base.execute("select count(*) from log where who = ?", (me,)).fetchone()[0]
base.close()
print(done, busy, rows)
"""


@pytest.mark.limit(1200 if rig.LONG else 180)
def test_sqlite_from_two_mounts(files):
    """
    A database with a rollback journal, written by two processes of each of two clients at once: every transaction is
    whole, and the database too.
    """
    sqlite3 = pytest.importorskip("sqlite3")
    seconds = 600 if rig.LONG else 20
    for path in files:
        assert os.path.exists(path)
    names = [path + ".db" for path in files]
    base = sqlite3.connect(names[0], isolation_level=None)
    base.execute("pragma journal_mode=delete")
    base.executescript("create table account(id integer primary key, amount integer);"
                       "create table log(id integer primary key, who integer, note text);")
    base.executemany("insert into account values (?, 1000)", [(i,) for i in range(100)])
    base.close()
    rig.wait_until("the database at the other client", SOON, lambda: os.path.exists(names[1]))
    workers = [subprocess.Popen([sys.executable, "-c", SQLITE, names[i % 2], str(i), str(seconds)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
               for i in range(4)]
    written = 0
    for worker in workers:
        out, err = worker.communicate(timeout=seconds + 100)
        assert worker.returncode == 0, err.decode()
        done, busy, rows = map(int, out.split())
        print(f"{done} transactions, {busy} times busy, {rows} rows")
        assert done > 0
        written += rows
    for name in names:
        base = sqlite3.connect(name)
        assert base.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert base.execute("select sum(amount) from account").fetchone() == (100000,)
        assert base.execute("select count(*) from log").fetchone() == (written,)
        base.close()


def test_sqlite_with_a_shared_log(files, samba):
    """
    A write-ahead log needs memory that every process shares. Within one mount, which has the file to itself, there is such;
    the second mount gets an error and never data that is not so, and the database stays whole.
    """
    sqlite3 = pytest.importorskip("sqlite3")
    name = os.path.basename(files[0]) + ".wal"
    on_disk = os.path.join(samba.disk(), name)
    base = sqlite3.connect(on_disk)
    assert base.execute("pragma journal_mode=wal").fetchone() == ("wal",)
    base.execute("create table t(x)")
    base.execute("insert into t values (1)")
    base.commit()
    base.close()
    os.chmod(on_disk, 0o666)
    here, there = (os.path.join(os.path.dirname(path), name) for path in files)
    for path in (here, there):
        rig.wait_until("the database", SOON, lambda path=path: os.path.exists(path))
    first, second = sqlite3.connect(here, timeout=5, isolation_level=None), sqlite3.connect(here, timeout=5, isolation_level=None)
    for n in range(2, 12):
        (first if n % 2 else second).execute("insert into t values (?)", (n,))
    assert first.execute("select count(*) from t").fetchone() == second.execute("select count(*) from t").fetchone() == (11,)
    stranger = sqlite3.connect(there, timeout=1, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        stranger.execute("insert into t values (100)")
    stranger.close()
    for base in (first, second):
        try:
            base.close()
        except sqlite3.OperationalError:
            pass  # what it shared is not to itself any more
    base = sqlite3.connect(on_disk)
    assert base.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert base.execute("select x from t order by x").fetchall() == [(n,) for n in range(1, 12)]
    base.close()
