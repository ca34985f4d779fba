"""Loadable mini-redirectors: the recipe, the example, what a wrong object is told, and the edit-run loop."""

import errno
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time

import pytest

import rig

TOP = os.path.dirname(os.path.dirname(rig.HERE))
NULMRX = os.path.join(TOP, "examples", "nulmrx")
# the recipe's compiler and sanitizer are those of the program, so that a driver's mistakes are seen
ASAN = "libasan" in subprocess.run(["ldd", rig.RDR], stdout=subprocess.PIPE, check=False).stdout.decode()
SANITIZE = ["--asan"] if ASAN else []


def build(folder, out, *flags):
    return rig.rdr("build-minirdr", folder, "-o", out, *SANITIZE, *flags)


@pytest.fixture(scope="module")
def workshop():
    folder = tempfile.mkdtemp(prefix="rdr-drv-", dir="/tmp")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def nulmrx(workshop):
    out = os.path.join(workshop, "nulmrx.so")
    done = build(NULMRX, out, "-Werror")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def folder():
    path = tempfile.mkdtemp(prefix="rdr-src-", dir="/tmp")
    yield path
    shutil.rmtree(path, ignore_errors=True)


def mount_nulmrx(driver, spec=None):
    return rig.Mount(spec or "//nulmrx/share", arguments=("--minirdr", driver))


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


# A driver as small as one can be; what each test needs differently is put in place of a word.
SMALL = """
#include <ntifs.h>
#include <rx.h>

static MINIRDR_DISPATCH Table;
static PRDBSS_DEVICE_OBJECT Device;

static NTSTATUS Start(PRX_CONTEXT RxContext, PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	return START;
}

static NTSTATUS Stop(PRX_CONTEXT RxContext, PRDBSS_DEVICE_OBJECT RxDeviceObject)
{
	return STATUS_SUCCESS;
}

static NTSTATUS CreateSrvCall(PMRX_SRV_CALL SrvCall, PMRX_SRVCALL_CALLBACK_CONTEXT Context)
{
	return STATUS_BAD_NETWORK_PATH;
}

VOID Unload(PDRIVER_OBJECT DriverObject)
{
	RxUnregisterMinirdr(Device);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
	UNICODE_STRING Name;
	NTSTATUS Status = RxDriverEntry(DriverObject, RegistryPath);

	ENTRY;
	ZeroAndInitializeNodeType(&Table, RDBSS_NTC_MINIRDR_DISPATCH, sizeof(MINIRDR_DISPATCH));
	Table.MRxStart = Start;
	Table.MRxStop = Stop;
	Table.MRxCreateSrvCall = CreateSrvCall;
	RtlInitUnicodeString(&Name, L"\\\\Device\\\\Small");
	Status = RxRegisterMinirdr(&Device, DriverObject, &Table, RX_REGISTERMINI_FLAG_DONT_PROVIDE_MAILSLOTS,
				   &Name, 0, FILE_DEVICE_NETWORK_FILE_SYSTEM, FILE_REMOTE_DEVICE);
	DriverObject->DriverUnload = Unload;
	return Status;
}
"""


def small(folder, **words):
    text = SMALL
    for word, value in {"START": "STATUS_SUCCESS", "ENTRY": "(void)0", **words}.items():
        text = re.sub(rf"\b{word};", value + ";", text)
    write(os.path.join(folder, "small.c"), text)
    return os.path.join(folder, "small.so")


def refused(driver, spec="//nulmrx/share", code=1):
    """The one line that `rdr mount --minirdr` answers."""
    directory = tempfile.mkdtemp(prefix="rdr-mnt-", dir="/tmp")
    try:
        done = rig.rdr("mount", "--minirdr", driver, spec, directory)
    finally:
        os.rmdir(directory)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}{done.stderr}"
    assert done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    assert directory not in rig.mounts()
    return done.stderr


