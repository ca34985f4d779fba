"""What people do in a mount all day: version control, building, databases, and tools that check every byte."""

import os
import shutil
import subprocess

import pytest

import rig


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"no {program} on this machine")


def git(place, *words, timeout=120):
    env = rig.clean_env(
        HOME=place.path, GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@example",
        GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@example", GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*",
    )
    done = rig.run("git", "-C", os.path.join(place.path, "repo"), *words, timeout=timeout, env=env)
    assert done.returncode == 0, f"git {words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.limit(300)
def test_git_keeps_a_repository(place):
    """init, add, commit, change, status, branch, merge, gc, fsck: git finds nothing wrong."""
    need("git")
    repo = place / "repo"
    os.mkdir(repo)
    git(place, "init", "-q", "-b", "main")
    for i in range(120):
        folder = os.path.join(repo, f"d{i % 7}")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"f{i}.txt"), "w", encoding="ascii") as file:
            file.write(f"line {i}\n" * (i + 1))
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", "first")
    assert git(place, "status", "--porcelain") == ""
    with open(os.path.join(repo, "d1", "f1.txt"), "a", encoding="ascii") as file:
        file.write("more\n")
    os.unlink(os.path.join(repo, "d2", "f2.txt"))
    assert sorted(git(place, "status", "--porcelain").split("\n")[:-1]) == [" D d2/f2.txt", " M d1/f1.txt"]
    git(place, "checkout", "-q", "-b", "side")
    git(place, "commit", "-q", "-a", "-m", "second")
    git(place, "checkout", "-q", "main")
    assert os.path.exists(os.path.join(repo, "d2", "f2.txt"))
    git(place, "merge", "-q", "--no-ff", "-m", "merge", "side")
    git(place, "gc", "-q")
    git(place, "fsck", "--full", "--strict")
    assert git(place, "status", "--porcelain") == ""
    assert git(place, "log", "--oneline").count("\n") == 3


MAKEFILE = """\
objects = $(patsubst %.c,%.o,$(wildcard *.c))
program: $(objects)
\tgcc -o $@ $(objects)
%.o: %.c all.h
\tgcc -O1 -c -o $@ $<
clean:
\trm -f program $(objects)
"""


@pytest.mark.limit(300)
def test_a_c_project_is_built_and_run_inside(place):
    """make -j4 of 24 files, the program runs from the mount, a second make does nothing, a touch rebuilds."""
    need("gcc")
    need("make")
    calls = []
    for i in range(24):
        with open(place / f"part{i}.c", "w", encoding="ascii") as file:
            file.write(f'#include "all.h"\nint part{i}(void) {{ return {i}; }}\n')
        calls.append(f"part{i}()")
    with open(place / "all.h", "w", encoding="ascii") as file:
        file.write("".join(f"int part{i}(void);\n" for i in range(24)))
    with open(place / "main.c", "w", encoding="ascii") as file:
        file.write('#include <stdio.h>\n#include "all.h"\nint main(void) { printf("%d\\n", '
                   + " + ".join(calls) + "); return 0; }\n")
    with open(place / "Makefile", "w", encoding="ascii") as file:
        file.write(MAKEFILE)
    rig.run("make", "-C", place.path, "-j4", timeout=200, check=True)
    assert rig.run(place / "program", check=True).stdout == f"{sum(range(24))}\n"
    again = rig.run("make", "-C", place.path, timeout=60, check=True).stdout
    assert "gcc" not in again
    later = os.stat(place / "program").st_mtime + 5
    os.utime(place / "part3.c", (later, later))
    once = rig.run("make", "-C", place.path, timeout=60, check=True).stdout
    assert once.count("gcc -O1") == 1 and "part3.c" in once
    rig.run("make", "-C", place.path, "clean", timeout=60, check=True)
    assert not [name for name in os.listdir(place.path) if name.endswith(".o")]


STRESSORS = ["hdd", "seek", "dir", "rename", "dentry", "utime", "filename", "readahead", "sync-file", "open"]


