"""What the mount tests are made of: the program, a private Samba, mounts, and a look at what is left.

Rules: every process that a test starts has a time limit; a mount that does not answer is taken away by a
watchdog, so that a test fails instead of hanging; at the end nothing is mounted and no process is left.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SUPPORT = os.path.join(os.path.dirname(HERE), "support")
RDR = os.path.realpath(os.environ.get("RDR_BIN", "/nonexistent"))
LONG = os.environ.get("RDR_LONG") == "yes"
PASSWORD = "Passw0rd"
USER = "alice"


def run(*words, timeout=60, env=None, check=False, **more):
    """One process, output as text, never longer than its limit."""
    done = subprocess.run(
        [os.fspath(word) for word in words],
        stdin=more.pop("stdin", subprocess.DEVNULL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=timeout,
        env=env,
        **more,
    )
    done.stdout = done.stdout.decode(errors="replace")
    done.stderr = done.stderr.decode(errors="replace")
    if check:
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def clean_env(**more):
    """The environment without anything that names a user or a password."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PASSWD") and k != "USER"}
    env.update(more)
    return env


def rdr(*words, timeout=60, env=None, **more):
    return run(RDR, *words, timeout=timeout, env=clean_env() if env is None else env, **more)


def threads_of(pid):
    """Name, state and wait channel of each thread of a process: where a daemon that does not end stands."""
    lines = []
    for task in sorted(os.listdir(f"/proc/{pid}/task")) if os.path.isdir(f"/proc/{pid}/task") else []:
        try:
            with open(f"/proc/{pid}/task/{task}/status", encoding="ascii", errors="replace") as file:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            with open(f"/proc/{pid}/task/{task}/wchan", encoding="ascii", errors="replace") as file:
                lines.append(f"{task} {status.get('Name')} {status.get('State')} {file.read()}")
        except OSError:
            continue
    return "\n".join(lines)


def wait_until(what, limit, condition):
    """Waits for a condition, looking often; fails with `what` after `limit` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {limit} s: {what}")


def unescape(word):
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), word)


def mounts():
    """The directories that carry a mount of ours now."""
    found = []
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            fields = line.split()
            if fields[2] == "fuse.rdr":
                found.append(unescape(fields[1]))
    return found


def processes():
    """The pids whose program is ours; dead ones that nobody collected do not count."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.readlink(f"/proc/{name}/exe") == RDR:
                    found.add(int(name))
            except OSError:
                pass
    return found


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def is_free(port):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def below(pid):
    """All descendants of a process."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
                for child in children.read().split():
                    found.append(int(child))
                    found.extend(below(int(child)))
    except OSError:
        pass
    return found


class Samba:
    """A private smbd on the loopback."""

    def __init__(self, password=PASSWORD):
        self.directory = tempfile.mkdtemp(prefix="rdr-smb-", dir="/tmp")
        self.port = free_port()
        self.password = password
        self.start()
        self.credentials = os.path.join(self.directory, "credentials")
        with open(self.credentials, "w", encoding="ascii") as file:
            file.write(f"username={USER}\npassword={password}\n")
        os.chmod(self.credentials, 0o600)

    def start(self):
        wait_until(f"port {self.port}", 20, lambda: is_free(self.port))
        run(
            os.path.join(SUPPORT, "samba", "start"), str(self.port), self.directory,
            timeout=60, env=dict(os.environ, SAMBA_PASS=self.password), check=True,
        )
        with open(os.path.join(self.directory, "smbd.pid"), encoding="ascii") as file:
            self.pid = int(file.read())

    def unc(self, share="share", path=""):
        return f"//127.0.0.1:{self.port}/{share}{'/' + path if path else ''}"

    def disk(self, share="share"):
        return os.path.join(self.directory, "disk", share)

    def signal_all(self, number):
        if number == signal.SIGKILL:
            os.kill(self.pid, signal.SIGSTOP)  # or it begets more while its children are counted
        for pid in [self.pid] + below(self.pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def stop(self):
        run(os.path.join(SUPPORT, "samba", "stop"), self.directory, timeout=30)
        shutil.rmtree(self.directory, ignore_errors=True)


SANITIZER = re.compile(
    r"ERROR: (Address|Leak|Thread)Sanitizer|runtime error:|check failed|WARNING: ThreadSanitizer|rdr: LEAK"
)


class Mount:
    """One mount and its daemon."""

    active = []

    def __init__(self, spec, options="", directory=None, arguments=(), env=None, timeout=60):
        self.own_directory = directory is None
        self.path = directory or tempfile.mkdtemp(prefix="rdr-mnt-", dir="/tmp")
        self.log = tempfile.mktemp(prefix="rdr-log-", dir="/tmp")
        before = processes()
        words = ["mount", *arguments, "--log-file", self.log]
        if options:
            words += ["-o", options]
        done = rdr(*words, spec, self.path, timeout=timeout, env=env)
        if done.returncode != 0:
            trace = self.read_log()
            self.remove()
            raise AssertionError(f"mount of {spec}: {done.returncode}\n{done.stderr}{trace}")
        self.pid = None
        for pid in processes() - before:
            self.pid = pid
        Mount.active.append(self)

    def read_log(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def alive(self):
        return self.pid is not None and not is_gone(self.pid) and self.path in mounts()

    def kill(self):
        """Takes the mount away whatever happens; pending requests end with an error."""
        if self.pid is not None and not is_gone(self.pid):
            os.kill(self.pid, signal.SIGKILL)
        if self.path in mounts():
            run("umount", "-l", self.path, timeout=10)
        if self in Mount.active:
            Mount.active.remove(self)

    def remove(self):
        if self.own_directory and self.path not in mounts():
            try:
                os.rmdir(self.path)
            except OSError:
                pass
        try:
            os.unlink(self.log)
        except OSError:
            pass

    def unmount(self, *arguments, limit=20):
        """Ends the mount in order, with objects that agree, and holds the daemon to its verdict."""
        try:
            if self.alive():
                checked = rdr("status", "--check", self.path, timeout=20)
                assert checked.returncode == 0, f"check: {checked.returncode}\n{checked.stdout}{checked.stderr}"
            done = rdr("umount", *arguments, self.path, timeout=limit)
            try:
                wait_until(f"end of the daemon {self.pid}", 60, lambda: is_gone(self.pid))
            except AssertionError as late:
                raise AssertionError(f"{late}\n{threads_of(self.pid)}\n{self.read_log()}") from None
            trace = self.read_log()
            assert done.returncode == 0, f"umount: {done.returncode}\n{done.stdout}{done.stderr}\n{trace}"
            assert self.path not in mounts()
            assert not SANITIZER.search(trace), trace
            return done
        finally:
            self.kill()
            self.remove()

    def discard(self):
        """Ends the mount, with no opinion."""
        if self.alive():
            rdr("umount", "-f", self.path, timeout=20)
            try:
                wait_until("end of the daemon", 10, lambda: is_gone(self.pid))
            except AssertionError:
                pass
        self.kill()
        self.remove()

    def status(self, timeout=5):
        done = rdr("status", "--json", self.path, timeout=timeout)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def stats(self):
        done = rdr("status", "--stats", "--json", self.path, timeout=5)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["stats"]


class Watchdog:
    """Takes all mounts away when a test takes too long, so that what hangs in them ends."""

    def __init__(self, limit):
        self.fired = False
        self.timer = threading.Timer(limit, self.fire)
        self.timer.daemon = True

    def fire(self):
        self.fired = True
        for mount in list(Mount.active):
            mount.kill()

    def __enter__(self):
        self.timer.start()
        return self

    def __exit__(self, *what):
        self.timer.cancel()
