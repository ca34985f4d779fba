"""Bad input, one kind after the other: one line that says what failed at which step, the NTSTATUS name, and
what to try; the documented exit code; nothing left mounted, no process left."""

import os
import shutil
import socket
import tempfile
import threading

import pytest

import rig

USAGE, SYSTEM, FAILED = 1, 2, 32


@pytest.fixture
def directory():
    made = tempfile.mkdtemp(prefix="rdr-bad-", dir="/tmp")
    yield made
    assert made not in rig.mounts()
    shutil.rmtree(made, ignore_errors=True)


def refused(words, code, *texts, timeout=30, env=None, program=None):
    """Runs it and checks the whole contract of a failure."""
    mounts_before, processes_before = set(rig.mounts()), rig.processes()
    if program:
        done = rig.run(*program, *words, timeout=timeout, env=env or rig.clean_env())
    else:
        done = rig.rdr(*words, timeout=timeout, env=env)
    lines = done.stderr.strip().split("\n")
    assert done.returncode == code, f"{done.returncode}: {done.stderr}"
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("rdr: ")
    assert done.stdout == ""
    for text in texts:
        assert text in lines[0], lines[0]
    assert not (set(rig.mounts()) - mounts_before) & set(words)
    rig.wait_until("no process left", 5, lambda: rig.processes() <= processes_before)
    return lines[0]


def credentials(directory, user="alice", password=rig.PASSWORD, mode=0o600, more=""):
    path = os.path.join(directory, "..", os.path.basename(directory) + ".cred")
    path = os.path.normpath(path)
    with open(path, "w", encoding="ascii") as file:
        file.write(f"username={user}\npassword={password}\n{more}")
    os.chmod(path, mode)
    return path


@pytest.fixture
def good(directory):
    path = credentials(directory)
    yield path
    os.unlink(path)


def test_wrong_password(samba, directory):
    path = credentials(directory, password="wrong-one")
    refused(["mount", "-o", f"credentials={path}", samba.unc(), directory], FAILED,
            "logging on", "STATUS_LOGON_FAILURE", "password")
    os.unlink(path)


def test_unknown_user(samba, directory):
    path = credentials(directory, user="nobody-here")
    refused(["mount", "-o", f"credentials={path}", samba.unc(), directory], FAILED,
            "logging on", "STATUS_LOGON_FAILURE", "username")
    os.unlink(path)


def test_unknown_host(directory, good):
    refused(["mount", "-o", f"credentials={good}", "//no-such-host.invalid/share", directory], FAILED,
            "finding the server", "STATUS_BAD_NETWORK_PATH", "DNS", timeout=40)


def test_closed_port(directory, good):
    refused(["mount", "-o", f"credentials={good}", f"//127.0.0.1:{rig.free_port()}/share", directory], FAILED,
            "connecting", "STATUS_CONNECTION_REFUSED", "port")


class Impostor:
    """Listens, and treats whoever comes as the test wants."""

    def __init__(self, treat):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(8)
        self.port = self.listener.getsockname()[1]
        self.treat = treat
        self.kept = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.kept.append(peer)
            try:
                self.treat(peer)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.listener.close()
        for peer in self.kept:
            peer.close()


def speak_http(peer):
    peer.recv(4096)
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html>no</html>\r\n")
    peer.close()


def hang_up(peer):
    peer.recv(4096)
    peer.close()


def say_nothing(peer):
    peer.recv(4096)


def half_an_answer(peer):
    peer.recv(4096)
    peer.sendall(b"\0\0\1\0\xfeSMB")


def huge_frame(peer):
    peer.recv(4096)
    peer.sendall(b"\0\xff\xff\xff" + b"\xfeSMB" + bytes(100000))


def speak_smb1(peer):
    peer.recv(4096)
    body = b"\xffSMB\x72" + bytes(27) + b"\x01\xff\xff\0\0"
    peer.sendall(len(body).to_bytes(4, "big") + body)


def echo_back(peer):
    while True:
        data = peer.recv(65536)
        if not data:
            return
        peer.sendall(data)


