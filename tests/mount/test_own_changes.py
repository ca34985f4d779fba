"""
What one program here changes, every other program here sees at once, whatever the way: another handle, another name of
the file, another spelling of the name, a mapping, a lookup, a listing, the attributes. Nothing is waited for, and
nobody calls fsync or closes a file first.

Each way is warm before each change: whoever keeps something has it in his memory when it becomes wrong.
"""

import mmap
import os
import threading

import pytest

import rig

ROUNDS = 200 if rig.LONG else 20
PAGE = 4096


def put(path, data=b""):
    with open(path, "wb") as file:
        file.write(data)


def get(path):
    with open(path, "rb") as file:
        return file.read()


def listed(path):
    """What a listing says of a folder: the size of each file in it, as the listing's own stat shows it."""
    with os.scandir(path) as entries:
        return {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}


@pytest.fixture
def handles():
    """Opens files without a buffer of Python's, and closes them at the end of the test."""
    made = []

    def take(path, flags):
        made.append(os.open(path, flags))
        return made[-1]

    yield take
    for fd in made:
        os.close(fd)


def block(i, size=PAGE):
    return bytes([i % 251 + 1]) * size


def test_a_write_is_read_through_every_handle(place, handles):
    """An overwritten page: by the same handle, by one opened before, after, for both, and by a new open."""
    put(place / "f", block(0, 3 * PAGE))
    writer = handles(place / "f", os.O_RDWR)
    other = handles(place / "f", os.O_RDWR)
    reader = handles(place / "f", os.O_RDONLY)
    for i in range(1, ROUNDS):
        assert len(os.pread(reader, 3 * PAGE, 0)) == 3 * PAGE
        os.pwrite(writer if i % 2 else other, block(i), PAGE)
        for fd in (reader, writer, other):
            assert os.pread(fd, PAGE, PAGE) == block(i), i
        assert get(place / "f") == block(0) + block(i) + block(0), i


def test_a_size_is_seen_through_every_path(place, handles):
    """Growth and truncation: fstat of each handle, stat, the listing, and the end that a reader meets."""
    put(place / "f")
    writer = handles(place / "f", os.O_RDWR)
    reader = handles(place / "f", os.O_RDONLY)
    for i in range(1, ROUNDS):
        size = (i * 7919) % 20000
        if i % 3:
            os.ftruncate(writer, size)
        elif i % 2:
            os.truncate(place / "f", size)
        else:
            size += os.fstat(writer).st_size
            os.pwrite(writer, b"x", size - 1)
        assert os.fstat(writer).st_size == size, i
        assert os.fstat(reader).st_size == size, i
        assert os.stat(place / "f").st_size == size, i
        assert listed(place.path) == {"f": size}, i
        assert len(os.pread(reader, 1 << 20, 0)) == size, i
        assert len(get(place / "f")) == size, i


def test_what_was_cut_off_and_grown_again_is_zeros(place, handles):
    """A file cut within a page and made longer: no byte of before comes back, in no handle."""
    writer = handles(place / "f", os.O_RDWR | os.O_CREAT)
    reader = handles(place / "f", os.O_RDONLY)
    for i in range(1, ROUNDS):
        os.pwrite(writer, block(i, 2 * PAGE), 0)
        assert os.pread(reader, 2 * PAGE, 0) == block(i, 2 * PAGE), i
        os.ftruncate(writer, 100)
        os.ftruncate(writer, 2 * PAGE)
        assert os.pread(reader, 2 * PAGE, 0) == block(i, 100) + bytes(2 * PAGE - 100), i


def test_appends_of_several_handles_follow_each_other(place, handles):
    """Each O_APPEND write goes behind what the other has just written, and a reader sees all of it."""
    writers = [handles(place / "f", os.O_WRONLY | os.O_APPEND | os.O_CREAT) for _ in range(2)]
    reader = handles(place / "f", os.O_RDONLY)
    expected = b""
    for i in range(ROUNDS):
        line = b"%d of %d\n" % (i, i % 2)
        os.write(writers[i % 2], line)
        expected += line
        assert os.pread(reader, 1 << 20, 0) == expected
        assert os.stat(place / "f").st_size == len(expected)


