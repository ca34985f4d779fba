"""`rdr status --stats`: what each operation waits for at the server, counted by who caused it, and what it may cost."""

import os

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
def folder(request, samba, mount):
    """An empty folder that the kernel knows nothing of: its path in the mount, and on the server's disk."""
    name = "st-" + request.node.name
    disk = os.path.join(samba.disk(), name)
    os.mkdir(disk)
    os.chmod(disk, 0o777)
    rig.wait_until("the folder", TRUST + 0.5, lambda: os.path.isdir(os.path.join(mount.path, name)))
    return os.path.join(mount.path, name), disk


def messages(stats):
    """{"LOOKUP CREATE+QUERY_INFO+CLOSE": times}: what operations waited for."""
    return {f"{operation['operation']} {name}": times for operation in stats["operations"]
            for name, times in operation["messages"].items()}


def cost(mount, action):
    """What `action` made its operations wait for."""
    before = messages(mount.stats())
    action()
    after = messages(mount.stats())
    return {name: times - before.get(name, 0) for name, times in after.items() if times != before.get(name, 0)}


def put(path, data=b""):
    with open(path, "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), 0o666)


def read(path):
    with open(path, "rb", buffering=0) as file:
        data = file.read(65536)
    return data


def test_the_answer_has_its_shape_and_adds_up(mount, folder):
    """Schema 1: operations with their messages, the rest on its own line, commands, events; sums are sums."""
    path, disk = folder
    put(os.path.join(disk, "f"), b"x")
    os.stat(os.path.join(path, "f"))
    with pytest.raises(FileNotFoundError):
        os.stat(os.path.join(path, "nothing"))
    stats = mount.stats()
    assert stats["schema"] == 1 and stats["lost"] == 0
    for sender in stats["operations"] + [stats["background"]]:
        assert sender["round_trips"] == sum(sender["messages"].values())
        assert (sender["bytes_sent"] > 64) == (sender["round_trips"] > 0)
    lookup = next(each for each in stats["operations"] if each["operation"] == "LOOKUP")
    assert lookup["requests"] >= 2 and lookup["round_trips"] >= 2
    assert stats["background"]["messages"]["NEGOTIATE"] == 1
    create = next(each for each in stats["commands"] if each["command"] == "CREATE")
    assert create["answers"] >= 2 and 1 <= create["failed"] < create["answers"]
    assert stats["events"]["breaks_received"] >= 0
    assert stats["events"]["messages_received"] > 0 and stats["bytes_received"] > 64
    said = rig.rdr("status", "--stats", mount.path)
    assert said.returncode == 0
    assert "LOOKUP" in said.stdout and "(background)" in said.stdout and "breaks_received" in said.stdout


def test_the_counters_say_what_is_on_the_wire(mount, folder, tap):
    """Every message that leaves is counted once, under the commands that it is made of."""
    path, disk = folder

    def count():
        stats = mount.stats()
        totals = dict(stats["background"]["messages"])
        for operation in stats["operations"]:
            for name, times in operation["messages"].items():
                totals[name] = totals.get(name, 0) + times
        return totals

    before = count()
    tap.clear()
    for i in range(5):
        put(os.path.join(path, f"f{i}"), b"data")
    assert sorted(os.listdir(path)) == [f"f{i}" for i in range(5)]
    for i in range(5):
        assert read(os.path.join(path, f"f{i}")) == b"data"
        os.unlink(os.path.join(path, f"f{i}"))
    assert os.listdir(disk) == []

    def agree():
        seen = {}
        for name in tap.sent:
            name = name.replace("WATCH", "CREATE")
            seen[name] = seen.get(name, 0) + 1
        counted = {name: times - before.get(name, 0) for name, times in count().items()
                   if times != before.get(name, 0)}
        return counted == seen

    # what nobody waits for may still be on its way
    rig.wait_until("the counters and the wire to agree", 5, agree)
def test_a_lookup_is_one_message_or_none(mount, folder):
    """Attributes by name: open, ask and close in one message; a name that is not there costs one as well."""
    path, disk = folder
    put(os.path.join(disk, "f"), b"x" * 1000)
    assert cost(mount, lambda: os.stat(os.path.join(path, "f"))) == {"LOOKUP CREATE+QUERY_INFO+CLOSE": 1}
    assert cost(mount, lambda: os.stat(os.path.join(path, "f"))) == {}
    assert cost(mount, lambda: os.path.exists(os.path.join(path, "nothing"))) == {"LOOKUP CREATE+QUERY_INFO+CLOSE": 1}


def test_opened_and_asked_again_under_a_grant_costs_nothing(mount, folder):
    """What was read a moment ago is opened, read and asked again without a message, and the opens are shared."""
    path, disk = folder
    put(os.path.join(disk, "f"), b"x" * 1000)
    assert read(os.path.join(path, "f")) == b"x" * 1000
    shared = mount.stats()["events"]["opens_shared"]
    assert cost(mount, lambda: [read(os.path.join(path, "f")), os.stat(os.path.join(path, "f"))]) == {}
    assert mount.stats()["events"]["opens_shared"] == shared + 1


def test_a_small_file_is_one_message(mount, folder):
    """Open, read and close of a file that nobody had open: its data comes with the open; nothing else is waited for."""
    path, disk = folder
    sizes = [1, 1000, 4096, 65536]
    for size in sizes:
        put(os.path.join(disk, f"f{size}"), bytes(i % 251 for i in range(size)))
    assert len(os.listdir(path)) == len(sizes)
    for size in sizes:
        data = []
        spent = cost(mount, lambda size=size, data=data: data.append(read(os.path.join(path, f"f{size}"))))
        assert spent == {"OPEN CREATE+QUERY_INFO+READ": 1}, size
        assert data == [bytes(i % 251 for i in range(size))]


def test_data_that_came_with_the_open_is_not_older_than_a_change(mount, folder):
    """The file is opened, then written or cut through another handle. What is read afterwards is the new data."""
    path, disk = folder
    for i in range(20):
        for name in ("written", "cut"):
            put(os.path.join(disk, f"{name}{i}"), b"old data")
    for i in range(20):
        written, cut = (os.path.join(path, f"{name}{i}") for name in ("written", "cut"))
        assert os.stat(written).st_size == os.stat(cut).st_size == 8
        first = os.open(written, os.O_RDONLY)
        with open(written, "r+b") as file:
            file.write(b"NEW")
        assert os.read(first, 100) == b"NEW data"
        os.close(first)
        first = os.open(cut, os.O_RDONLY)
        os.truncate(cut, 3)
        assert os.read(first, 100) == b"old"
        os.close(first)


def test_a_file_that_grew_since_it_was_listed_is_read_whole(mount, folder):
    """The size that was believed is too small: what came with the open is not taken for the file."""
    path, disk = folder
    put(os.path.join(disk, "f"), b"1234")
    assert os.stat(os.path.join(path, "f")).st_size == 4
    put(os.path.join(disk, "f"), b"12345678")
    with open(os.path.join(path, "f"), "rb", buffering=0) as file:
        rig.wait_until("the new size", TRUST + 0.5, lambda: os.fstat(file.fileno()).st_size == 8)
        assert file.read(100) == b"12345678"


def write_new(path):
    with open(path, "wb") as file:
        file.write(b"data")


def test_a_small_new_file_is_two_messages(mount, folder):
    """Create, write and close: the create, and the data when the file is closed."""
    path, disk = folder
    for i in range(3):  # three misses: from then on a listing knows that names are not there
        os.path.exists(os.path.join(path, f"nothing{i}"))
    spent = cost(mount, lambda: [write_new(os.path.join(path, f"f{i}")) for i in range(5)])
    assert spent == {"CREATE CREATE+QUERY_INFO": 5, "FLUSH WRITE": 5}
    assert all(read(os.path.join(disk, f"f{i}")) == b"data" for i in range(5))


def test_a_deletion_is_one_message(mount, folder):
    """unlink and rmdir of what the kernel knows: one message each."""
    path, disk = folder
    for i in range(4):
        write_new(os.path.join(path, f"f{i}"))
        os.mkdir(os.path.join(path, f"d{i}"))
    os.unlink(os.path.join(path, "f0"))  # finds out which classes the server has
    os.rmdir(os.path.join(path, "d0"))
    assert cost(mount, lambda: [os.unlink(os.path.join(path, f"f{i}")) for i in range(1, 4)]) == {
        "UNLINK CREATE+CLOSE": 3}
    assert cost(mount, lambda: [os.rmdir(os.path.join(path, f"d{i}")) for i in range(1, 4)]) == {
        "RMDIR CREATE+SET_INFO+CLOSE": 3}
    assert os.listdir(disk) == []


def assert_stays_read_only(mount, name):
    """By what the server says, not by what is believed for a moment."""
    with open(name, "rb") as file:
        assert cost(mount, lambda: os.fchmod(file.fileno(), 0o444)) == {"SETATTR QUERY_INFO": 1}
        assert os.fstat(file.fileno()).st_mode & 0o222 == 0


def test_a_read_only_file_goes_in_three_messages(mount, folder):
    """unlink needs no write permission of the file: refused, looked at, deleted. Its other name stays read-only (git's objects)."""
    path, disk = folder
    for name in ("alone", "one"):
        write_new(os.path.join(path, name))
        os.chmod(os.path.join(path, name), 0o444)
    os.link(os.path.join(path, "one"), os.path.join(path, "two"))
    for name in ("alone", "one"):
        assert cost(mount, lambda: os.unlink(os.path.join(path, name))) == {
            "UNLINK CREATE+CLOSE": 1, "UNLINK CREATE+QUERY_INFO+CLOSE": 1,
            f"UNLINK CREATE+SET_INFO+SET_INFO{'' if name == 'alone' else '+SET_INFO'}+CLOSE": 1}
    assert os.listdir(disk) == ["two"]
    assert_stays_read_only(mount, os.path.join(path, "two"))


def test_an_open_read_only_file_goes_and_its_other_name_stays_read_only(mount, folder):
    """The same for a file that is open: the handle goes on, and so does the attribute."""
    path, disk = folder
    write_new(os.path.join(path, "one"))
    os.chmod(os.path.join(path, "one"), 0o444)
    os.link(os.path.join(path, "one"), os.path.join(path, "two"))
    with open(os.path.join(path, "one"), "rb") as file:
        os.unlink(os.path.join(path, "one"))
        assert os.listdir(path) == ["two"]
        assert file.read() == b"data"
    assert_stays_read_only(mount, os.path.join(path, "two"))
    assert read(os.path.join(disk, "two")) == b"data"


def test_a_hard_link_is_one_message(mount, folder):
    """link(), and what the file looks like with one more name; an unwanted target is refused."""
    path, disk = folder
    write_new(os.path.join(path, "f"))
    spent = cost(mount, lambda: os.link(os.path.join(path, "f"), os.path.join(path, "g")))
    assert {name: times for name, times in spent.items() if name.startswith("LINK")} == {
        "LINK CREATE+SET_INFO+QUERY_INFO+CLOSE": 1}
    assert os.stat(os.path.join(path, "f")).st_nlink == os.stat(os.path.join(path, "g")).st_nlink == 2
    assert os.path.samefile(os.path.join(disk, "f"), os.path.join(disk, "g"))
    with open(os.path.join(path, "g"), "r+b") as file:  # under its open name as well
        file.write(b"more data")
        os.link(os.path.join(path, "g"), os.path.join(path, "h"))
        assert os.fstat(file.fileno()).st_nlink == 3
    assert read(os.path.join(path, "h")) == read(os.path.join(disk, "h")) == b"more data"
    with pytest.raises(FileExistsError):
        os.link(os.path.join(path, "f"), os.path.join(path, "g"))


def test_attributes_are_set_in_one_message_that_also_asks(mount, folder):
    """Times, a size: the change and what the file looks like after it come together, with a handle or without."""
    path, disk = folder
    name = os.path.join(path, "f")
    write_new(name)
    at_once = {"SETATTR CREATE+SET_INFO+QUERY_INFO+CLOSE": 1}
    assert cost(mount, lambda: os.utime(name, (1000, 2000))) == at_once
    assert os.stat(name).st_mtime == os.stat(os.path.join(disk, "f")).st_mtime == 2000
    assert cost(mount, lambda: os.truncate(name, 2)) == at_once
    assert os.stat(name).st_size == os.stat(os.path.join(disk, "f")).st_size == 2
    with open(name, "r+b") as file:
        assert cost(mount, lambda: os.utime(file.fileno(), (1000, 3000))) == {"SETATTR SET_INFO+QUERY_INFO": 1}
        assert os.fstat(file.fileno()).st_mtime == os.stat(os.path.join(disk, "f")).st_mtime == 3000
        assert cost(mount, lambda: os.ftruncate(file.fileno(), 1)) == {"SETATTR SET_INFO+QUERY_INFO": 1}
        assert os.fstat(file.fileno()).st_size == os.stat(os.path.join(disk, "f")).st_size == 1


def test_a_mode_that_the_server_has_already_is_only_asked_for(mount, folder):
    """chmod that does not turn the read-only attribute: one question. One that does: the question and the change."""
    path, disk = folder
    name = os.path.join(path, "f")
    write_new(name)
    ask = {"SETATTR CREATE+QUERY_INFO+CLOSE": 1}
    assert cost(mount, lambda: os.chmod(name, 0o644)) == ask
    assert cost(mount, lambda: os.chmod(name, 0o444)) == {**ask, "SETATTR CREATE+SET_INFO+QUERY_INFO+CLOSE": 1}
    assert os.stat(name).st_mode & 0o222 == 0
    with pytest.raises(PermissionError):
        os.close(os.open(name, os.O_WRONLY))
    assert cost(mount, lambda: os.chmod(name, 0o600)) == {**ask, "SETATTR CREATE+SET_INFO+QUERY_INFO+CLOSE": 1}
    assert os.stat(name).st_mode & 0o222 != 0
    with open(name, "r+b") as file:
        assert cost(mount, lambda: os.fchmod(file.fileno(), 0o644)) == {"SETATTR QUERY_INFO": 1}
    assert os.listdir(disk) == ["f"]


def test_what_tar_does_to_a_file_is_four_messages(mount, folder):
    """Create, write, close, times, mode."""
    path, disk = folder
    for i in range(3):
        os.path.exists(os.path.join(path, f"nothing{i}"))

    def extract(name):
        write_new(name)
        os.utime(name, (5, 5))
        os.chmod(name, 0o644)

    spent = cost(mount, lambda: [extract(os.path.join(path, f"f{i}")) for i in range(5)])
    assert sum(spent.values()) == 20, spent


def test_times_that_are_set_after_a_close_stay(mount, folder):
    """A file that was written and closed, given times: they are those at the end, however late the kernel releases it."""
    path, disk = folder
    for i in range(150):
        write_new(os.path.join(path, f"f{i}"))
        os.utime(os.path.join(path, f"f{i}"), (5, 5))
    assert [i for i in range(150) if os.stat(os.path.join(disk, f"f{i}")).st_mtime != 5] == []


def names_of(path):
    return sorted(os.listdir(path))


def cost_of_listing(mount, path):
    """Without the question for the folder's own attributes, that the C library asks when they have expired."""
    return {name: times for name, times in cost(mount, lambda: names_of(path)).items()
            if not name.startswith("GETATTR ")}


def test_a_small_folder_is_listed_in_one_message(mount, folder):
    """Open, entries, "no more": one message. The attributes come along: asking for each costs nothing."""
    path, disk = folder
    made = [f"f{i:03}" for i in range(100)]
    for i, name in enumerate(made):
        put(os.path.join(disk, name), b"x" * i)
    for folder_ in ("empty", "full"):
        os.mkdir(os.path.join(disk, folder_))
    put(os.path.join(disk, "full", "x"))
    listing = "CREATE+QUERY_DIRECTORY+QUERY_DIRECTORY"
    assert cost_of_listing(mount, path) == {f"OPENDIR {listing}": 1}
    assert cost(mount, lambda: [pytest.fail(name) for i, name in enumerate(made)
                                if os.stat(os.path.join(path, name)).st_size != i]) == {}
    assert names_of(path) == sorted(made + ["empty", "full"])
    assert cost_of_listing(mount, os.path.join(path, "empty")) == {f"OPENDIR {listing}": 1}
    assert names_of(os.path.join(path, "full")) == ["x"] and names_of(os.path.join(path, "empty")) == []


def test_a_large_folder_is_asked_for_ahead_in_large_pages(mount, folder):
    """10,000 entries: the first 64 KiB or two with the open, then 256 KiB each, up to four at once."""
    path, disk = folder
    made = [f"file-{i:05}" for i in range(10000)]
    for name in made:
        put(os.path.join(disk, name))
    seen = []
    os.stat(path)
    spent = cost(mount, lambda: seen.extend(names_of(path)))
    assert seen == made
    # of the folder itself, where a busy machine takes more than a second
    spent.pop("GETATTR QUERY_INFO", None)
    spent.pop("LOOKUP CREATE+QUERY_INFO+CLOSE", None)
    assert spent.pop("OPENDIR CREATE+QUERY_DIRECTORY+QUERY_DIRECTORY") == 1
    # 1.3 MB, and at the end at most four questions that are on their way when the first "no more" comes
    asked = sum(times for name, times in spent.items() if name.endswith(" QUERY_DIRECTORY"))
    assert sum(spent.values()) == asked and 5 <= asked <= 10, spent
    # again from the beginning through one handle, in the middle of it
    with os.scandir(path) as entries:
        first = [next(entries).name for _ in range(3000)]
    assert len(set(first)) == 3000 and names_of(path) == made


def test_a_folder_that_is_listed_is_not_asked_for_its_attributes(mount, folder):
    """Open, list, stat the descriptor, as tar does: one message. After a change of ours the answer is the new one."""
    path, disk = folder
    put(os.path.join(disk, "f"))
    os.stat(path)

    def walk():
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            assert os.listdir(descriptor) == ["f"]
            assert os.fstat(descriptor).st_mtime_ns // 100 == os.stat(disk).st_mtime_ns // 100
        finally:
            os.close(descriptor)

    assert cost(mount, walk) == {"OPENDIR CREATE+QUERY_DIRECTORY+QUERY_DIRECTORY": 1}
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.listdir(descriptor)
        os.mkdir(os.path.join(path, "d"))
        assert os.fstat(descriptor).st_mtime_ns // 100 == os.stat(disk).st_mtime_ns // 100
        os.utime(path, ns=(10 ** 18, 10 ** 18))
        assert os.fstat(descriptor).st_mtime_ns == 10 ** 18
    finally:
        os.close(descriptor)