@pytest.mark.parametrize("treat", [speak_http, hang_up, speak_smb1, echo_back, huge_frame], ids=lambda f: f.__name__)
def test_something_that_is_not_smb2(directory, good, treat):
    """Whatever answers instead of an SMB2 server, the end is one clear line and no crash."""
    with Impostor(treat) as impostor:
        refused(["mount", "-o", f"credentials={good}", f"//127.0.0.1:{impostor.port}/share", directory], FAILED,
                f"//127.0.0.1:{impostor.port}/share", "STATUS_", timeout=30)


@pytest.mark.parametrize("treat", [say_nothing, half_an_answer], ids=lambda f: f.__name__)
def test_a_server_that_stops_answering_in_mid_handshake(directory, good, treat):
    """Silence ends after about ten seconds with STATUS_IO_TIMEOUT."""
    with Impostor(treat) as impostor:
        refused(["mount", "-o", f"credentials={good}", f"//127.0.0.1:{impostor.port}/share", directory], FAILED,
                "STATUS_IO_TIMEOUT", "did not answer", timeout=20)


def test_missing_share(samba, directory, good):
    refused(["mount", "-o", f"credentials={good}", samba.unc("no-such-share"), directory], FAILED,
            "opening the share", "STATUS_BAD_NETWORK_NAME", "smbclient")


def test_no_permission_for_the_share(samba, directory, good):
    refused(["mount", "-o", f"credentials={good}", samba.unc("private"), directory], FAILED,
            "opening the share", "STATUS_ACCESS_DENIED")


def test_missing_folder_below_the_share(samba, directory, good):
    refused(["mount", "-o", f"credentials={good}", samba.unc("share", "no/such/folder"), directory], FAILED,
            "opening the folder", "STATUS_OBJECT_", "path behind the share")


def test_directory_missing():
    refused(["mount", "mem:", "/tmp/rdr-no-such-directory"], USAGE, "does not exist", "mkdir")


def test_directory_is_a_file(directory):
    path = os.path.join(directory, "file")
    with open(path, "wb"):
        pass
    refused(["mount", "mem:", path], USAGE, "not a directory")


def test_directory_busy():
    mount = rig.Mount("mem:busy")
    try:
        refused(["mount", "mem:other", mount.path], FAILED, "busy", "mem:busy", "rdr umount")
    finally:
        mount.unmount()


@pytest.mark.parametrize("option,text", [
    ("nonsense", "unknown option 'nonsense'"),
    ("vers=1.0", "SMB1"),
    ("vers=9", "vers=9"),
    ("sec=ntlm", "ntlmssp"),
    ("sec=krb5", "Kerberos"),
    ("port=0", "port"),
    ("port=99999", "port"),
    ("port=abc", "port"),
    ("uid=no-such-user-here", "no such user"),
    ("file_mode=999", "octal"),
    ("actimeo=-1", "actimeo"),
    ("rsize=1", "rsize"),
    ("echo_interval=601", "echo_interval"),
    ("cache=maybe", "cache"),
    ("username=", "needs a value"),
    ("seal=yes", "takes no value"),
    ("multiuser", "multiuser"),
    ("rdma", "SMB Direct"),
    ("snapshot=@GMT-2020.01.01-00.00.00", "previous versions"),
])
@pytest.mark.without_fuse
def test_unknown_and_impossible_options(directory, option, text):
    refused(["mount", "-o", option, "mem:", directory], USAGE, text)


@pytest.mark.parametrize("spec", [
    "share", "/server/share", "//", "//server", "//server/", "///share", "//server:0/share", "//server:99999/share",
    "//server:x/share", "//ser ver/share", "//server/share/../other", "//server/a*b", "//[::1/share", "//::1/share",
    "smb://", "smb:///share", "smb://server", "smb://server/%zz", "smb://server/%00", "smb://@server/share",
    "smb://user@/share", "smb://server:70000/share", "http://server/share", "mem:a/b", "\\\\server", "",
    "//" + "x" * 300 + "/share", "//server/" + "x" * 5000,
])
@pytest.mark.without_fuse
def test_malformed_names(directory, spec):
    refused(["mount", "-o", "guest", spec, directory], USAGE)