def test_a_mapping_shows_what_was_written(place, handles):
    """A program that reads the file in its memory sees what another writes, without a new mapping."""
    put(place / "f", block(0, 2 * PAGE))
    reader = handles(place / "f", os.O_RDONLY)
    writer = handles(place / "f", os.O_RDWR)
    with mmap.mmap(reader, 2 * PAGE, mmap.MAP_SHARED, mmap.PROT_READ) as seen:
        for i in range(1, ROUNDS):
            assert len(seen[:]) == 2 * PAGE  # every page is in memory
            os.pwrite(writer, block(i), PAGE)
            assert seen[PAGE:] == block(i), i
            assert seen[:PAGE] == block(0), i
            os.pwrite(writer, b"#%08d#" % i, 4000)  # the end of a page
            assert seen[4000:4010] == b"#%08d#" % i, i
            os.pwrite(writer, block(0), 0)


def test_a_mapping_outlives_its_handle_and_still_follows(place, handles):
    """The file was closed after it was mapped: its memory must not stay behind."""
    put(place / "f", block(0))
    with open(place / "f", "rb") as file:
        seen = mmap.mmap(file.fileno(), PAGE, mmap.MAP_SHARED, mmap.PROT_READ)
    with seen:
        for i in range(1, ROUNDS):
            assert len(seen[:]) == PAGE
            with open(place / "f", "r+b", buffering=0) as writer:
                writer.write(block(i))
                assert seen[:] == block(i), i


def links(folder):
    """What programs see that list a folder and look at each file: rsync and tar know hard links by it."""
    return {name: os.lstat(os.path.join(folder, name)).st_nlink for name in sorted(os.listdir(folder))}


def test_a_listing_does_not_hide_a_hard_link(place):
    """Listings do not count names: what they show of a file that is known to have several is not taken for the count."""
    for name in ("a", "b"):
        put(place / name)
    os.link(place / "a", place / "c")
    for _ in range(3):
        assert links(place.path) == {"a": 2, "b": 1, "c": 2}
    os.unlink(place / "a")
    for _ in range(3):
        assert links(place.path) == {"b": 1, "c": 1}


def test_a_hard_link_is_the_same_file(place, handles):
    """Data and sizes written under one name are there under the other: open handles, opens, stat, listing."""
    put(place / "f", block(0))
    os.link(place / "f", place / "g")
    assert os.stat(place / "f").st_nlink == 2 and os.stat(place / "g").st_nlink == 2
    by_f = handles(place / "f", os.O_RDWR)
    by_g = handles(place / "g", os.O_RDWR)
    reader = handles(place / "g", os.O_RDONLY)
    for i in range(1, ROUNDS):
        assert os.pread(reader, 1 << 20, 0) == get(place / "g")
        size = PAGE + i
        os.ftruncate(by_f if i % 2 else by_g, 0)
        os.pwrite(by_f if i % 2 else by_g, block(i, size), 0)
        assert os.pread(reader, 1 << 20, 0) == block(i, size), i
        assert get(place / "f") == block(i, size), i
        assert get(place / "g") == block(i, size), i
        assert os.stat(place / "f").st_size == os.stat(place / "g").st_size == size, i
        assert os.fstat(by_f).st_size == os.fstat(by_g).st_size == size, i
        assert listed(place.path) == {"f": size, "g": size}, i
    os.unlink(place / "f")
    assert os.stat(place / "g").st_nlink == 1
    assert not os.path.exists(place / "f")


def test_a_write_is_seen_by_the_name_that_a_link_made(place, handles):
    """What a handle keeps back is at the server before it is asked for the file by a name that was made after the open."""
    assert not os.path.exists(place / "g") and os.listdir(place.path) == []
    writer = handles(place / "f", os.O_WRONLY | os.O_CREAT)
    os.link(place / "f", place / "g")
    os.rename(place / "g", place / "f")  # the same file: nothing happens
    assert sorted(os.listdir(place.path)) == ["f", "g"]
    os.rename(place / "f", place / "f")
    os.pwrite(writer, b"x", 5000)
    with pytest.raises(FileExistsError):
        os.mkdir(place / "g")  # has the name looked up
    assert os.access(place / "g", os.R_OK)
    assert listed(place.path) == {"f": 5001, "g": 5001}
    assert os.fstat(writer).st_size == os.stat(place / "g").st_size == 5001


