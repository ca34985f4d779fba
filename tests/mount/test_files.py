"""What a file system must do, the same for a volume in memory and for an SMB share."""

import concurrent.futures
import errno
import hashlib
import os
import random
import shutil
import stat
import threading
import time

import pytest

import rig

MIB = 1 << 20


def fill(size, seed=1):
    return random.Random(seed).randbytes(size)


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 65536, MIB - 1, MIB + 1, 9 * MIB + 7])
def test_what_is_written_is_what_the_server_has(place, size):
    """A file of any size is the same bytes in the mount, read back, and on the server's disk."""
    data = fill(size, size)
    write(place / "f", data)
    assert os.stat(place / "f").st_size == size
    assert digest(read(place / "f")) == digest(data)
    if place.disk:
        assert digest(read(os.path.join(place.disk, "f"))) == digest(data)


ONLY_SMB = pytest.mark.parametrize("place", ["smb"], indirect=True)


@ONLY_SMB
@pytest.mark.parametrize("size", [0, 1, 4096, 65537, 5 * MIB + 3])
def test_what_the_server_has_is_what_is_read(place, size):
    """A file made on the server's disk is read byte for byte."""
    data = fill(size, size + 1)
    write(os.path.join(place.disk, "made-there"), data)
    os.chmod(os.path.join(place.disk, "made-there"), 0o666)
    assert os.stat(place / "made-there").st_size == size
    assert digest(read(place / "made-there")) == digest(data)


def test_writes_at_any_offset_land_there(place):
    """Random writes at random offsets give the same file as in a model."""
    dice = random.Random(7)
    model = bytearray(2 * MIB)
    with open(place / "f", "w+b") as file:
        file.truncate(len(model))
        for _ in range(300):
            offset = dice.randrange(len(model) - 1)
            data = dice.randbytes(min(dice.choice([1, 17, 4096, 5000, 70000]), len(model) - offset))
            file.seek(offset)
            file.write(data)
            model[offset : offset + len(data)] = data
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        assert digest(file.read()) == digest(model)
    assert digest(read(place / "f")) == digest(model)
    if place.disk:
        assert digest(read(os.path.join(place.disk, "f"))) == digest(model)


def test_truncate_cuts_and_extends_with_zeros(place):
    """ftruncate and truncate cut; an extended file reads as zeros; the size is seen at once."""
    write(place / "f", b"x" * 10000)
    os.truncate(place / "f", 5000)
    assert os.stat(place / "f").st_size == 5000
    with open(place / "f", "r+b") as file:
        os.ftruncate(file.fileno(), 12000)
        assert os.fstat(file.fileno()).st_size == 12000
        assert file.read() == b"x" * 5000 + bytes(7000)
    with open(place / "f", "wb"):
        pass
    assert os.stat(place / "f").st_size == 0


