"""Locks of files (fcntl and flock) between the processes of a mount, and between two mounts of one share.

A mount is a client of its own: what one holds, the server keeps from the other.
"""

import errno
import fcntl
import os
import struct

import pytest

import rig

SOON = 3  # s
FLOCK = "hhlli4x"  # struct flock: type, whence, start, len, pid


@pytest.fixture(scope="module")
def clients(samba):
    a = rig.Mount(samba.unc(), f"credentials={samba.credentials}")
    b = rig.Mount(samba.unc(), f"credentials={samba.credentials}")
    yield a, b
    a.unmount()
    b.unmount()


@pytest.fixture
def files(clients, request):
    """The same new file as each client names it."""
    name = "l" + str(abs(hash(request.node.nodeid)) % 10**8)
    with open(os.path.join(clients[0].path, name), "wb") as file:
        file.write(b"0123456789" * 100)
    places = [os.path.join(mount.path, name) for mount in clients]
    rig.wait_until("the file at the other client", SOON, lambda: os.path.exists(places[1]))
    return places


def ask(fd, kind, start=0, length=0, command=fcntl.F_SETLK):
    """fcntl with a struct flock; its outcome as (type, start, length, pid)."""
    back = fcntl.fcntl(fd, command, struct.pack(FLOCK, kind, os.SEEK_SET, start, length, 0))
    kind, _, start, length, pid = struct.unpack(FLOCK, back)
    return kind, start, length, pid


def refused(fd, kind, start=0, length=0):
    try:
        ask(fd, kind, start, length)
    except OSError as error:
        assert error.errno in (errno.EAGAIN, errno.EACCES), error
        return True
    return False


@pytest.fixture
def fds(files):
    opened = [os.open(path, os.O_RDWR) for path in files]
    yield opened
    for fd in opened:
        os.close(fd)


def test_a_lock_of_one_mount_is_seen_by_the_other(fds):
    """What A holds B cannot have, and F_GETLK at B says so; what A gives up B gets."""
    a, b = fds
    ask(a, fcntl.F_WRLCK, 10, 20)
    assert refused(b, fcntl.F_WRLCK, 15, 1)
    assert refused(b, fcntl.F_RDLCK, 29, 5)
    assert ask(b, fcntl.F_RDLCK, 15, 1, fcntl.F_GETLK)[0] == fcntl.F_WRLCK
    ask(b, fcntl.F_WRLCK, 30, 5)
    ask(b, fcntl.F_WRLCK, 0, 10)
    ask(a, fcntl.F_UNLCK, 10, 20)
    assert ask(b, fcntl.F_WRLCK, 15, 1, fcntl.F_GETLK)[0] == fcntl.F_UNLCK
    ask(b, fcntl.F_WRLCK, 10, 20)
    assert ask(a, fcntl.F_WRLCK, 0, 0, fcntl.F_GETLK)[0] == fcntl.F_WRLCK
    ask(b, fcntl.F_UNLCK)
    ask(a, fcntl.F_WRLCK)