def test_another_spelling_is_the_same_file(place):
    """
    A volume that does not mind the case: what was written, made, moved or removed as one is so as the other. One that
    does mind keeps them apart.
    """
    assert not os.path.exists(place / "NAME")
    put(place / "name", b"old")
    if not os.path.exists(place / "NAME"):
        assert place.kind == "mem"  # the share of the tests does not mind
        put(place / "NAME", b"another")
        assert sorted(os.listdir(place.path)) == ["NAME", "name"] and get(place / "name") == b"old"
        return
    with open(place / "Name", "r+b", buffering=0) as writer, open(place / "naMe", "rb", buffering=0) as reader:
        for i in range(1, ROUNDS):
            assert len(os.pread(reader.fileno(), PAGE, 0)) > 0
            os.ftruncate(writer.fileno(), 0)
            os.pwrite(writer.fileno(), block(i, i), 0)
            assert os.pread(reader.fileno(), PAGE, 0) == block(i, i), i
            for spelling in ("name", "NAME", "Name", "namE"):
                assert os.stat(place / spelling).st_size == i
                assert get(place / spelling) == block(i, i), spelling
    for spelling in ("NAME", "Name", "name"):
        assert os.path.exists(place / spelling)
    os.rename(place / "NaME", place / "else")
    for spelling in ("NAME", "Name", "name", "NaME"):
        assert not os.path.exists(place / spelling), spelling
    assert os.path.exists(place / "ELSE")
    os.unlink(place / "Else")
    for spelling in ("ELSE", "Else", "else"):
        assert not os.path.exists(place / spelling), spelling
    assert os.listdir(place.path) == []
    os.mkdir(place / "ELSE")  # where each spelling was just known to be missing
    assert os.path.isdir(place / "else") and os.path.isdir(place / "Else")


def test_names_come_and_go_at_once(place):
    """Made, renamed, replaced and removed: by lookup, by listing, also where a name was just asked for in vain."""
    os.mkdir(place / "d")
    for i in range(ROUNDS):
        for name in ("a", "b"):
            assert not os.path.exists(place / name)
        put(place / "a", block(i, i))
        assert listed(place.path) == {"a": i, "d": os.stat(place / "d").st_size}
        assert get(place / "a") == block(i, i)
        assert not os.path.exists(place / "b")
        os.rename(place / "a", place / "b")
        assert not os.path.exists(place / "a")
        assert set(os.listdir(place.path)) == {"b", "d"} and get(place / "b") == block(i, i)
        put(place / "a", b"other")
        os.rename(place / "a", place / "b")
        assert get(place / "b") == b"other" and not os.path.exists(place / "a")
        assert not os.path.exists(place / "d/c")
        os.rename(place / "b", place / "d/c")
        assert os.listdir(place / "d") == ["c"] and os.listdir(place.path) == ["d"]
        assert get(place / "d/c") == b"other" and not os.path.exists(place / "b")
        os.unlink(place / "d/c")
        assert os.listdir(place / "d") == [] and not os.path.exists(place / "d/c")


