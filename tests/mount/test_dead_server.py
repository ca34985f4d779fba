"""A server that dies or falls silent: everything ends with an error, in time, and nothing hangs."""

import os
import signal
import subprocess
import time

import pytest

import rig


@pytest.fixture
def doomed():
    """A server of the test's own, to be killed."""
    server = rig.Samba()
    yield server
    server.signal_all(signal.SIGCONT)
    server.stop()


@pytest.fixture
def mount(doomed):
    made = rig.Mount(doomed.unc(), f"credentials={doomed.credentials}")
    yield made
    made.discard()


def spawn(*words):
    return subprocess.Popen(
        [os.fspath(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def busy(mount):
    """Processes that write and read without end, and are known to be in the middle of it."""
    with open(os.path.join(mount.path, "source"), "wb") as file:
        file.write(os.urandom(4 << 20))
    workers = []
    for i in range(4):
        target = os.path.join(mount.path, f"w{i}")
        workers.append(spawn("sh", "-c", f"while dd if=/dev/zero of='{target}' bs=64k count=64 conv=fsync 2>&1; do :; done"))
    for i in range(4):
        source = os.path.join(mount.path, "source")
        workers.append(spawn("sh", "-c", f"while dd if='{source}' of=/dev/null bs=64k iflag=direct 2>&1; do :; done"))
    workers.append(spawn("sh", "-c", f"while ls -l '{mount.path}'; do :; done"))
    rig.wait_until("all writers at work", 20, lambda: all(
        os.path.exists(os.path.join(mount.path, f"w{i}")) for i in range(4)))
    return workers


def test_killed_server_ends_every_call_within_10_s(doomed, mount):
    """SIGKILL in the middle of I/O: each caller gets an error within 10 s; status answers; umount within 5 s."""
    workers = busy(mount)
    doomed.signal_all(signal.SIGKILL)
    began = time.monotonic()
    answered = mount.status(timeout=3)
    assert time.monotonic() - began < 3
    assert any(entry["kind"] == "SRV_CALL" for entry in answered["objects"])
    for worker in workers:
        # each is a loop that only an error ends
        worker.communicate(timeout=max(0.1, 10 - (time.monotonic() - began)))
    with pytest.raises(OSError):
        with open(os.path.join(mount.path, "source"), "rb") as file:
            file.read()
    began = time.monotonic()
    mount.unmount()
    assert time.monotonic() - began < 5 + 3  # the daemon's own end and its leak check included


def test_killed_server_lets_umount_end_within_5_s(doomed, mount):
    """umount right after the server's death ends within 5 s, with the verdict, with callers still waiting."""
    workers = busy(mount)
    doomed.signal_all(signal.SIGKILL)
    began = time.monotonic()
    done = rig.rdr("umount", "-f", mount.path, timeout=5)
    assert time.monotonic() - began < 5
    assert done.returncode == 0, done.stderr
    assert "no leaks" in done.stdout
    assert mount.path not in rig.mounts()
    for worker in workers:
        worker.kill()
        worker.communicate(timeout=10)
    rig.wait_until("end of the daemon", 40, lambda: rig.is_gone(mount.pid))
    assert not rig.SANITIZER.search(mount.read_log()), mount.read_log()


def test_silent_server_is_interruptible_and_can_be_left(doomed, mount):
    """SIGSTOP: status answers, a caller can be killed at once, and umount ends within 5 s without being forced."""
    with open(os.path.join(mount.path, "f"), "wb") as file:
        file.write(b"x" * 100000)
    doomed.signal_all(signal.SIGSTOP)
    reader = spawn("dd", f"if={mount.path}/f", "of=/dev/null", "bs=4k", "iflag=direct")
    lister = spawn("ls", "-l", mount.path)
    try:
        began = time.monotonic()
        mount.status(timeout=3)
        assert time.monotonic() - began < 3
        assert reader.poll() is None
        reader.send_signal(signal.SIGINT)
        try:
            reader.communicate(timeout=3)
        except subprocess.TimeoutExpired:
            pytest.fail(f"not interrupted:\n{rig.threads_of(reader.pid)}\n{rig.threads_of(mount.pid)}")
        assert reader.returncode != 0
        began = time.monotonic()
        done = rig.rdr("umount", mount.path, timeout=6)
        assert time.monotonic() - began < 5
        assert done.returncode == 0, done.stderr
        assert mount.path not in rig.mounts()
        lister.communicate(timeout=5)
        rig.wait_until("end of the daemon", 40, lambda: rig.is_gone(mount.pid))
        assert not rig.SANITIZER.search(mount.read_log()), mount.read_log()
    finally:
        doomed.signal_all(signal.SIGCONT)
        for process in (reader, lister):
            process.kill()
            process.communicate(timeout=10)


def test_server_that_wakes_up_again_is_used_again(doomed, mount):
    """A short silence costs time and nothing else: the write that waited is complete."""
    path = os.path.join(mount.path, "f")
    doomed.signal_all(signal.SIGSTOP)
    writer = spawn("dd", "if=/dev/zero", f"of={path}", "bs=64k", "count=16", "conv=fsync")
    time.sleep(2)  # the silence itself is what is tested
    assert writer.poll() is None
    doomed.signal_all(signal.SIGCONT)
    _, text = writer.communicate(timeout=30)
    assert writer.returncode == 0, text
    assert os.path.getsize(path) == 16 * 65536
    mount.unmount()


def test_a_busy_mount_of_a_living_server_is_not_taken_away(doomed, mount):
    """umount refuses while somebody has a file open, says so, and force ends it all the same."""
    with open(os.path.join(mount.path, "f"), "wb") as file:
        file.write(b"1")
        file.flush()
        done = rig.rdr("umount", mount.path, timeout=10)
        assert done.returncode == 32
        assert "in use" in done.stderr and "umount -f" in done.stderr
        assert mount.alive()
    mount.unmount()


def test_a_server_that_comes_back_is_used_again(doomed, mount):
    """After a restart of the server new opens work, with the same mount; what was open before says it is lost."""
    path = os.path.join(mount.path, "f")
    with open(path, "wb") as file:
        file.write(b"before")
    held = open(path, "rb", buffering=0)
    doomed.signal_all(signal.SIGKILL)
    rig.wait_until("its end", 10, lambda: rig.is_gone(doomed.pid))
    doomed.start()

    def content():
        try:
            with open(path, "rb") as again:
                return again.read()
        except OSError:
            return None

    assert rig.wait_until("the file", 30, content) == b"before"
    with open(path, "wb") as file:
        file.write(b"after")
    assert content() == b"after"
    held.close()
    mount.unmount()