def test_nulmrx_serves_its_files(nulmrx):
    """The example is listed, read, written, extended, renamed and removed, and leaks nothing."""
    mount = mount_nulmrx(nulmrx)
    assert sorted(os.listdir(mount.path)) == ["hello.txt", "readme.txt"]
    with open(os.path.join(mount.path, "hello.txt"), encoding="ascii") as file:
        assert file.read() == "Hello from DriverEntry.\n"
    data = os.urandom(1 << 20)
    new = os.path.join(mount.path, "new")
    with open(new, "wb") as file:
        file.write(data)
    with open(new, "ab") as file:
        file.write(b"tail")
    with open(new, "rb") as file:
        assert file.read() == data + b"tail"
    os.truncate(new, 3)
    assert os.stat(new).st_size == 3
    other = os.path.join(mount.path, "Other")
    os.rename(new, other)
    assert sorted(os.listdir(mount.path)) == ["Other", "hello.txt", "readme.txt"]
    with open(other, "rb") as file:
        os.unlink(other)
        assert file.read() == data[:3]
    assert sorted(os.listdir(mount.path)) == ["hello.txt", "readme.txt"]
    mount.unmount()


def test_nulmrx_says_no_honestly(nulmrx):
    """What the example cannot do has the errno of a file system that cannot, and the mount goes on."""
    mount = mount_nulmrx(nulmrx)
    hello = os.path.join(mount.path, "hello.txt")
    for action, expected in [
        (lambda: os.mkdir(os.path.join(mount.path, "d")), {errno.EOPNOTSUPP}),
        (lambda: os.stat(os.path.join(mount.path, "none")), {errno.ENOENT}),
        (lambda: os.stat(os.path.join(hello, "below")), {errno.ENOTDIR}),
        (lambda: os.link(hello, os.path.join(mount.path, "l")), {errno.EOPNOTSUPP, errno.EPERM}),
        (lambda: os.open(hello, os.O_CREAT | os.O_EXCL), {errno.EEXIST}),
        (lambda: os.truncate(hello, 1 << 30), {errno.ENOSPC, errno.EFBIG}),
    ]:
        with pytest.raises(OSError) as error:
            action()
        assert error.value.errno in expected, error.value
    assert os.stat(hello).st_size == 24
    mount.unmount()


def test_a_file_of_a_share_is_opened_once_per_open(nulmrx):
    """status shows the driver's objects under the names it claimed."""
    mount = mount_nulmrx(nulmrx)
    with open(os.path.join(mount.path, "hello.txt"), "rb"):
        objects = mount.status()["objects"]
    kinds = {o["kind"]: o["name"] for o in objects}
    assert kinds["SRV_CALL"] == "\\nulmrx" and kinds["NET_ROOT"] == "\\nulmrx\\share"
    assert kinds["FCB"].endswith("\\hello.txt")
    mount.unmount()


@pytest.mark.parametrize("words", [[], ["nulmrx"], ["\\\\NULMRX\\Share"]])
def test_the_name_may_be_left_to_the_driver(nulmrx, words):
    """Without a name //FILE/share is mounted; a bare NAME is //NAME/share; names compare as the driver says."""
    directory = tempfile.mkdtemp(prefix="rdr-mnt-", dir="/tmp")
    done = rig.rdr("mount", "--minirdr", nulmrx, *words, directory)
    assert done.returncode == 0, done.stderr
    assert "hello.txt" in os.listdir(directory)
    done = rig.rdr("umount", directory)
    assert done.returncode == 0 and "no leaks" in done.stdout
    os.rmdir(directory)


def test_a_name_that_the_driver_does_not_claim(nulmrx):
    """The driver is asked before it is used; what it does not serve is not mounted."""
    assert "STATUS_BAD_NETWORK_PATH" in refused(nulmrx, "//elsewhere/share", 32)
    assert "STATUS_BAD_NETWORK_NAME" in refused(nulmrx, "//nulmrx/nothing", 32)