def test_a_folder_that_moves_takes_its_names_along(place):
    """
    Below a renamed folder nothing answers by the old path, everything by the new one, a file that is open included. An
    SMB server moves no folder in which a file is open: there it says so, and moves it once the file is closed, however
    long the engine keeps the handle.
    """
    for i in range(ROUNDS // 2):
        old, new = place / f"o{i}", place / f"n{i}"
        os.makedirs(old + "/s")
        put(old + "/s/f", b"before")
        with open(old + "/s/f", "r+b", buffering=0) as file:
            assert get(old + "/s/f") == b"before"
            assert not os.path.exists(new + "/s/f")
            if place.kind == "smb":
                with pytest.raises(PermissionError):
                    os.rename(old, new)
                assert get(old + "/s/f") == b"before" and not os.path.exists(new)
            else:
                os.rename(old, new)
            file.write(b"after!")
        if place.kind == "smb":
            os.rename(old, new)
        assert not os.path.exists(old + "/s/f") and not os.path.exists(old)
        assert get(new + "/s/f") == b"after!"
        assert os.listdir(new) == ["s"] and listed(new + "/s") == {"f": 6}


def test_attributes_are_what_was_set(place, handles):
    """Times and the write permission, by name and by handle, for each handle and the listing."""
    put(place / "f", b"x")
    fd = handles(place / "f", os.O_RDWR)
    reader = handles(place / "f", os.O_RDONLY)
    for i in range(1, ROUNDS):
        stamp = (1_600_000_000 + i) * 10**9
        os.utime(fd if i % 2 else place / "f", ns=(stamp, stamp))
        assert os.stat(place / "f").st_mtime_ns == stamp
        assert os.fstat(fd).st_mtime_ns == os.fstat(reader).st_mtime_ns == stamp
        with os.scandir(place.path) as entries:
            assert [e.stat().st_mtime_ns for e in entries] == [stamp]
        os.chmod(place / "f", 0o444 if i % 2 else 0o644)
        writable = bool(os.stat(place / "f").st_mode & 0o200)
        assert writable == bool(os.fstat(reader).st_mode & 0o200) == (i % 2 == 0)


def test_a_time_moves_with_a_write_that_is_read_back(place, handles):
    """Reads between writes leave nothing behind that stat() would believe: the time of the last write is there at once."""
    if place.kind == "smb":
        pytest.skip("Samba tells a new time when it pleases")
    put(place / "f", block(0))
    fd = handles(place / "f", os.O_RDWR)
    os.utime(place / "f", (1_000_000_000, 1_000_000_000))
    before = 1_000_000_000
    for i in range(1, ROUNDS):
        os.pwrite(fd, b"%08d" % i, 0)
        assert os.pread(fd, 8, 0) == b"%08d" % i
        now = os.stat(place / "f").st_mtime_ns
        assert now > before and os.fstat(fd).st_mtime_ns == now
        before = now


def test_many_programs_see_the_last_write_of_each_other(place):
    """Threads with handles of their own, in turn: each reads what the one before wrote, by page, size and lookup."""
    put(place / "f")
    turns = threading.Barrier(4)
    wrong = []

    def program(number):
        try:
            with open(place / "f", "rb", buffering=0) as reader:
                for i in range(ROUNDS):
                    turns.wait(30)
                    if i % 4 == number:
                        with open(place / "f", "r+b", buffering=0) as writer:
                            os.pwrite(writer.fileno(), b"%08d" % i, 8 * i)
                    turns.wait(30)
                    data = os.pread(reader.fileno(), 1 << 20, 0)
                    if data[-8:] != b"%08d" % i or os.stat(place / "f").st_size != 8 * i + 8:
                        wrong.append((number, i, data[-16:], os.stat(place / "f").st_size))
        except (OSError, threading.BrokenBarrierError) as error:
            wrong.append((number, repr(error)))
            turns.abort()

    programs = [threading.Thread(target=program, args=(n,)) for n in range(4)]
    for thread in programs:
        thread.start()
    for thread in programs:
        thread.join(60)
    assert not any(thread.is_alive() for thread in programs)
    assert wrong == []


def test_a_folder_is_empty_once_its_last_file_was_closed(place):
    """A file is removed while it is open, then closed: its folder can be removed at once, though closing goes on behind."""
    for i in range(20):
        folder = str(place / f"empty{i}")
        os.mkdir(folder)
        descriptor = os.open(os.path.join(folder, "f"), os.O_CREAT | os.O_RDWR)
        os.write(descriptor, b"x" * 5000)
        os.unlink(os.path.join(folder, "f"))
        os.write(descriptor, b"y" * 5000)
        os.close(descriptor)
        os.rmdir(folder)
