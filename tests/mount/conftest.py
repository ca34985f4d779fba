"""Fixtures: one server for the session, one mount of each kind, a fresh folder for each test."""

import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import coherence  # noqa: E402
import rig  # noqa: E402

# seconds a test may take, unless it says otherwise with the marker `limit`
LIMIT = 120


def why_not():
    if not os.access(rig.RDR, os.X_OK):
        return "RDR_BIN does not name the program"
    if not os.path.exists("/dev/fuse"):
        return "no /dev/fuse on this machine"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse may not be opened by this user"
    return None


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): how long a test may take")
    config.addinivalue_line("markers", "without_fuse: runs where FUSE does not")


def pytest_collection_modifyitems(items):
    reason = why_not()
    for item in items:
        if reason and not (item.get_closest_marker("without_fuse") and os.access(rig.RDR, os.X_OK)):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def bounded(request):
    """A test that hangs in a mount is freed, and fails."""
    marker = request.node.get_closest_marker("limit")
    limit = marker.args[0] if marker else LIMIT
    with rig.Watchdog(limit) as watchdog:
        yield
    assert not watchdog.fired, f"took more than {limit} s; its mounts were taken away"


@pytest.fixture(scope="session")
def samba():
    server = rig.Samba()
    yield server
    server.stop()


class Volumes:
    """The mounts that tests share; one that died is made again for the next test."""

    def __init__(self, samba_of):
        self.samba_of = samba_of
        self.mounts = {}

    def get(self, kind):
        mount = self.mounts.get(kind)
        if mount is None or not mount.alive():
            if mount is not None:
                mount.discard()
            if kind == "mem":
                mount = rig.Mount("mem:tests")
            else:
                server = self.samba_of()
                mount = rig.Mount(server.unc(), f"credentials={server.credentials}")
            self.mounts[kind] = mount
        return mount


@pytest.fixture(scope="session")
def volumes(request):
    kept = Volumes(lambda: request.getfixturevalue("samba"))
    yield kept
    broken = []
    for mount in kept.mounts.values():
        try:
            mount.unmount()
        except AssertionError as error:
            broken.append(str(error))
    if broken:
        pytest.fail("\n".join(broken), pytrace=False)


class Place:
    """A fresh folder in a mount: `path`, and `disk`, the same folder on the server's own disk."""

    def __init__(self, kind, mount, name, disk):
        self.kind = kind
        self.mount = mount
        self.name = name
        self.path = os.path.join(mount.path, name)
        self.disk = disk

    def __truediv__(self, name):
        if isinstance(name, bytes):
            return os.path.join(os.fsencode(self.path), name)
        return os.path.join(self.path, name)


@pytest.fixture(params=["mem", "smb"])
def place(request, volumes):
    kind = request.param
    mount = volumes.get(kind)
    name = "t" + str(abs(hash(request.node.nodeid)) % 10**8)
    server = request.getfixturevalue("samba") if kind == "smb" else None
    disk = os.path.join(server.disk(), name) if server else None
    os.mkdir(os.path.join(mount.path, name))
    read_before = len(mount.read_log())
    yield Place(kind, mount, name, disk)
    text = mount.read_log()[read_before:]
    if not mount.alive():
        pytest.fail(f"the daemon did not survive the test\n{text}", pytrace=False)
    if rig.SANITIZER.search(text):
        pytest.fail(f"the daemon broke a rule\n{text}", pytrace=False)
    # a share goes with its server; to clean up behind the mount's back would be a test of its own
    if kind == "mem":
        shutil.rmtree(os.path.join(mount.path, name), ignore_errors=True)


def pytest_sessionfinish(session):
    """Whatever happened: nothing of ours stays mounted."""
    for mount in list(rig.Mount.active):
        mount.discard()


def pytest_terminal_summary(terminalreporter):
    """What is published stands at the end, also when all is well."""
    for line in coherence.published:
        terminalreporter.write_line("published: " + line)