@pytest.mark.parametrize("stressor", STRESSORS)
def test_stress_ng_finds_no_wrong_byte(place, stressor):
    """Two workers of a file stressor, each checking what it does, for some seconds."""
    need("stress-ng")
    seconds = 30 if rig.LONG else 2
    size = ["--hdd-bytes", "8M"] if stressor == "hdd" else []
    if stressor == "seek":
        size = ["--seek-size", "8M"]
    if stressor == "readahead":
        size = ["--readahead-bytes", "8M"]
    if stressor == "sync-file":
        size = ["--sync-file-bytes", "8M"]
    if stressor == "dentry":
        size = ["--dentries", "256"]
    if stressor == "dir":
        size = ["--dir-dirs", "256"]
    done = rig.run(
        "stress-ng", f"--{stressor}", "2", *size, "--verify", "--timeout", str(seconds), "--temp-path", place.path,
        timeout=seconds + 90,
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert "fail:" not in text, text
    assert "unsuccessful" not in text, text


@pytest.mark.parametrize("pattern", ["write", "randwrite", "randrw"])
def test_fio_verifies_crc32c(place, pattern):
    """fio writes blocks with checksums and finds every one of them again."""
    need("fio")
    size = "256m" if rig.LONG else "16m"
    done = rig.run(
        "fio", "--name=v", f"--directory={place.path}", f"--rw={pattern}", "--bsrange=4k-128k", f"--size={size}",
        "--numjobs=2", "--ioengine=psync", "--verify=crc32c", "--do_verify=1", "--verify_fatal=1",
        "--end_fsync=1", "--group_reporting", "--minimal", timeout=110, cwd="/tmp",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verify" not in done.stderr, done.stderr


@pytest.mark.limit(240)
def test_sqlite_keeps_a_database(place):
    """Transactions, a rollback, a killed writer, and integrity_check says ok."""
    need("sqlite3")
    base = place / "data.db"

    def sql(text):
        return rig.run("sqlite3", "-bail", base, text, timeout=100)

    made = sql(
        "PRAGMA journal_mode=DELETE; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); BEGIN;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000)"
        "INSERT INTO t SELECT i, hex(randomblob(40)) FROM n; COMMIT;"
        "CREATE INDEX tv ON t(v);"
    )
    assert made.returncode == 0, made.stderr
    rolled = sql("BEGIN; DELETE FROM t WHERE id % 2; ROLLBACK; SELECT count(*) FROM t;")
    assert rolled.stdout == "5000\n", rolled.stderr
    for i in range(10):
        step = sql(f"BEGIN; UPDATE t SET v = v || 'x' WHERE id % 10 = {i}; COMMIT;")
        assert step.returncode == 0, step.stderr
    writer = subprocess.Popen(
        ["sqlite3", base], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    writer.stdin.write(b"PRAGMA cache_size=10; BEGIN; UPDATE t SET v = 'lost'; SELECT 'written';\n")
    writer.stdin.flush()
    assert writer.stdout.readline() == b"written\n"
    writer.kill()
    writer.communicate(timeout=30)
    end = sql("PRAGMA integrity_check; SELECT count(*) FROM t WHERE v = 'lost';")
    assert end.stdout == "ok\n0\n", end.stdout + end.stderr


def test_tar_and_rsync_like_copies_are_exact(place):
    """A tree copied in with tar and out with cp is the same tree."""
    source = place / "source"
    os.makedirs(os.path.join(source, "deep/er"))
    for i in range(40):
        with open(os.path.join(source, "deep", f"{i}"), "wb") as file:
            file.write(os.urandom(i * 1000))
    rig.run("tar", "-C", source, "-cf", place / "all.tar", ".", timeout=60, check=True)
    os.mkdir(place / "out")
    rig.run("tar", "--no-same-owner", "-C", place / "out", "-xf", place / "all.tar", timeout=60, check=True)
    rig.run("diff", "-r", source, place / "out", timeout=60, check=True)
    rig.run("cp", "-r", place / "out", place / "copy", timeout=60, check=True)
    rig.run("diff", "-r", source, place / "copy", timeout=60, check=True)
    rig.run("rm", "-rf", place / "out", timeout=60, check=True)
    assert not os.path.exists(place / "out")
