"""Servers without leases: oplocks keep two clients of one file coherent (dialect 2.0.2; and 3.x with leases off)."""

import os
import time

import pytest

import rig

ROUNDS = 1000 if rig.LONG else 20
SOON = 3  # s: attributes are trusted for one where nothing is granted


@pytest.fixture(scope="module", params=["2.0.2", "3.0"])
def clients(request, tmp_path_factory):
    """Two mounts of a share whose server knows no leases."""
    config = tmp_path_factory.mktemp("samba") / "global"
    config.write_text("smb2 leases = no\n")
    before = os.environ.get("SAMBA_GLOBAL")
    os.environ["SAMBA_GLOBAL"] = str(config)
    try:
        samba = rig.Samba()
    finally:
        del os.environ["SAMBA_GLOBAL"]
        if before is not None:
            os.environ["SAMBA_GLOBAL"] = before
    options = f"credentials={samba.credentials},vers={request.param}"
    a, b = rig.Mount(samba.unc(), options), rig.Mount(samba.unc(), options)
    yield a, b
    a.unmount()
    b.unmount()
    samba.stop()


def put(path, data):
    with open(path, "wb") as file:
        file.write(data)


def test_a_reader_sees_what_the_other_writes(clients):
    """The other's open takes our batch oplock down to level II, his write takes that: the pages go with it."""
    here, there = (os.path.join(mount.path, "reader") for mount in clients)
    put(here, b"%08d" % 0)
    for i in range(1, ROUNDS):
        with open(here, "rb", buffering=0) as reader:
            assert os.pread(reader.fileno(), 8, 0) == b"%08d" % (i - 1)
            with open(there, "r+b", buffering=0) as writer:
                os.pwrite(writer.fileno(), b"%08d" % i, 0)
            # level II is broken without an answer of ours: soon, not before; and a handle without any asks again in time
            rig.wait_until("the new bytes", SOON, lambda: os.pread(reader.fileno(), 8, 0) == b"%08d" % i)


def test_what_is_kept_back_is_there_when_the_other_asks(clients):
    """Batch: the other client's open waits until our data has been written."""
    here, there = (os.path.join(mount.path, "writer") for mount in clients)
    put(here, b"")
    for i in range(ROUNDS):
        with open(here, "r+b", buffering=0) as writer:
            os.pwrite(writer.fileno(), b"%08d" % i, 0)
            with open(there, "rb") as reader:
                assert reader.read() == b"%08d" % i


def test_our_own_second_handle_does_not_wait(clients):
    """A handle of ours that breaks our own batch oplock is not held up for the server's patience."""
    path = os.path.join(clients[0].path, "own")
    put(path, b"")
    with open(path, "wb", buffering=0) as writer:
        os.pwrite(writer.fileno(), b"promised", 0)
        began = time.monotonic()
        with open(path, "rb") as reader:
            assert reader.read() == b"promised"
        assert time.monotonic() - began < 5