def test_append_always_writes_at_the_end(place):
    """O_APPEND writes go to the end, also after somebody else made the file longer."""
    fd = os.open(place / "f", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(fd, b"one")
        with open(place / "f", "r+b") as other:
            other.seek(3)
            other.write(b"two")
        os.write(fd, b"three")
    finally:
        os.close(fd)
    assert read(place / "f") == b"onetwothree"


def test_create_exclusive_refuses_a_name_that_is_there(place):
    """O_CREAT|O_EXCL makes a new file and refuses one that exists; O_CREAT alone opens it."""
    os.close(os.open(place / "f", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    with pytest.raises(FileExistsError):
        os.open(place / "f", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.close(os.open(place / "f", os.O_CREAT | os.O_WRONLY))


def test_what_is_not_there_says_so(place):
    """Missing names and wrong kinds give ENOENT, ENOTDIR, EISDIR."""
    write(place / "f", b"")
    os.mkdir(place / "d")
    for call, expected in [
        (lambda: os.stat(place / "none"), errno.ENOENT),
        (lambda: open(place / "none", "rb"), errno.ENOENT),
        (lambda: os.stat(place / "none/x"), errno.ENOENT),
        (lambda: os.stat(place / "f/x"), errno.ENOTDIR),
        (lambda: os.listdir(place / "f"), errno.ENOTDIR),
        (lambda: open(place / "d", "wb"), errno.EISDIR),
        (lambda: os.unlink(place / "none"), errno.ENOENT),
        (lambda: os.rmdir(place / "f"), errno.ENOTDIR),
        (lambda: os.unlink(place / "d"), errno.EISDIR),
        (lambda: os.mkdir(place / "d"), errno.EEXIST),
        (lambda: os.mkdir(place / "f"), errno.EEXIST),
    ]:
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == expected


def test_directories_are_made_listed_and_removed(place):
    """mkdir, nested; listing; rmdir refuses a folder that is not empty."""
    os.makedirs(place / "a/b/c")
    write(place / "a/b/f", b"1")
    assert sorted(os.listdir(place / "a/b")) == ["c", "f"]
    with pytest.raises(OSError) as caught:
        os.rmdir(place / "a/b")
    assert caught.value.errno == errno.ENOTEMPTY
    os.unlink(place / "a/b/f")
    os.rmdir(place / "a/b/c")
    os.rmdir(place / "a/b")
    assert os.listdir(place / "a") == []
    if place.disk:
        assert os.listdir(os.path.join(place.disk, "a")) == []


@pytest.mark.limit(300)
def test_a_directory_of_ten_thousand_is_listed_whole(place):
    """Each of 10,000 names is listed once, with its kind and size; again after half are removed."""
    count = 10000
    os.mkdir(place / "many")
    base = place / "many"
    if place.disk:
        there = os.path.join(place.disk, "many")
        for i in range(count):
            write(os.path.join(there, f"file-{i:05}"), b"x" * (i % 7))
            os.chmod(os.path.join(there, f"file-{i:05}"), 0o666)
        # what changed behind the server's back is seen after at most the attribute time-out
        rig.wait_until("10,000 names", 5, lambda: len(os.listdir(base)) == count)
    else:
        for i in range(count):
            write(os.path.join(base, f"file-{i:05}"), b"x" * (i % 7))
    names = os.listdir(base)
    assert len(names) == count
    assert set(names) == {f"file-{i:05}" for i in range(count)}
    with os.scandir(base) as entries:
        for entry in entries:
            assert entry.is_file(follow_symlinks=False)
    for i in range(0, count, 997):
        assert os.stat(os.path.join(base, f"file-{i:05}")).st_size == i % 7
    for i in range(0, 2000, 2):
        os.unlink(os.path.join(base, f"file-{i:05}"))
    assert len(os.listdir(base)) == count - 1000


def test_a_directory_made_through_the_mount_is_listed_whole(place):
    """1,000 files made through the mount are all listed, and are on the server's disk."""
    names = {f"n{i}" for i in range(1000)}
    for name in names:
        os.close(os.open(place / name, os.O_CREAT | os.O_WRONLY))
    assert set(os.listdir(place.path)) == names
    if place.disk:
        assert set(os.listdir(place.disk)) == names


ODD_NAMES = [
    "grüße".encode(),
    "日本語のファイル".encode(),
    "🦀 emoji".encode(),
    "e\u0301 combining".encode(),
    b"with spaces  inside",
    b" leading space",
    b"trailing space ",
    b"trailing dot.",
    b"many dots...",
    b"...",
    b"colon:inside",
    b"question?mark",
    b"star*",
    b'double"quote',
    b"less<more>",
    b"pipe|",
    b"back\\slash",
    b"latin1-\xe9\xff",
    b"\xff\xfe\x80",
    b"half\xc3",
    b"tab\tand\nnewline\x01",
    b"-rf",
    b"~tilde$&;'`(){}[]!#%^=+,@",
    b"\xef\x80\xa2 private use",
    b"x" * 255,
    "ü".encode() * 120,
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=[f"name{i}" for i in range(len(ODD_NAMES))])
def test_any_name_comes_back_as_it_was_given(place, name):
    """A name of any bytes can be made, listed, opened, renamed and removed."""
    data = digest(name).encode()  # text that differs for each name
    write(place / name, data)
    assert os.listdir(os.fsencode(place.path)) == [name]
    assert read(place / name) == data
    assert os.stat(place / name).st_size == len(data)
    os.rename(place / name, place / b"plain")
    assert os.listdir(os.fsencode(place.path)) == [b"plain"]
    os.rename(place / b"plain", place / name)
    assert os.listdir(os.fsencode(place.path)) == [name]
    os.unlink(place / name)
    assert os.listdir(os.fsencode(place.path)) == []
    os.mkdir(place / name)
    write(os.path.join(place / name, b"inside"), b"1")
    assert os.listdir(place / name) == [b"inside"]
    os.unlink(os.path.join(place / name, b"inside"))
    os.rmdir(place / name)


def test_odd_names_live_side_by_side(place):
    """All odd names at once: none hides or becomes another."""
    for i, name in enumerate(ODD_NAMES):
        write(place / name, str(i).encode())
    assert sorted(os.listdir(os.fsencode(place.path))) == sorted(ODD_NAMES)
    for i, name in enumerate(ODD_NAMES):
        assert read(place / name) == str(i).encode()


def test_a_file_of_more_than_4_gib_keeps_what_is_written_in_it(place):
    """A sparse file of 5 GiB: data on both sides of 4 GiB, zeros between, the size exact."""
    size = 5 << 30
    marks = {0: b"begin", (4 << 30) - 3: b"across", (4 << 30) + 12345: b"beyond", size - 3: b"end"}
    with open(place / "big", "w+b") as file:
        file.truncate(size)
        for offset, data in marks.items():
            file.seek(offset)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
        for offset, data in marks.items():
            file.seek(offset)
            assert file.read(len(data)) == data
        file.seek(1 << 30)
        assert file.read(4096) == bytes(4096)
    assert os.stat(place / "big").st_size == size
    if place.disk:
        with open(os.path.join(place.disk, "big"), "rb") as there:
            assert os.fstat(there.fileno()).st_size == size
            for offset, data in marks.items():
                there.seek(offset)
                assert there.read(len(data)) == data
    os.unlink(place / "big")


def test_rename_moves_and_replaces(place):
    """rename moves files and folders, and replaces a file that is there."""
    write(place / "a", b"new")
    write(place / "b", b"old")
    os.rename(place / "a", place / "b")
    assert read(place / "b") == b"new"
    assert os.listdir(place.path) == ["b"]
    os.mkdir(place / "d")
    os.rename(place / "b", place / "d/c")
    assert read(place / "d/c") == b"new"
    os.rename(place / "d", place / "e")
    assert read(place / "e/c") == b"new"
    assert os.listdir(place.path) == ["e"]
    with pytest.raises(FileNotFoundError):
        os.rename(place / "none", place / "x")
    if place.disk:
        assert read(os.path.join(place.disk, "e/c")) == b"new"


def test_a_rename_that_fails_costs_nothing(place):
    """What stands under the new name is there, whole, when the server does not move the old one there."""
    os.makedirs(place / "full/in")
    os.mkdir(place / "other")
    write(place / "other/x", b"x")
    with pytest.raises(OSError) as caught:
        os.rename(place / "full", place / "other")
    assert caught.value.errno in (errno.ENOTEMPTY, errno.EEXIST)
    assert os.listdir(place / "full") == ["in"] and os.listdir(place / "other") == ["x"]
    os.unlink(place / "other/x")
    with open(place / "full/in/f", "wb"):
        try:
            os.rename(place / "full", place / "other")  # servers move no folder that something is open in
        except PermissionError:
            assert sorted(os.listdir(place.path)) == ["full", "other"]
            assert os.listdir(place / "full/in") == ["f"] and os.listdir(place / "other") == []
        else:
            assert os.listdir(place / "other/in") == ["f"]
    if os.path.exists(place / "full"):
        os.rename(place / "full", place / "other")
    assert os.listdir(place.path) == ["other"] and os.listdir(place / "other/in") == ["f"]
    if place.disk:
        assert os.listdir(place.disk) == ["other"]


def test_a_file_that_replaces_is_all_that_is_left(place):
    """Over a read-only file, an open one, and one that is both; a folder over an empty one: one name is left, with the new."""
    for name, mode, is_open in (("plain", 0o644, False), ("ro", 0o444, False), ("open", 0o644, True), ("both", 0o444, True)):
        write(place / name, b"old")
        os.chmod(place / name, mode)
        write(place / "new", b"new " + name.encode())
        held = open(place / name, "rb", buffering=0) if is_open else None
        os.link(place / name, place / (name + "-2"))
        os.rename(place / "new", place / name)
        assert read(place / (name + "-2")) == b"old"
        assert os.stat(place / (name + "-2")).st_mode & 0o222 == mode & 0o222, name
        os.chmod(place / (name + "-2"), 0o644)
        os.unlink(place / (name + "-2"))
        assert read(place / name) == b"new " + name.encode()
        if held:
            assert held.read() == b"old"
            held.close()
    os.makedirs(place / "d/in")
    os.mkdir(place / "e")
    os.rename(place / "d", place / "e")
    assert sorted(os.listdir(place.path)) == ["both", "e", "open", "plain", "ro"] and os.listdir(place / "e") == ["in"]
    if place.disk:
        rig.wait_until("nothing is left", 5, lambda: not leftovers(place.disk) + leftovers(os.path.dirname(place.disk)))


def test_rename_over_an_open_file_leaves_its_reader_alone(place):
    """Who has the old file open goes on reading the old bytes; the name has the new ones."""
    write(place / "old", b"old" * 1000)
    write(place / "new", b"new" * 1000)
    with open(place / "old", "rb") as reader:
        os.rename(place / "new", place / "old")
        assert read(place / "old") == b"new" * 1000
        assert reader.read() == b"old" * 1000


def test_rename_of_an_open_file_keeps_it_usable(place):
    """A file that is renamed while it is open can still be read and written by that handle."""
    with open(place / "a", "w+b", buffering=0) as file:
        file.write(b"first ")
        os.rename(place / "a", place / "b")
        file.write(b"second")
        file.seek(0)
        assert file.read() == b"first second"
    assert read(place / "b") == b"first second"


def test_a_file_closed_this_moment_is_removed_at_once(place):
    """Release is not waited for: a removal that comes at the same time must not take the file for closed too early."""
    for _ in range(150):
        write(place / "f", b"x")
        with open(place / "f", "rb") as first, open(place / "f", "rb") as second:
            assert first.read() == second.read() == b"x"
        os.unlink(place / "f")
        assert os.listdir(place.path) == []


def test_unlink_while_open_keeps_the_data_until_close(place):
    """An unlinked file is gone by name at once and lives on for who has it open."""
    with open(place / "f", "w+b", buffering=0) as file:
        file.write(b"x" * 100000)
        os.unlink(place / "f")
        with pytest.raises(FileNotFoundError):
            os.stat(place / "f")
        assert os.listdir(place.path) == []
        file.seek(50000)
        file.write(b"still here")
        file.seek(50000)
        assert file.read(10) == b"still here"
        assert os.fstat(file.fileno()).st_size == 100000
        write(place / "f", b"another")
        assert read(place / "f") == b"another"
    assert read(place / "f") == b"another"
    os.unlink(place / "f")
    assert os.listdir(place.path) == []
    if place.disk:
        assert os.listdir(place.disk) == []


@pytest.mark.parametrize("change", ["unlink", "rename"])
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC], ids=["read", "write", "truncate"])
def test_an_open_file_loses_another_of_its_names(place, change, flags):
    """What happens to one name of a file is no matter of the other, which is open and is opened, renamed and removed."""
    write(place / "one", b"data" * 100)
    first = os.open(place / "one", os.O_RDWR)
    os.link(place / "one", place / "two")
    second = os.open(place / "two", os.O_RDWR)
    if change == "unlink":
        os.unlink(place / "one")
    else:
        os.rename(place / "one", place / "three")
    os.pwrite(second, b"DATA", 0)
    began = time.monotonic()
    fd = os.open(place / "two", flags)
    assert time.monotonic() - began < 10, "somebody waited for an answer that he was to give himself"
    assert os.fstat(fd).st_size == (0 if flags & os.O_TRUNC else 400)
    assert os.pread(first, 8, 0) == os.pread(second, 8, 0) == (b"" if flags & os.O_TRUNC else b"DATAdata")
    os.rename(place / "two", place / "four")
    os.unlink(place / "four")
    for handle in (first, second, fd):
        os.close(handle)
    assert os.listdir(place.path) == ([] if change == "unlink" else ["three"])


def test_a_folder_goes_although_a_file_removed_from_it_is_open(place):
    """rmdir asks for an empty folder; what was unlinked is not in it, whoever still reads it."""
    os.mkdir(place / "d")
    with open(place / "d/f", "w+b", buffering=0) as file:
        file.write(b"data")
        os.unlink(place / "d/f")
        folder = os.open(place / "d", os.O_RDONLY)
        os.rmdir(place / "d")
        assert os.listdir(folder) == []
        os.fsync(folder)
        os.close(folder)
        assert os.listdir(place.path) == []
        file.seek(0)
        assert file.read() == b"data"
    if place.disk:
        rig.wait_until("nothing is left", 5, lambda: not leftovers(os.path.dirname(place.disk)))


def test_a_folder_that_is_open_and_not_empty_stays(place):
    """rmdir says ENOTEMPTY, whoever has the folder open, and a file in it."""
    os.mkdir(place / "d")
    folder = os.open(place / "d", os.O_RDONLY)
    with open(place / "d/f", "wb"):
        with pytest.raises(OSError) as caught:
            os.rmdir(place / "d")
    assert caught.value.errno == errno.ENOTEMPTY
    with pytest.raises(OSError) as caught:
        os.rmdir(place / "d")
    assert caught.value.errno == errno.ENOTEMPTY
    assert os.listdir(folder) == os.listdir(place / "d") == ["f"]
    os.unlink(place / "d/f")
    os.rmdir(place / "d")
    assert os.listdir(folder) == os.listdir(place.path) == []
    os.close(folder)


def leftovers(folder):
    return [name for name in os.listdir(folder) if name.startswith(".rdr-deleted-")]


def make_and_remove(folder, rounds):
    for i in range(rounds):
        inside = os.path.join(folder, f"d{i}")
        os.mkdir(inside)
        write(os.path.join(inside, "f"), b"x" * (i % 2))
        os.unlink(os.path.join(inside, "f"))
        os.rmdir(inside)


def test_folders_of_files_closed_this_moment_are_removed(place):
    """The kernel does not wait for a release: the folder of a file that was just closed and removed is empty all the same."""
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for i in range(3):
            os.mkdir(place / f"{i}")
        for done in [pool.submit(make_and_remove, place / f"{i}", 200) for i in range(3)]:
            done.result()


def test_where_the_share_s_root_is_not_writable_folders_are_removed_too(samba):
    """A file that is removed while open then goes as far up as it may."""
    disk = samba.disk("plain")
    mode = stat.S_IMODE(os.stat(disk).st_mode)
    os.mkdir(os.path.join(disk, "mine"))
    os.chmod(os.path.join(disk, "mine"), 0o777)
    os.chmod(disk, 0o555)
    try:
        mount = rig.Mount(samba.unc("plain"), f"credentials={samba.credentials}")
        with pytest.raises(PermissionError):
            os.mkdir(os.path.join(mount.path, "d"))
        mine = os.path.join(mount.path, "mine")
        os.makedirs(os.path.join(mine, "a/b"))
        with open(os.path.join(mine, "a/b/f"), "w+b", buffering=0) as deep, open(
            os.path.join(mine, "g"), "w+b", buffering=0
        ) as flat:
            deep.write(b"deep")
            flat.write(b"flat")
            shutil.rmtree(os.path.join(mine, "a"))
            os.unlink(os.path.join(mine, "g"))
            assert os.listdir(mine) == []
            deep.seek(0)
            flat.seek(0)
            assert (deep.read(), flat.read()) == (b"deep", b"flat")
        make_and_remove(mine, 100)
        mount.unmount()
        assert os.listdir(os.path.join(disk, "mine")) == []
    finally:
        os.chmod(disk, mode)
        shutil.rmtree(os.path.join(disk, "mine"))


def test_times_are_kept(place):
    """utimens sets the time of change to within the server's 100 ns; a write moves it on, soon."""
    write(place / "f", b"1")
    os.utime(place / "f", ns=(1_500_000_000_123_456_700, 1_600_000_000_987_654_300))
    status = os.stat(place / "f")
    assert abs(status.st_mtime_ns - 1_600_000_000_987_654_300) <= 100
    with open(place / "f", "ab") as file:
        file.write(b"2")
    # a server may tell the time of a write late: Samba when the handle is closed, or two seconds after
    rig.wait_until("the time of the write", 5, lambda: os.stat(place / "f").st_mtime > 1_600_000_001)


def test_kinds_and_modes_look_as_cifs_shows_them(place):
    """Files and folders have their kind, and the owner may use them."""
    write(place / "f", b"1")
    os.mkdir(place / "d")
    assert stat.S_ISREG(os.stat(place / "f").st_mode)
    assert stat.S_ISDIR(os.stat(place / "d").st_mode)
    assert os.stat(place / "f").st_uid == os.getuid()
    assert os.stat(place / "f").st_mode & 0o600 == 0o600
    assert os.stat(place / "f").st_ino != os.stat(place / "d").st_ino


def test_statfs_tells_a_size(place):
    """statvfs has blocks, a block size, and a name length people can use."""
    numbers = os.statvfs(place.path)
    assert numbers.f_blocks > 0
    assert numbers.f_bavail <= numbers.f_blocks
    assert numbers.f_bsize > 0
    assert numbers.f_namemax >= 200


def test_symlink_is_honest(place):
    """A symbolic link either works, or is refused with an error that says it cannot be had."""
    try:
        os.symlink("target", place / "link")
    except OSError as error:
        assert error.errno in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM)
        assert os.listdir(place.path) == []
        return
    assert os.readlink(place / "link") == "target"
    assert stat.S_ISLNK(os.lstat(place / "link").st_mode)


def test_link_is_honest(place):
    """A hard link either works, or is refused; it is never a silent copy."""
    write(place / "a", b"1")
    try:
        os.link(place / "a", place / "b")
    except OSError as error:
        assert error.errno in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EMLINK)
        assert os.listdir(place.path) == ["a"]
        return
    write(place / "b", b"22")
    assert read(place / "a") == b"22"
    os.unlink(place / "a")
    assert os.listdir(place.path) == ["b"] and read(place / "b") == b"22"


