"""What an operation costs on the wire, and that what was saved is never at the price of a stale answer."""

import os
import time

import pytest

import rig
import wire


@pytest.fixture(scope="module")
def tap(samba):
    made = wire.Tap(samba.port)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def mount(samba, tap):
    made = rig.Mount(f"//127.0.0.1:{tap.port}/share", f"credentials={samba.credentials}")
    yield made
    made.unmount()


@pytest.fixture
def folder(request, samba, mount):
    """An empty folder that the kernel knows nothing of: its path in the mount, and on the server's disk."""
    name = "rt-" + request.node.name
    disk = os.path.join(samba.disk(), name)
    os.mkdir(disk)
    os.chmod(disk, 0o777)
    return os.path.join(mount.path, name), disk


def cost(tap, action):
    """The messages that somebody waited for while `action` ran."""
    tap.clear()
    action()
    return tap.waited_for()


def expire():
    """Longer than anything may be believed."""
    time.sleep(1.2)


def test_creating_does_not_ask_for_the_folder_again(folder, tap):
    """A change in a folder makes nobody ask for its attributes before the next change."""
    path, _ = folder
    os.close(os.open(os.path.join(path, "first"), os.O_CREAT | os.O_WRONLY))
    sent = cost(tap, lambda: [
        os.close(os.open(os.path.join(path, f"n{i}"), os.O_CREAT | os.O_WRONLY)) for i in range(10)])
    # each: is the name there? then the create
    assert len(sent) <= 20, sent


def test_folder_shows_our_own_change_at_once(folder):
    """stat() of a folder right after a change of ours in it: what the server's own disk says, not older."""
    path, disk = folder
    changes = [
        lambda: os.close(os.open(os.path.join(path, "a"), os.O_CREAT | os.O_WRONLY)),
        lambda: os.rename(os.path.join(path, "a"), os.path.join(path, "b")),
        lambda: os.mkdir(os.path.join(path, "d")),
        lambda: os.unlink(os.path.join(path, "b")),
        lambda: os.rmdir(os.path.join(path, "d")),
    ]
    for change in changes:
        os.stat(path)
        time.sleep(0.02)  # the server's clock ticks every few milliseconds: the change must show in it
        before = os.stat(path).st_mtime_ns
        change()
        after = os.stat(path).st_mtime_ns
        assert after > before
        # SMB counts in units of 100 ns
        assert abs(after - os.stat(disk).st_mtime_ns) < 1000
