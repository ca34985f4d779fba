"""What an operation costs on the wire, and that what was saved is never at the price of a stale answer."""

import errno
import os
import time

import pytest

import rig
import wire


TRUST = 1.0  # s: how long names and attributes are believed


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
def folder(request, samba, mount, tap):
    """An empty folder that the kernel knows nothing of: its path in the mount, and on the server's disk."""
    name = "rt-" + request.node.name
    disk = os.path.join(samba.disk(), name)
    os.mkdir(disk)
    os.chmod(disk, 0o777)
    # the share's root may have been listed a moment ago
    rig.wait_until("the folder", TRUST + 0.5, lambda: os.path.isdir(os.path.join(mount.path, name)))
    tap.clear()
    return os.path.join(mount.path, name), disk


def cost(tap, action):
    """The messages that somebody waited for while `action` ran."""
    tap.clear()
    action()
    return tap.waited_for()


def put(path, data=b""):
    with open(path, "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), 0o666)


def exists_at_once(path):
    try:
        os.stat(path)
        return True
    except FileNotFoundError:
        return False


def prime(path, tap):
    """Asks for names in a folder until it is listed for the next lookups."""
    for i in range(10):
        assert not exists_at_once(os.path.join(path, f"nothing{i}"))
    assert any("QUERY_DIRECTORY" in names for names in tap.sent)


def test_creating_does_not_ask_for_the_folder_again(folder, tap):
    """A change in a folder makes nobody ask for its attributes before the next change."""
    path, _ = folder
    os.close(os.open(os.path.join(path, "first"), os.O_CREAT | os.O_WRONLY))
    sent = cost(tap, lambda: [
        os.close(os.open(os.path.join(path, f"n{i}"), os.O_CREAT | os.O_WRONLY)) for i in range(10)])
    # each: is the name there? then the create
    assert len(sent) <= 20, sent


def tick(disk):
    """The time that the server's disk gives to a change now."""
    path = disk + ".tick"
    with open(path, "wb") as file:
        file.write(b"x")
    return os.stat(path).st_mtime_ns


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
        # the server's clock ticks every few milliseconds: the change must show in it
        rig.wait_until("a tick of the server's clock", 5, lambda: tick(disk) > os.stat(disk).st_mtime_ns)
        before = os.stat(path).st_mtime_ns
        change()
        after = os.stat(path).st_mtime_ns
        assert after > before
        # SMB counts in units of 100 ns
        assert abs(after - os.stat(disk).st_mtime_ns) < 1000


def test_a_change_of_a_name_is_one_message(folder, tap):
    """rename, unlink and rmdir of what the kernel knows: one message each, whatever it is made of."""
    path, disk = folder
    for i in range(5):
        os.close(os.open(os.path.join(path, f"f{i}"), os.O_CREAT | os.O_WRONLY))
        os.mkdir(os.path.join(path, f"d{i}"))
    os.rename(os.path.join(path, "f0"), os.path.join(path, "g0"))  # finds out which classes the server has
    os.rmdir(os.path.join(path, "d0"))
    sent = cost(tap, lambda: [
        os.rename(os.path.join(path, f"f{i}"), os.path.join(path, f"g{i}")) for i in range(1, 5)])
    changes = [names for names in sent if "SET_INFO" in names]
    assert changes == ["CREATE+SET_INFO+CLOSE"] * 4, sent
    assert "CREATE" not in sent and "CREATE+QUERY_INFO" not in sent, sent
    sent = cost(tap, lambda: [os.rmdir(os.path.join(path, f"d{i}")) for i in range(1, 5)])
    assert sent == ["CREATE+SET_INFO+CLOSE"] * 4
    sent = cost(tap, lambda: [os.unlink(os.path.join(path, f"g{i}")) for i in range(1, 5)])
    assert len([names for names in sent if names == "CREATE+CLOSE"]) == 4, sent
    assert sorted(os.listdir(disk)) == ["g0"]


def test_the_short_way_refuses_what_the_long_way_refuses(folder):
    """What a rename or a removal in one message must not do, it does not."""
    path, disk = folder
    for name in ("a", "b", "full/x"):
        os.makedirs(os.path.join(path, os.path.dirname(name)), exist_ok=True)
        with open(os.path.join(path, name), "w", encoding="ascii") as file:
            file.write(name)
    with pytest.raises(OSError) as refused:
        os.rmdir(os.path.join(path, "full"))
    assert refused.value.errno == errno.ENOTEMPTY
    with pytest.raises(OSError) as refused:
        os.rename(os.path.join(path, "a"), os.path.join(path, "full"))
    assert refused.value.errno == errno.EISDIR
    os.unlink(os.path.join(disk, "a"))
    with pytest.raises(FileNotFoundError):
        os.rename(os.path.join(path, "a"), os.path.join(path, "c"))
    os.chmod(os.path.join(path, "b"), 0o444)
    os.unlink(os.path.join(path, "b"))
    assert sorted(os.listdir(disk)) == ["full"]
    assert os.listdir(os.path.join(disk, "full")) == ["x"]


def test_what_is_open_goes_on_across_renames(folder):
    """A file that is open here is renamed, and replaced, under its handle: the engine must hear of it."""
    path, disk = folder
    with open(os.path.join(path, "a"), "w+b", buffering=0) as first, \
            open(os.path.join(path, "b"), "w+b", buffering=0) as second:
        first.write(b"first")
        second.write(b"second")
        os.rename(os.path.join(path, "a"), os.path.join(path, "c"))
        with open(os.path.join(path, "n"), "wb") as file:
            file.write(b"new")
        os.rename(os.path.join(path, "n"), os.path.join(path, "b"))
        first.write(b"+")
        assert os.pread(second.fileno(), 10, 0) == b"second"
        with open(os.path.join(path, "b"), "rb") as file:
            assert file.read() == b"new"
        assert os.fstat(first.fileno()).st_size == 6
    with open(os.path.join(disk, "c"), "rb") as file:
        assert file.read() == b"first+"


def test_a_replaced_file_is_not_read_from_a_handle_that_sleeps(folder):
    """What was read, closed and then replaced by a rename in one message reads as the new file."""
    path, _ = folder
    for round_ in range(5):
        for name in ("old", "new"):
            with open(os.path.join(path, name), "wb") as file:
                file.write(f"{name} {round_}".encode())
        for name in ("old", "new"):
            with open(os.path.join(path, name), "rb") as file:
                assert file.read() == f"{name} {round_}".encode()
        os.rename(os.path.join(path, "new"), os.path.join(path, "old"))
        with open(os.path.join(path, "old"), "rb") as file:
            assert file.read() == f"new {round_}".encode()
        with pytest.raises(FileNotFoundError):
            open(os.path.join(path, "new"), "rb")
        os.unlink(os.path.join(path, "old"))


def test_many_lookups_are_answered_by_one_listing(folder, tap):
    """stat of each file of a folder that nobody has listed: a few are asked for, then the folder, right sizes all."""
    path, disk = folder
    for i in range(200):
        put(os.path.join(disk, f"f{i}"), b"x" * i)
    sent = cost(tap, lambda: [
        pytest.fail(f"f{i}") for i in range(200) if os.stat(os.path.join(path, f"f{i}")).st_size != i])
    assert len(sent) < 20, sent


def test_new_names_are_not_asked_for_in_a_folder_just_listed(folder, tap):
    """The kernel looks each name up before it makes it: a young listing knows that it is not there."""
    path, _ = folder
    began = time.monotonic()
    prime(path, tap)
    sent = cost(tap, lambda: [os.mkdir(os.path.join(path, f"d{i}")) for i in range(10)])
    if time.monotonic() - began < TRUST:
        assert len(sent) == 10, sent


def test_our_own_changes_show_at_once_in_a_folder_just_listed(folder, tap):
    """Whatever the listing said a moment ago: names and sizes are those after our change, by every spelling."""
    path, _ = folder

    def at(name):
        return os.path.join(path, name)

    for name in ("grows", "shrinks", "goes", "moves", "mode"):
        put(at(name), b"12345")
    prime(path, tap)
    with open(at("grows"), "ab") as file:
        file.write(b"678")
    assert os.stat(at("grows")).st_size == 8
    os.truncate(at("shrinks"), 2)
    assert os.stat(at("shrinks")).st_size == 2
    os.unlink(at("goes"))
    assert not exists_at_once(at("goes"))
    os.rename(at("moves"), at("moved"))
    assert not exists_at_once(at("moves"))
    assert os.stat(at("moved")).st_size == 5
    os.chmod(at("mode"), 0o444)
    assert os.stat(at("mode")).st_mode & 0o222 == 0
    assert not exists_at_once(at("fresh"))
    put(at("FRESH"), b"1")
    assert os.stat(at("fresh")).st_size == 1
    os.mkdir(at("sub"))
    put(at("sub/Name"), b"12")
    assert os.stat(at("SUB/NAME")).st_size == 2
    assert not exists_at_once(at("sub/other"))
    os.rename(at("moved"), at("sub/other"))
    assert os.stat(at("sub/other")).st_size == 5
    assert not exists_at_once(at("moved"))
    os.rename(at("sub/other"), at("grows"))
    assert os.stat(at("grows")).st_size == 5


def test_a_file_written_after_the_listing_has_its_size_by_its_other_name(folder, tap):
    """Two names of one file: written through one, looked up by the other for the first time."""
    path, disk = folder
    put(os.path.join(disk, "one"), b"1")
    os.link(os.path.join(disk, "one"), os.path.join(disk, "two"))
    prime(path, tap)
    with open(os.path.join(path, "one"), "ab") as file:
        file.write(b"2345")
    assert os.stat(os.path.join(path, "two")).st_size == 5


def test_what_others_change_shows_within_the_time_of_trust(folder, tap):
    """A listing is believed for a second: names and sizes of others' changes show then, missing ones too."""
    path, disk = folder
    put(os.path.join(disk, "f"), b"1")
    prime(path, tap)
    os.stat(os.path.join(path, "f"))
    put(os.path.join(disk, "f"), b"123")
    put(os.path.join(disk, "new"), b"12")
    rig.wait_until("the new name", TRUST + 0.5, lambda: exists_at_once(os.path.join(path, "new")))
    rig.wait_until("the new size", TRUST + 0.5, lambda: os.stat(os.path.join(path, "f")).st_size == 3)
    prime(path, tap)
    os.unlink(os.path.join(disk, "new"))
    rig.wait_until("the end of the name", TRUST + 0.5, lambda: not exists_at_once(os.path.join(path, "new")))


def test_names_that_servers_do_not_list_are_asked_for(folder, tap):
    """A folder of snapshots stands in no listing: its absence there proves nothing, and so for names beyond ASCII."""
    path, disk = folder
    prime(path, tap)
    tap.clear()
    for name in (".snapshot", "~snap", "@GMT", "caf\u00e9"):
        os.mkdir(os.path.join(disk, name))
        assert exists_at_once(os.path.join(path, name)), name


def read(path):
    with open(path, "rb") as file:
        return file.read()


def test_what_is_granted_is_not_asked_again(folder, tap):
    """Opened, read, closed: while the handle and its grant live on, doing it again costs no message."""
    path, disk = folder
    data = os.urandom(300000)
    put(os.path.join(disk, "f"), data)
    name = os.path.join(path, "f")
    assert read(name) == data
    sent = cost(tap, lambda: [read(name) for _ in range(20)])
    assert sent == [], sent
    # and our own change through another handle ends the pages, not the grant
    descriptor = os.open(name, os.O_WRONLY)
    os.pwrite(descriptor, b"changed", 1000)
    os.close(descriptor)
    assert read(name) == data[:1000] + b"changed" + data[1007:]


def test_pages_do_not_outlive_the_grant(folder, samba):
    """A file read and closed here, then rewritten by another client, keeping its size: the new data is read soon."""
    path, _ = folder
    other = rig.Mount(samba.unc(), f"credentials={samba.credentials}")
    try:
        theirs = os.path.join(other.path, os.path.basename(path), "f")
        ours = os.path.join(path, "f")
        for i in range(50):
            data = b"%08d" % i * 1000
            with open(theirs, "wb") as file:
                file.write(data)
            rig.wait_until("the file", TRUST + 0.5, lambda: os.path.exists(ours))
            rig.wait_until("the new data", 3, lambda: read(ours) == data)
            assert read(ours) == data
    finally:
        other.unmount()


def test_a_grant_comes_back(folder, tap, samba):
    """A file stays open here while another client writes to it: soon after he is done, reading it is free again."""
    path, disk = folder
    put(os.path.join(disk, "f"), b"a" * 8192)
    other = rig.Mount(samba.unc(), f"credentials={samba.credentials}")
    try:
        theirs = os.path.join(other.path, os.path.basename(path), "f")
        with open(os.path.join(path, "f"), "rb", buffering=0) as file:
            assert os.pread(file.fileno(), 8192, 0) == b"a" * 8192
            rig.wait_until("the file", TRUST + 0.5, lambda: os.path.exists(theirs))
            with open(theirs, "r+b") as writer:
                writer.write(b"b" * 8192)
            rig.wait_until("the new data", 3, lambda: os.pread(file.fileno(), 8192, 0) == b"b" * 8192)

            def free():
                time.sleep(0.05)
                return cost(tap, lambda: [os.pread(file.fileno(), 8192, 0) for _ in range(10)]) == []

            rig.wait_until("reads that cost nothing", 5, free)
            # and the grant that came back can be taken again
            with open(theirs, "r+b") as writer:
                writer.write(b"c" * 8192)
            rig.wait_until("the newest data", 3, lambda: os.pread(file.fileno(), 8192, 0) == b"c" * 8192)
    finally:
        other.unmount()