def test_a_folder_moves_right_after_what_is_in_it_was_closed(place):
    """The kernel does not wait for its own releases; servers move no folder that something is open in."""
    for i in range(60):
        inner = place / f"d{i}/x"
        os.makedirs(inner)
        os.listdir(inner)
        write(os.path.join(inner, "f"), b"1")
        assert read(os.path.join(inner, "f")) == b"1"
        os.listdir(inner)
        os.rename(place / f"d{i}", place / f"e{i}")
    assert sorted(os.listdir(place.path)) == sorted(f"e{i}" for i in range(60))


def test_two_handles_see_each_others_writes(place):
    """What one handle wrote, another reads at once, without closing anything."""
    with open(place / "f", "w+b", buffering=0) as one, open(place / "f", "r+b", buffering=0) as two:
        for i in range(50):
            one.write(b"%04d" % i)
            assert os.fstat(two.fileno()).st_size == 4 * (i + 1)
            assert two.read(4) == b"%04d" % i


@ONLY_SMB
def test_a_change_on_the_server_is_seen_within_the_promise(place):
    """Without a grant nothing is believed for more than a second: a new size is seen after that."""
    write(place / "f", b"short")
    assert read(place / "f") == b"short"
    there = os.path.join(place.disk, "f")
    with open(there, "wb") as file:
        file.write(b"longer than before")
    rig.wait_until("the new size", 3, lambda: os.stat(place / "f").st_size == 18)
    assert read(place / "f") == b"longer than before"
    os.unlink(there)
    rig.wait_until("the end of the name", 3, lambda: not os.path.exists(place / "f"))


