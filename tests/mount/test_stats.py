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
