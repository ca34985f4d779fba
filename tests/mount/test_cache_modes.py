"""What cache= means: when the server has the data of a write, and when a read asks for it."""

import os

import pytest

import rig
import wire


@pytest.fixture(scope="module")
def tap(samba):
    made = wire.Tap(samba.port)
    yield made
    made.stop()


@pytest.fixture
def mounted(samba, tap, request):
    made = rig.Mount(f"//127.0.0.1:{tap.port}/share", f"credentials={samba.credentials}{request.param}")
    yield made
    made.unmount()


def commands(tap, action):
    tap.clear()
    action()
    return [name for names in tap.waited_for() for name in names.split("+")]


def on_disk(samba, name):
    with open(os.path.join(samba.disk(), name), "rb") as file:
        return file.read()


def fresh(samba, name, data=b"", share="share"):
    path = os.path.join(samba.disk(share), name)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o666)
    return name


@pytest.mark.parametrize("mounted", [",cache=strict", ""], indirect=True, ids=["strict", "default"])
def test_a_write_is_kept_until_it_is_asked_for(mounted, samba, tap):
    """Under a write lease the bytes stay here; close(), fsync() and stat() bring them to the server."""
    name = fresh(samba, "kept")
    for bring in (os.fsync, os.fstat, None):
        descriptor = os.open(os.path.join(mounted.path, name), os.O_WRONLY | os.O_TRUNC)
        assert "WRITE" not in commands(tap, lambda: [os.write(descriptor, b"x" * 100) for _ in range(50)])
        assert on_disk(samba, name) == b""
        if bring is not None:
            sent = commands(tap, lambda: bring(descriptor))
            assert sent.count("WRITE") == 1, sent
            assert on_disk(samba, name) == b"x" * 5000
        os.close(descriptor)
        assert on_disk(samba, name) == b"x" * 5000


@pytest.mark.parametrize("mounted", [""], indirect=True, ids=["default"])
def test_reading_between_writes_asks_nobody(mounted, samba, tap):
    """Under a write lease a program reads and writes in turn, and nothing goes out."""
    name = fresh(samba, "turns", b"a" * 65536)
    path = os.path.join(mounted.path, name)
    descriptor = os.open(path, os.O_RDWR)
    try:
        assert len(os.pread(descriptor, 65536, 0)) == 65536

        def turns():
            for i in range(50):
                os.pwrite(descriptor, b"%06d" % i, i * 6)
                assert os.pread(descriptor, 8, i * 6) == b"%06daa" % i

        assert commands(tap, turns) == []
        os.pwrite(descriptor, b"end", 70000)
        assert os.pread(descriptor, 100, 69990) == bytes(10) + b"end"
        assert os.stat(path).st_size == 70003
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("mounted", [",cache=none"], indirect=True, ids=["none"])
def test_nothing_is_kept(mounted, samba, tap):
    """cache=none: each write and each read is the server's."""
    name = fresh(samba, "unkept")
    descriptor = os.open(os.path.join(mounted.path, name), os.O_RDWR)
    try:
        assert commands(tap, lambda: [os.pwrite(descriptor, b"y" * 100, i * 100) for i in range(5)]).count("WRITE") == 5
        assert on_disk(samba, name) == b"y" * 500
        assert commands(tap, lambda: [os.pread(descriptor, 500, 0) for _ in range(3)]).count("READ") == 3
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("mounted", [""], indirect=True, ids=["default"])
def test_o_sync_and_o_direct_keep_nothing(mounted, samba, tap):
    """A handle that wants its data on the disk, or no cache, gets it: each write goes out."""
    for flag in (os.O_SYNC, os.O_DSYNC, os.O_DIRECT):
        name = fresh(samba, f"flag{flag}")
        descriptor = os.open(os.path.join(mounted.path, name), os.O_WRONLY | flag)
        try:
            sent = commands(tap, lambda: [os.pwrite(descriptor, b"z" * 512, i * 512) for i in range(3)])
            assert sent.count("WRITE") == 3, (flag, sent)
            assert on_disk(samba, name) == b"z" * 1536
        finally:
            os.close(descriptor)


@pytest.mark.parametrize("mode", ["strict", "loose"])
def test_without_a_grant(samba, mode):
    """
    The share promises nothing. strict: a read through an open file shows what another has written; loose: the file is
    as it was when it was opened, and an open shows the new data at once.
    """
    mount = rig.Mount(samba.unc("plain"), f"credentials={samba.credentials},cache={mode}")
    try:
        name = fresh(samba, mode, b"a" * 100000, share="plain")
        path = os.path.join(mount.path, name)
        with open(path, "rb", buffering=0) as file:
            assert file.read() == b"a" * 100000
            with open(os.path.join(samba.disk("plain"), name), "r+b") as other:
                other.write(b"b" * 100001)
            if mode == "strict":
                rig.wait_until("the new data", 3, lambda: os.pread(file.fileno(), 10, 0) == b"b" * 10)
            else:
                assert os.pread(file.fileno(), 10, 0) == b"a" * 10
            with open(path, "rb") as again:
                assert again.read(10) == b"b" * 10
    finally:
        mount.unmount()