@pytest.mark.without_fuse
def test_files_that_are_no_drivers(folder):
    """Each wrong object is named with what is wrong with it; nothing of it is executed."""
    ran = os.path.join(folder, "ran")
    text = os.path.join(folder, "text.so")
    write(text, "not an object\n" * 20)
    plain = os.path.join(folder, "plain.so")
    write(
        os.path.join(folder, "plain.c"),
        f'#include <stdio.h>\n__attribute__((constructor)) static void run(void) {{ fopen("{ran}", "w"); }}\n',
    )
    rig.run("cc", "-shared", "-fPIC", os.path.join(folder, "plain.c"), "-o", plain, check=True)
    with open(plain, "rb") as file:
        image = file.read()
    for cut in (20, 64, 200, len(image) // 2, len(image) - 100):
        with open(os.path.join(folder, f"cut{cut}.so"), "wb") as file:
            file.write(image[:cut])
    assert "text.so is not a shared object" in refused(text)
    assert "No such file" in refused(os.path.join(folder, "none.so"))
    assert "plain.so is not a mini-redirector: it has no rdbss_abi_version" in refused(plain)
    for name in os.listdir(folder):
        if name.startswith("cut"):
            assert name in refused(os.path.join(folder, name))
    assert "is not a shared object" in refused("/dev/null")
    assert "is not a shared object" in refused(folder)
    assert not os.path.exists(ran)


@pytest.mark.without_fuse
def test_an_object_of_other_headers(folder):
    """A stamp with another version, another size or other words is refused, and the message says which."""
    out = small(folder)
    assert build(folder, out).returncode == 0
    stamp = os.path.join(out + ".d", "stamp.c")
    for change, expected in [
        (".version = 99", "was built for version 99."),
        (".structure_bytes = {1}", "DRIVER_OBJECT has 1 bytes there"),
        ('.magic = "notours"', "is something else"),
    ]:
        write(
            stamp,
            "#include <rdbss_abi.h>\n"
            "extern const struct rdbss_abi rdbss_abi_version;\n"
            "const struct rdbss_abi rdbss_abi_version = {.magic = {'r','d','b','s','s','A','B','I'},\n"
            ".bytes = sizeof(struct rdbss_abi), .version = RDBSS_ABI_VERSION,\n"
            f".structure_count = RDBSS_ABI_STRUCTURE_COUNT, {change}}};\n",
        )
        flags = rig.run(os.path.join(os.path.dirname(rig.RDR), "build-minirdr"), "--cflags", check=True).stdout.split()
        sanitize = ["-fsanitize=address,undefined"] if ASAN else []
        rig.run(
            "cc", *flags, "-w", *sanitize, stamp, os.path.join(folder, "small.c"), "-shared", "-o", out,
            cwd=folder, check=True,
        )
        assert expected in refused(out), change


@pytest.mark.without_fuse
def test_the_recipe_names_what_is_missing(folder):
    """A source without DriverEntry, and one that calls what is not here, are told so when they are built."""
    write(os.path.join(folder, "empty.c"), "#include <ntifs.h>\nint nothing;\n")
    done = build(folder, os.path.join(folder, "empty.so"))
    assert done.returncode != 0 and "has no DriverEntry" in done.stderr
    out = small(folder, ENTRY="{ extern void CcNobodyHasThis(void); CcNobodyHasThis(); }")
    os.unlink(os.path.join(folder, "empty.c"))
    done = build(folder, out)
    assert done.returncode != 0 and "needs a routine that is not here: CcNobodyHasThis" in done.stderr
    assert "CcNobodyHasThis" in refused(out)
    done = build(os.path.join(folder, "nowhere"), out)
    assert done.returncode != 0 and "is not a folder" in done.stderr


def test_steps_that_fail_are_told_apart(folder):
    """DriverEntry that fails, that registers nothing, and a start that fails each have a line of their own."""
    for words, expected in [
        ({"ENTRY": "return STATUS_DEVICE_NOT_CONNECTED"}, "DriverEntry failed with STATUS_DEVICE_NOT_CONNECTED"),
        ({"ENTRY": "return Status"}, "registered no redirector"),
        ({"START": "STATUS_NO_SUCH_DOMAIN"}, "did not start: STATUS_NO_SUCH_DOMAIN"),
        ({}, "STATUS_BAD_NETWORK_PATH"),
    ]:
        out = small(folder, **words)
        done = build(folder, out)
        assert done.returncode == 0, done.stderr
        assert expected in refused(out, code=32), words


def test_a_driver_that_writes_past_its_memory_is_stopped(folder):
    """The sanitizer of a driver works on what it takes from the pool, also in a program that was built without."""
    with open(rig.RDR, "rb") as program:
        if b"__tsan_func_entry" in program.read():
            pytest.skip("a program with TSan cannot load an object with ASan")
    source = os.path.join(folder, "over")
    shutil.copytree(NULMRX, source)
    text = open(os.path.join(source, "rdwr.c"), encoding="ascii").read()
    write(os.path.join(source, "rdwr.c"), text.replace(
        "\tif (File == NULL)\n\t\treturn STATUS_INVALID_DEVICE_REQUEST; /* the directory */",
        "\tPUCHAR Small = ExAllocatePoolWithTag(PagedPool, 16, NULMRX_POOLTAG);\n\tSmall[16] = 1;", 1))
    out = os.path.join(folder, "over.so")
    done = rig.rdr("build-minirdr", source, "-o", out, "--asan")
    assert done.returncode == 0, done.stderr
    mount = mount_nulmrx(out)
    with pytest.raises(OSError):
        with open(os.path.join(mount.path, "hello.txt"), "rb") as file:
            file.read()
    rig.wait_until("end of the daemon", 20, lambda: rig.is_gone(mount.pid))
    log = mount.read_log()
    mount.kill()
    mount.remove()
    assert "heap-buffer-overflow" in log and "NulMRxRead" in log and "rdwr.c" in log, log


@pytest.mark.without_fuse
def test_an_installed_tree_builds_drivers(folder):
    """Installed under another root, the recipe and pkg-config find their headers; the object suits the program."""
    build_tree = os.path.realpath(os.path.join(os.path.dirname(rig.RDR), "../../.."))
    rig.run("meson", "install", "-C", build_tree, "--no-rebuild", "--quiet", "--destdir", folder, check=True, timeout=120)
    found = rig.run("find", folder, "-name", "rdr", "-path", "*/bin/*", check=True).stdout.split()
    out = os.path.join(folder, "nulmrx.so")
    done = rig.run(found[0], "build-minirdr", NULMRX, "-o", out, *SANITIZE)
    assert done.returncode == 0, done.stderr
    assert "/bin/../../" not in open(os.path.join(out + ".d", "dir.d"), encoding="ascii").read()
    package = rig.run("find", folder, "-name", "rdbss-minirdr.pc", check=True).stdout.split()[0]
    words = rig.run(
        "pkg-config", "--cflags", "--libs", package, check=True, env=dict(os.environ, PKG_CONFIG_SYSROOT_DIR=folder)
    ).stdout.split()
    sources = [os.path.join(NULMRX, name) for name in os.listdir(NULMRX) if name.endswith(".c")]
    sources.append(os.path.join(out + ".d", "stamp.c"))
    rig.run("cc", *words, *sources, "-o", out, check=True)
    done = rig.run(found[0], "build-minirdr", "--check", out)
    assert done.returncode == 0, done.stderr


STATISTICS, START = 0x28 << 16 | 0x802 << 2, 0x28 << 16 | 0x800 << 2
SUCCESS, NOT_FOUND, INVALID, TOO_SMALL, STARTED = 0, 0xC0000034, 0xC0000010, 0xC0000023, 0xC00000FC


class Device:
    """An open of a driver's device from outside, as src/tools/rdr/device.c tells."""

    def __init__(self, path, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.socket.send(name.encode())
        self.status = struct.unpack("=I", self.socket.recv(4))[0]

    def control(self, code, data=b"", room=0, kind=0):
        self.socket.send(struct.pack("=IIII", kind, code, room, len(data)) + data)
        answer = self.socket.recv(70000)
        status, zero, length = struct.unpack("=IIQ", answer[:16])
        assert zero == 0 and length == len(answer) - 16
        return status, answer[16:]


def test_programs_open_the_devices_of_a_driver(nulmrx, folder):
    """A device is opened by each of its names, asked, and closed; what is malformed ends one connection only."""
    path = os.path.join(folder, "dev")
    mount = rig.Mount("//nulmrx/share", arguments=("--minirdr", nulmrx, "--device", path))
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(os.path.join(mount.path, "hello.txt"), "rb") as file:
        file.read()
    for name in ("\\\\.\\NulMRx", "\\??\\nulmrx", "NULMRX", "\\Device\\NulMRx"):
        device = Device(path, name)
        assert device.status == SUCCESS, name
        status, data = device.control(STATISTICS, room=100)
        files, _, read, _ = struct.unpack("=IIqq", data)
        assert status == SUCCESS and files == 2 and read >= 24
        assert device.control(STATISTICS, room=8) == (TOO_SMALL, b"")
        assert device.control(START)[0] == STARTED
        assert device.control(STATISTICS, room=100, kind=1) == (INVALID, b"")
        device.socket.close()
    assert Device(path, "NoSuchDevice").status == NOT_FOUND
    assert Device(path, "x" * 200).status != SUCCESS
    good = Device(path, "NulMRx")
    for packet in (b"x", b"\0" * 15, struct.pack("=IIII", 2, 0, 0, 0), struct.pack("=IIII", 0, 0, 1 << 30, 0),
                   struct.pack("=IIII", 0, 0, 0, 5) + b"1234"):
        bad = Device(path, "NulMRx")
        bad.socket.send(packet)
        assert bad.socket.recv(100) == b""
    assert good.control(STATISTICS, room=24)[0] == SUCCESS
    for code in range(0, 4):  # each method, an unknown function
        assert good.control(0x28 << 16 | 0x999 << 2 | code, b"abc", 10) == (INVALID, b"")
    many = [Device(path, "NulMRx") for _ in range(30)]
    assert all(d.control(STATISTICS, room=24)[0] == SUCCESS for d in many)
    mount.unmount()
    assert not os.path.exists(path)


def test_a_device_socket_wants_a_driver_and_a_free_name(nulmrx, folder):
    """--device without --minirdr, and a name that is taken, are refused in one line; the name stays."""
    taken = os.path.join(folder, "taken")
    write(taken, "mine")
    directory = tempfile.mkdtemp(prefix="rdr-mnt-", dir="/tmp")
    done = rig.rdr("mount", "--device", taken, "mem:", directory)
    assert done.returncode == 1 and "--minirdr" in done.stderr
    done = rig.rdr("mount", "--minirdr", nulmrx, "--device", taken, directory)
    assert done.returncode == 1 and "cannot make the device socket" in done.stderr
    os.rmdir(directory)
    assert open(taken, encoding="ascii").read() == "mine"


def test_a_driver_that_leaks_is_told(nulmrx, folder):
    """What a driver leaves allocated is counted by tag at the unmount, and the exit code says so."""
    source = os.path.join(folder, "leaky")
    shutil.copytree(NULMRX, source)
    text = open(os.path.join(source, "driver.c"), encoding="ascii").read()
    text = text.replace(
        "NulMRxForgetFiles();", "NulMRxForgetFiles();\n\t(void)ExAllocatePoolWithTag(PagedPool, 321, 'kaeL');"
    )
    write(os.path.join(source, "driver.c"), text)
    out = os.path.join(folder, "leaky.so")
    done = build(source, out)
    assert done.returncode == 0, done.stderr
    directory = tempfile.mkdtemp(prefix="rdr-mnt-", dir="/tmp")
    done = rig.rdr("mount", "--minirdr", out, "//nulmrx/share", directory)
    assert done.returncode == 0, done.stderr
    done = rig.rdr("umount", directory)
    os.rmdir(directory)
    assert done.returncode & 4, done.stdout + done.stderr
    assert "Leak" in done.stderr and "321" in done.stderr, done.stderr


@pytest.mark.without_fuse
def test_includes_as_the_wdk_writes_them(folder):
    """Letters of any case and backslashes in #include lines are understood; `sources` names files and folders."""
    tree = os.path.join(folder, "tree")
    write(os.path.join(tree, "drv", "Main.c"), '#include <NTIFS.H>\n#include <Rx.h>\n#include "Sub\\Inner.H"\n'
          '#include "..\\Common\\Shared.h"\n#include "found.h"\n'
          "NTSTATUS DriverEntry(PDRIVER_OBJECT d, PUNICODE_STRING p) { return INNER + SHARED + FOUND + OTHER; }\n")
    write(os.path.join(tree, "drv", "not-ours.c"), "#error this file is not in `sources`\n")
    write(os.path.join(tree, "drv", "sub", "inner.h"), "#include <ntstrsafe.H>\n#define INNER 1\n")
    write(os.path.join(tree, "common", "shared.h"), "#define SHARED 2\n")
    write(os.path.join(tree, "inc", "Found.h"), "#define FOUND 3\n")
    write(os.path.join(tree, "drv", "sources"),
          "TARGETNAME=drv\r\nINCLUDES= ..\\Inc;$(DDK_INC_PATH)\r\nC_DEFINES= /DOTHER=4\r\nSOURCES= drv.rc \\\r\n  main.c\r\n")
    out = os.path.join(folder, "drv.so")
    done = build(os.path.join(tree, "drv"), out)
    assert done.returncode == 0, done.stderr


@pytest.mark.without_fuse
@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc lists what headers declare")
def test_what_headers_declare_is_exported(folder):
    """Each routine that a public header declares and the program has can be called by a driver; nothing inner can."""
    include = os.path.join(TOP, "include")
    headers = [os.path.join(include, "nt", "ntifs.h"), os.path.join(include, "rdbss", "rx.h")]
    for part in ("nt", "rdbss"):
        headers += sorted(os.path.join(include, part, n) for n in os.listdir(os.path.join(include, part)) if n.endswith(".h"))
    source, listing = os.path.join(folder, "all.c"), os.path.join(folder, "all.X")
    write(source, "".join(f'#include "{header}"\n' for header in headers))
    rig.run("gcc", "-D_GNU_SOURCE", "-std=gnu11", f"-I{include}/nt", f"-I{include}/rdbss", "-aux-info", listing,
            "-fsyntax-only", source, check=True)
    declared = set()
    for line in open(listing, encoding="utf-8"):
        if f"/* {include}/" in line and "*/ extern" in line:
            name = re.search(r"\(\*+(\w+) \(", line) or re.search(r"(\w+) \(", line.split("*/ extern", 1)[1])
            declared.add(name.group(1))
    assert {"RxCreateNetFobx", "IoCallDriver", "nt_bug"} - declared <= {"IoCallDriver"} and len(declared) > 400

    def symbols(*how):
        lines = rig.run("nm", "--defined-only", *how, rig.RDR, check=True).stdout.splitlines()
        return {line.split()[-1] for line in lines if line.split()[-2] in "TDBRWV"}

    has, exported = symbols(), symbols("-D")
    assert sorted(declared & has - exported) == [], "these belong to src/front/ddi.exports"
    inner = {name for name in exported if re.match(r"(rx|nt|mrx|door|rdr|smb|mem)_", name)} - declared
    assert sorted(inner - {"nt_sim_active"}) == []


@pytest.mark.without_fuse
def test_only_what_changed_is_compiled(folder):
    """After a change to one file, or to a header that some include, exactly those are compiled again."""
    source = os.path.join(folder, "nulmrx")
    shutil.copytree(NULMRX, source)
    out = os.path.join(folder, "nulmrx.so")
    assert build(source, out).returncode == 0

    def due():
        return {os.path.basename(line) for line in build(source, out, "--dry-run").stdout.split()}

    assert due() == set()
    later = time.time() + 5
    os.utime(os.path.join(source, "dir.c"), (later, later))
    assert due() == {"dir.c"}
    os.utime(os.path.join(source, "nulmrx.h"), (later, later))
    assert due() == {name for name in os.listdir(source) if name.endswith(".c")}


def test_edit_run_loop_is_short(nulmrx, folder):
    """From a saved file to the answer of the changed driver, and back to an empty table: under five seconds."""
    source = os.path.join(folder, "nulmrx")
    shutil.copytree(NULMRX, source)
    out = os.path.join(folder, "nulmrx.so")
    assert build(source, out).returncode == 0
    times = []
    for turn in range(3):
        files = os.path.join(source, "files.c")
        text = open(files, encoding="ascii").read()
        write(files, re.sub(r"Hello from [^\\]*", f"Hello from turn {turn}.", text))
        begin = time.monotonic()
        done = build(source, out)
        assert done.returncode == 0, done.stderr
        mount = mount_nulmrx(out)
        with open(os.path.join(mount.path, "hello.txt"), encoding="ascii") as file:
            assert file.read() == f"Hello from turn {turn}.\n"
        mount.unmount()
        times.append(time.monotonic() - begin)
    assert min(times) < 5, times