@pytest.mark.without_fuse
def test_password_in_a_malformed_url_is_not_shown(directory):
    done = rig.rdr("mount", "smb://alice:sEcReT99@server:x/share", directory)
    assert done.returncode == USAGE
    assert "sEcReT99" not in done.stderr + done.stdout


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o622])
def test_credentials_file_open_to_others(directory, mode):
    path = credentials(directory, mode=mode)
    refused(["mount", "-o", f"credentials={path}", "//127.0.0.1/share", directory], USAGE,
            "credentials file", "others", "chmod 600")
    os.unlink(path)


def test_credentials_file_missing_or_not_a_file(directory):
    refused(["mount", "-o", "credentials=/tmp/rdr-no-such-file", "//127.0.0.1/share", directory], USAGE,
            "credentials file", "No such file")
    refused(["mount", "-o", f"credentials={directory}", "//127.0.0.1/share", directory], USAGE, "is a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_credentials_file_unreadable(directory):
    path = credentials(directory, mode=0o000)
    refused(["mount", "-o", f"credentials={path}", "//127.0.0.1/share", directory], USAGE, "Permission denied")
    os.unlink(path)


def test_credentials_file_with_a_line_that_is_none(directory):
    path = credentials(directory, more="surprise=yes\n")
    line = refused(["mount", "-o", f"credentials={path}", "//127.0.0.1/share", directory], USAGE, "line 3")
    assert "surprise" not in line
    os.unlink(path)


def test_no_password_and_nobody_to_ask(directory):
    """Without a terminal nothing waits for a password that cannot be typed."""
    done = rig.run("setsid", "-w", rig.RDR, "mount", "-o", "username=alice", "//127.0.0.1/share", directory,
                   env=rig.clean_env(), timeout=10)
    assert done.returncode == USAGE
    assert "no password for alice" in done.stderr and "credentials=" in done.stderr
    assert directory not in rig.mounts()


def hidden(*targets):
    """A command prefix that runs with these paths hidden, in a mount namespace of its own."""
    probe = rig.run("unshare", "-m", "true", timeout=10)
    if os.geteuid() != 0 or probe.returncode != 0:
        pytest.skip("hiding a file needs root and mount namespaces")
    script = ""
    for target in targets:
        script += f"mount --bind /dev/null '{target}' && "
    return ["unshare", "-m", "sh", "-c", script + 'exec "$0" "$@"', rig.RDR]


def test_no_dev_fuse(directory):
    refused(["mount", "mem:", directory], SYSTEM, "/dev/fuse", program=hidden("/dev/fuse"))


def test_no_fusermount3(directory):
    refused(["mount", "mem:", directory], SYSTEM, "fusermount3", "fuse3",
            program=hidden(os.path.realpath(shutil.which("fusermount3") or "/usr/bin/fusermount3")))


@pytest.mark.without_fuse
@pytest.mark.parametrize("words", [
    [], ["fly"], ["mount"], ["mount", "mem:"], ["mount", "mem:", "/tmp", "more"], ["mount", "-Q", "mem:", "/tmp"],
    ["mount", "-o"], ["umount"], ["umount", "a", "b"], ["status", "--nonsense"], ["list", "x"],
], ids=lambda words: "-".join(words) or "nothing")
def test_wrong_words(words):
    refused(words, USAGE)


def test_umount_of_what_is_not_ours(directory):
    refused(["umount", directory], USAGE, "nothing is mounted", "rdr list")
    refused(["umount", "/proc"], USAGE, "not one of ours")
    refused(["status", directory], USAGE, "nothing of ours")


def test_the_helper_of_mount_8_fails_with_its_codes(samba, directory):
    """mount.rdr: the same errors and codes, as mount(8) expects them."""
    helper = os.path.join(directory, "mount.rdr")
    os.symlink(rig.RDR, helper)
    path = credentials(directory, password="wrong-one")
    target = os.path.join(directory, "target")
    os.mkdir(target)
    refused([samba.unc(), target, "-o", f"rw,credentials={path}"], FAILED, "STATUS_LOGON_FAILURE", program=[helper])
    refused([samba.unc(), target, "-o", "rw,frobnicate"], USAGE, "unknown option", program=[helper])
    os.unlink(path)