@pytest.mark.limit(240)
def test_64_writers_and_readers_at_once(place):
    """64 threads write, sync and read back a file each, while each also reads another's: no byte is wrong."""
    size = 512 * 1024
    wrong = []

    def work(number):
        try:
            data = fill(size, 1000 + number)
            path = place / f"w{number}"
            for offset in range(0, size, 65536):
                mode = "r+b" if offset else "wb"
                with open(path, mode) as file:
                    file.seek(offset)
                    file.write(data[offset : offset + 65536])
            if digest(read(path)) != digest(data):
                wrong.append(f"{number}: own file")
        except Exception as error:  # reported by the assertion below
            wrong.append(f"{number}: {error!r}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []

    def check(number):
        try:
            for other in (number, (number + 1) % 64, (number * 7) % 64):
                if digest(read(place / f"w{other}")) != digest(fill(size, 1000 + other)):
                    wrong.append(f"{number}: file of {other}")
        except Exception as error:
            wrong.append(f"{number}: {error!r}")

    threads = [threading.Thread(target=check, args=(n,)) for n in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    if place.disk:
        for number in range(64):
            assert digest(read(os.path.join(place.disk, f"w{number}"))) == digest(fill(size, 1000 + number))


def test_many_writers_of_one_file_do_not_disturb_each_other(place):
    """32 threads write interleaved blocks of one file; every block is whole."""
    block = 8192
    with open(place / "f", "wb") as file:
        file.truncate(block * 320)
    wrong = []

    def work(number):
        try:
            fd = os.open(place / "f", os.O_RDWR)
            for i in range(number, 320, 32):
                os.pwrite(fd, bytes([number + 1]) * block, i * block)
            os.fsync(fd)
            os.close(fd)
        except OSError as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    data = read(place / "f")
    for i in range(320):
        assert data[i * block : (i + 1) * block] == bytes([i % 32 + 1]) * block
