"""
The same random calls in a folder of a mount and in a plain local folder: every answer must be the same.

A run is a seed: it chooses names, kinds of calls (some are left out, so that others meet more often), sizes and the
order. What is compared after each call is its result or its errno; now and then whole trees are. Left out, because a
share is no local disk, and the documents say so:

- sizes, link counts and modes of folders; of a file's mode only whether it may be written;
- what root may do to a file that is read-only: a server asks nobody who root is here (the model answers EACCES);
- holes (all is data), RENAME_EXCHANGE, devices, O_TMPFILE, fallocate(2) itself (posix_fallocate is there);
- times of reading; times that nobody set; times below 100 ns;
- a folder in which something is open is not moved by a server;
- shared mappings where the file is not ours alone (ENODEV);
- times after a call that may change nothing (a truncation to the same size) or that local disks treat differently;
- link counts: a listing does not tell those of files that we have not looked at, and what it told is believed for a second;
- the read-only attribute of a file without a name: it was taken off to remove it.

As a program: model.py REAL MODEL SEED STEPS [SEEDS], see main().
"""

import collections
import ctypes
import errno
import faulthandler
import mmap
import os
import random
import shutil
import stat
import sys

KEPT = 30  # steps that a failure shows
NAMES = ("a", "b", "c", "d", "Long name.txt", "ü.", "x" * 120)
SIZES = (0, 1, 2, 100, 511, 4095, 4096, 4097, 10000, 65535, 65536, 65537, 100000, 300000)
FILE_MAX = 1 << 20  # bytes: no file becomes longer
OLD = 1_000_000_000  # s: times that were set are between this and
RECENT = 1_500_000_000  # this, so never taken for those of the run
RENAME_NOREPLACE = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Differs(Exception):
    """The mount and the model do not agree."""


class Fail(Exception):
    """A step cannot be done on either side; it is no step."""


class Side:
    """One of the two folders."""

    def __init__(self, root):
        self.root = root

    def at(self, name):
        return os.path.join(self.root, name) if name else self.root


def outcome(call, side):
    try:
        return call(side)
    except OSError as error:
        return "errno", errno.errorcode.get(error.errno, error.errno)


def is_error(result, *names):
    return isinstance(result, tuple) and len(result) == 2 and result[0] == "errno" and (
        not names or result[1] in names)


def short(value):
    if isinstance(value, (bytes, bytearray)) and len(value) > 24:
        return f"{bytes(value[:12])!r}...[{len(value)}]"
    text = repr(value)
    return text if len(text) < 300 else text[:300] + "..."


def where_different(one, two):
    """The first place at which two strings of bytes differ, for a message."""
    for i, (a, b) in enumerate(zip(one, two)):
        if a != b:
            end = i
            while end < min(len(one), len(two)) and one[end] != two[end]:
                end += 1
            return f"bytes {i} to {end} of {len(one)} and {len(two)}: {short(one[i:end])} and {short(two[i:end])}"
    return f"lengths {len(one)} and {len(two)}"


class Seen:
    """What of a stat is compared."""

    def __init__(self, kind, size, writable, changed, of_model, exact):
        self.sure = (kind, size, writable)
        self.exact = exact
        self.changed = changed  # 100 ns
        self.of_model = of_model

    def __eq__(self, other):
        """A time that was set stays; a later write moves it on, but a server may tell that late."""
        if not isinstance(other, Seen) or self.sure != other.sure:
            return False
        model = self if self.of_model else other
        return not self.exact or model.changed >= RECENT * 10**7 or self.changed == other.changed

    def __lt__(self, other):
        return False  # names are sorted, and are different

    def __repr__(self):
        return repr(self.sure + (self.changed,))


class Handle:
    """A descriptor on both sides."""

    def __init__(self, fds, name, flags, folder=False):
        self.fds = fds
        self.name = name
        self.flags = flags
        self.folder = folder

    @property
    def reads(self):
        return self.flags & os.O_ACCMODE in (os.O_RDONLY, os.O_RDWR)

    @property
    def writes(self):
        return self.flags & os.O_ACCMODE in (os.O_WRONLY, os.O_RDWR)


class Mapping:
    """A shared mapping on both sides. @fd: of the model's file, which tells how much of it may be touched."""

    def __init__(self, maps, fd, length, offset, writable):
        self.maps = maps
        self.fd = fd
        self.length = length
        self.offset = offset
        self.writable = writable

    def usable(self):
        return max(0, min(self.length, os.fstat(self.fd).st_size - self.offset))


class Run:
    """One seed in one pair of folders."""

    def __init__(self, real, model, seed, say=None, only=None):
        self.real, self.model = Side(real), Side(model)
        self.seed = seed
        self.dice = random.Random(seed)
        self.steps = collections.deque(maxlen=KEPT)
        self.count = 0
        self.say = say
        self.handles = []
        self.maps = []
        self.stamp = 0
        self.exact = True  # of times: nothing was done to files for which file systems differ
        calls = [name for name in sorted(vars(Run)) if name.startswith("do_")]
        self.weights = {name: self.weight(name) for name in calls if only is None or name in only}
        self.names = self.dice.sample(NAMES, self.dice.choice([2, 3, 5]))
        self.depth = self.dice.choice([1, 1, 2, 3])
        self.most_handles = self.dice.choice([0, 1, 3, 8])
        self.sizes = self.dice.sample(SIZES, self.dice.choice([3, 6, 12]))

    WEIGHTS = {
        "do_open": 22, "do_close": 9, "do_read": 8, "do_pread": 9, "do_write": 9, "do_pwrite": 12, "do_put": 12,
        "do_get": 10, "do_stat": 10, "do_unlink": 7, "do_rename": 9, "do_mkdir": 8, "do_rmdir": 6, "do_fstat": 6,
        "do_ftruncate": 5, "do_truncate": 4, "do_listdir": 4, "do_tree": 1, "do_burst": 5,
    }

    def weight(self, name):
        """Some calls do not happen in this run, and some often."""
        weight = self.WEIGHTS.get(name, 3)
        return weight * self.dice.choice([0, 1, 1, 1, 1, 3])

    # ---- what steps are made of ----------------------------------------------------------------------------------

    def note(self, text):
        self.steps.append(f"{self.count}: {text}")
        if self.say is not None:
            self.say(f"{self.count}: {text}\n")

    def differ(self, what, real, model):
        raise Differs(f"{what}\n  mount: {short(real)}\n  model: {short(model)}")

    def both(self, text, call, allowed=()):
        """
        One call on both sides. @allowed: errors of the mount that mean that it does not offer the call: then the
        model does not do it, either.
        Return: what both said; None when it is not offered.
        """
        self.note(text)
        real = outcome(call, self.real)
        if allowed and is_error(real, *allowed):
            self.note("   not offered: " + real[1])
            return None
        model = outcome(call, self.model)
        self.compare(text, real, model)
        return model

    def compare(self, text, real, model):
        if real == model:
            self.note(f"   {short(model)}")
            return
        if isinstance(real, bytes) and isinstance(model, bytes):
            raise Differs(f"{text}\n  mount and model: {where_different(real, model)}")
        self.differ(text, real, model)

    def may_refuse(self, text, call):
        """A call that root alone may do on a local disk: a server does not know who root is here."""
        return self.both(text, call, allowed=("EACCES", "EPERM"))

    def data(self, size):
        """Bytes that differ from all before."""
        self.stamp += 1
        mark = b"%d.%d." % (self.seed, self.stamp)
        return (mark * (size // len(mark) + 1))[:size]

    def size(self):
        return self.dice.choice(self.sizes) + self.dice.choice([0, 0, 0, 1, 7])

    def name(self):
        parts = [self.dice.choice(self.names) for _ in range(self.dice.randrange(1, self.depth + 1))]
        return "/".join(parts)

    def folder(self):
        return self.dice.choice(["", self.name()])

    def handle(self, **wanted):
        """A descriptor of the kind; Fail when there is none."""
        fit = [h for h in self.handles if all(getattr(h, key) == value for key, value in wanted.items())]
        if not fit:
            raise Fail
        return self.dice.choice(fit)

    def pair(self, call):
        """A call that returns something to keep of each side."""
        got = {}

        def take(side):
            got[side] = call(side)
            return "done"

        return got, take

    def read_only(self, name):
        """Whether the model has a file there that nobody may write."""
        try:
            status = os.stat(self.model.at(name))
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and not status.st_mode & 0o222

    # ---- calls by name ---------------------------------------------------------------------------------------------

    def do_open(self):
        if len(self.handles) > self.most_handles:
            return self.do_close()
        name = self.name()
        flags = self.dice.choice([os.O_RDONLY, os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR])
        for flag, one_in in ((os.O_CREAT, 2), (os.O_EXCL, 6), (os.O_TRUNC, 5), (os.O_APPEND, 5), (os.O_SYNC, 20),
                             (os.O_NOFOLLOW, 10), (os.O_DIRECTORY, 30)):
            if self.dice.randrange(one_in) == 0:
                flags |= flag
        if flags & os.O_EXCL and not flags & os.O_CREAT:
            flags &= ~os.O_EXCL  # has no meaning then
        if flags & os.O_TRUNC and flags & os.O_ACCMODE == os.O_RDONLY:
            flags &= ~os.O_TRUNC  # the standard leaves it open
        if flags & os.O_DIRECTORY:
            flags &= ~os.O_CREAT & ~os.O_EXCL  # kernels differ
        mode = 0o444 if self.dice.randrange(12) == 0 else 0o644
        got, call = self.pair(lambda side: os.open(side.at(name), flags, mode))
        text = f"open {name!r} {self.flag_names(flags)} {mode:o}"
        writes = flags & os.O_ACCMODE != os.O_RDONLY
        if writes and self.read_only(name) and not flags & os.O_EXCL and not flags & os.O_DIRECTORY:
            self.may_refuse(text, call)
        else:
            self.both(text, call)
        if len(got) == 2:
            fds = {side: got[side] for side in (self.real, self.model)}
            folder = stat.S_ISDIR(os.fstat(fds[self.model]).st_mode)
            self.handles.append(Handle(fds, name, flags, folder))
        return None

    @staticmethod
    def flag_names(flags):
        words = [("O_RDONLY", "O_WRONLY", "O_RDWR")[flags & os.O_ACCMODE]]
        for word in ("O_CREAT", "O_EXCL", "O_TRUNC", "O_APPEND", "O_SYNC", "O_NOFOLLOW", "O_DIRECTORY"):
            if flags & getattr(os, word) == getattr(os, word):
                words.append(word)
        return "|".join(words)

    def do_put(self):
        """What most programs do: open, write, close."""
        name, data = self.name(), self.data(self.size())
        if self.read_only(name):
            raise Fail
        mode = self.dice.choice(["wb", "wb", "xb", "ab", "r+b"])

        def put(side):
            with open(side.at(name), mode, buffering=0) as file:
                return file.write(data) if data else 0

        self.both(f"put {name!r} {mode} {len(data)}", put)

    def do_get(self):
        name = self.name()

        def get(side):
            with open(side.at(name), "rb", buffering=0) as file:
                return file.read()

        self.both(f"get {name!r}", get)

    def do_burst(self):
        """What comes close behind a close: a file is made, and at once something is done to its name."""
        self.do_put()
        for _ in range(self.dice.randrange(1, 4)):
            self.dice.choice([self.do_unlink, self.do_rename, self.do_rmdir, self.do_truncate, self.do_link,
                              self.do_get, self.do_put, self.do_stat])()

    def do_unlink(self):
        name = self.name()
        self.both(f"unlink {name!r}", lambda side: os.unlink(side.at(name)))

    def do_rmdir(self):
        name = self.name()
        self.both(f"rmdir {name!r}", lambda side: os.rmdir(side.at(name)))

    def do_mkdir(self):
        name = self.name()
        self.both(f"mkdir {name!r}", lambda side: os.mkdir(side.at(name)))

    def do_rename(self):
        old, new = self.name(), self.name()
        # a server moves no folder in which something is open
        busy = os.path.isdir(self.model.at(old)) and (self.handles or self.maps)
        allowed = ("EACCES",) if busy else ()
        if self.dice.randrange(6) == 0:
            return self.both(f"rename noreplace {old!r} {new!r}",
                             lambda side: rename_noreplace(side.at(old), side.at(new)), allowed)
        return self.both(f"rename {old!r} {new!r}", lambda side: os.rename(side.at(old), side.at(new)), allowed)

    def do_link(self):
        old, new = self.name(), self.name()
        self.both(f"link {old!r} {new!r}", lambda side: os.link(side.at(old), side.at(new), follow_symlinks=False))

    def do_symlink(self):
        target, name = self.dice.choice([self.name(), "../" + self.name(), "nowhere"]), self.name()
        self.both(f"symlink {target!r} {name!r}", lambda side: os.symlink(target, side.at(name)),
                  allowed=("ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EPERM"))

    def do_readlink(self):
        name = self.name()
        self.both(f"readlink {name!r}", lambda side: os.readlink(side.at(name)))

    def do_stat(self):
        name = self.name()
        self.both(f"stat {name!r}", lambda side: self.seen(os.stat(side.at(name)), side))

    def do_lstat(self):
        name = self.name()
        self.both(f"lstat {name!r}", lambda side: self.seen(os.lstat(side.at(name)), side))

    def do_listdir(self):
        name = self.folder()
        self.both(f"listdir {name!r}", lambda side: sorted(os.listdir(side.at(name))))

    def do_scandir(self):
        name = self.folder()

        def scan(side):
            with os.scandir(side.at(name)) as entries:
                return sorted((e.name, e.is_dir(follow_symlinks=False), e.is_symlink(),
                               self.seen(e.stat(follow_symlinks=False), side)) for e in entries)

        self.both(f"scandir {name!r}", scan)

    def do_truncate(self):
        self.exact = False
        name, size = self.name(), self.size()
        call = lambda side: os.truncate(side.at(name), size)  # noqa: E731
        if self.read_only(name):
            return self.may_refuse(f"truncate {name!r} {size}", call)
        return self.both(f"truncate {name!r} {size}", call)

    def do_utime(self):
        name = self.name()
        when = self.dice.randrange(OLD, RECENT) * 10**9 + self.dice.randrange(10**7) * 100
        self.both(f"utime {name!r} {when}", lambda side: os.utime(side.at(name), ns=(when, when)))

    def do_chmod(self):
        name, mode = self.name(), self.dice.choice([0o444, 0o644, 0o644])
        try:
            if not stat.S_ISREG(os.stat(self.model.at(name)).st_mode):
                raise Fail
        except OSError:
            pass
        self.both(f"chmod {name!r} {mode:o}", lambda side: os.chmod(side.at(name), mode))

    def do_access(self):
        name = self.name()
        self.both(f"access {name!r}", lambda side: os.access(side.at(name), os.F_OK | os.R_OK))

    # ---- calls by descriptor ---------------------------------------------------------------------------------------

    def do_close(self):
        handle = self.handle()
        self.handles.remove(handle)
        self.both(f"close {self.show(handle)}", lambda side: os.close(handle.fds[side]))

    def show(self, handle):
        return f"fd {handle.fds[self.real]} ({handle.name!r} {self.flag_names(handle.flags)})"

    def by_fd(self, what, handle, call, allowed=()):
        return self.both(f"{what} {self.show(handle)}", lambda side: call(handle.fds[side]), allowed)

    def nowhere(self, handle):
        """What a handle that only reads may not change: the attributes of a file that has no name any more."""
        return ("ENOENT",) if os.fstat(handle.fds[self.model]).st_nlink == 0 and not handle.writes else ()

    def do_dup(self):
        if len(self.handles) > self.most_handles:
            raise Fail
        handle = self.handle()
        got, call = self.pair(lambda side: os.dup(handle.fds[side]))
        self.both(f"dup {self.show(handle)}", call)
        self.handles.append(Handle(got, handle.name, handle.flags, handle.folder))

    def do_read(self):
        handle, size = self.handle(), self.size()
        self.by_fd(f"read {size}", handle, lambda fd: os.read(fd, size))

    def do_pread(self):
        handle, size, offset = self.handle(), self.size(), self.size()
        self.by_fd(f"pread {size} at {offset}", handle, lambda fd: os.pread(fd, size, offset))

    def room(self, handle, size):
        """Whether a write leaves the file within its limit."""
        if not handle.folder and os.fstat(handle.fds[self.model]).st_size + size > FILE_MAX:
            raise Fail

    def do_write(self):
        handle, data = self.handle(folder=False), self.data(self.size())
        self.room(handle, len(data))
        self.by_fd(f"write {len(data)}", handle, lambda fd: os.write(fd, data))

    def do_pwrite(self):
        handle, data, offset = self.handle(folder=False), self.data(self.size()), self.size()
        self.room(handle, len(data))
        self.by_fd(f"pwrite {len(data)} at {offset}", handle, lambda fd: os.pwrite(fd, data, offset))

    def do_writev(self):
        handle, parts = self.handle(folder=False, writes=True), [self.data(self.size() // 8) for _ in range(3)]
        self.room(handle, sum(map(len, parts)))
        self.by_fd(f"writev {[len(p) for p in parts]}", handle, lambda fd: os.writev(fd, parts))

    def do_lseek(self):
        handle, offset = self.handle(folder=False), self.size()
        whence = self.dice.choice([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END])
        self.by_fd(f"lseek {offset} {whence}", handle, lambda fd: os.lseek(fd, offset % 100000, whence) and None)

    def do_seek_data(self):
        """There are no holes: the model's answer is made from its size."""
        handle, offset = self.handle(folder=False), self.size()
        whence = self.dice.choice([os.SEEK_DATA, os.SEEK_HOLE])
        size = os.fstat(handle.fds[self.model]).st_size
        text = f"lseek {'data' if whence == os.SEEK_DATA else 'hole'} {offset} {self.show(handle)}"
        self.note(text)
        expected = ("errno", "ENXIO") if offset >= size else offset if whence == os.SEEK_DATA else size
        self.compare(text, outcome(lambda side: os.lseek(handle.fds[side], offset, whence), self.real), expected)
        for fd in handle.fds.values():
            os.lseek(fd, 0, os.SEEK_SET)

    def do_ftruncate(self):
        self.exact = False
        handle, size = self.handle(folder=False), self.size()
        self.by_fd(f"ftruncate {size}", handle, lambda fd: os.ftruncate(fd, size))

    def do_fstat(self):
        handle = self.handle()
        nameless = os.fstat(handle.fds[self.model]).st_nlink == 0
        self.both(f"fstat {self.show(handle)}", lambda side: self.seen(os.fstat(handle.fds[side]), side, nameless))

    def do_fsync(self):
        handle, call = self.handle(), self.dice.choice([os.fsync, os.fdatasync])
        self.by_fd(call.__name__, handle, call)

    def do_futime(self):
        handle = self.handle()
        when = self.dice.randrange(OLD, RECENT) * 10**9 + self.dice.randrange(10**7) * 100
        self.by_fd(f"futime {when}", handle, lambda fd: os.utime(fd, ns=(when, when)), self.nowhere(handle))

    def do_fchmod(self):
        handle, mode = self.handle(folder=False), self.dice.choice([0o444, 0o644, 0o644])
        self.by_fd(f"fchmod {mode:o}", handle, lambda fd: os.fchmod(fd, mode), self.nowhere(handle))

    def do_fallocate(self):
        """Where the file system has none, the C library writes the blocks itself; so not for what it could not."""
        self.exact = False
        handle, offset, size = self.handle(folder=False, flags=os.O_RDWR), self.size(), self.size() + 1
        self.room(handle, offset + size)
        self.by_fd(f"posix_fallocate {offset} {size}", handle, lambda fd: os.posix_fallocate(fd, offset, size))

    def do_copy_file_range(self):
        self.exact = False
        source, target, size = self.handle(folder=False), self.handle(folder=False), self.size()
        at, to = self.size(), self.size()
        self.room(target, size + to)
        self.both(f"copy_file_range {size} from {at} to {to}: {self.show(source)}, {self.show(target)}",
                  lambda side: os.copy_file_range(source.fds[side], target.fds[side], size, at, to))

    def do_fd_listdir(self):
        handle = self.handle(folder=True)
        self.by_fd("listdir", handle, lambda fd: sorted(os.listdir(fd)))

    def do_openat(self):
        """Below a folder that is held open, which may have moved or be gone."""
        handle, name = self.handle(folder=True), self.dice.choice(self.names)
        what = self.dice.choice(["open", "unlink", "mkdir", "rmdir", "stat"])

        def call(side):
            folder = handle.fds[side]
            if what == "open":
                os.close(os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=folder))
            elif what == "stat":
                return self.seen(os.stat(name, dir_fd=folder, follow_symlinks=False), side)
            else:
                getattr(os, what)(name, dir_fd=folder)
            return None

        self.both(f"{what} {name!r} below {self.show(handle)}", call)

    # ---- mappings --------------------------------------------------------------------------------------------------

    def do_mmap(self):
        if len(self.maps) > 3:
            return self.do_munmap()
        handle = self.handle(folder=False, reads=True)
        size = os.fstat(handle.fds[self.model]).st_size
        if size == 0:
            raise Fail
        writable = handle.writes and self.dice.randrange(3) != 0
        offset = self.dice.choice([0, 0, size // mmap.PAGESIZE // 2 * mmap.PAGESIZE])
        length = size - offset
        if length == 0:
            raise Fail
        prot = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)

        def make(side):
            # the module would look at the size itself and duplicate the descriptor
            return mmap.mmap(handle.fds[side], length, mmap.MAP_SHARED, prot, offset=offset)

        got, call = self.pair(make)
        done = self.both(f"mmap {length} at {offset} writable={writable} {self.show(handle)}", call,
                         allowed=("ENODEV",))
        if done == "done":
            self.maps.append(Mapping(got, os.dup(handle.fds[self.model]), length, offset, writable))
        return None

    def mapping(self, writable=None):
        fit = [m for m in self.maps if writable is None or m.writable == writable]
        if not fit:
            raise Fail
        mapping = self.dice.choice(fit)
        if mapping.usable() == 0:
            raise Fail
        return mapping

    def part(self, mapping):
        usable = mapping.usable()
        offset = self.dice.randrange(usable)
        return offset, min(usable - offset, self.size() + 1)

    def do_map_read(self):
        mapping = self.mapping()
        offset, size = self.part(mapping)
        self.both(f"map read {size} at {mapping.offset}+{offset}",
                  lambda side: mapping.maps[side][offset:offset + size])

    def do_map_write(self):
        self.exact = False
        mapping = self.mapping(writable=True)
        offset, size = self.part(mapping)
        data = self.data(size)

        def write(side):
            mapping.maps[side][offset:offset + size] = data

        self.both(f"map write {size} at {mapping.offset}+{offset}", write)

    def do_msync(self):
        mapping = self.mapping(writable=True)
        self.both("msync", lambda side: mapping.maps[side].flush())

    def do_munmap(self):
        if not self.maps:
            raise Fail
        mapping = self.maps.pop(self.dice.randrange(len(self.maps)))
        os.close(mapping.fd)
        self.both("munmap", lambda side: mapping.maps[side].close())

    # ---- comparison ------------------------------------------------------------------------------------------------

    def seen(self, status, side, nameless=False):
        """What of a stat is compared."""
        mode = status.st_mode
        if stat.S_ISDIR(mode):
            return ("folder",)
        kind = "link" if stat.S_ISLNK(mode) else "file" if stat.S_ISREG(mode) else oct(mode)
        writable = bool(mode & 0o222) or nameless
        return Seen(kind, status.st_size, writable, status.st_mtime_ns // 100, side is self.model, self.exact)

    def tree(self, side, contents):
        """Everything below a folder; names of one file carry the same number."""
        found, numbers = {}, {}
        for path, folders, files in os.walk(side.root):
            for name in sorted(folders) + sorted(files):
                full = os.path.join(path, name)
                status = os.lstat(full)
                number = numbers.setdefault(status.st_ino, os.path.relpath(full, side.root))
                entry = (self.seen(status, side), number if stat.S_ISREG(status.st_mode) else None)
                if stat.S_ISLNK(status.st_mode):
                    entry += (os.readlink(full),)
                elif contents and stat.S_ISREG(status.st_mode):
                    with open(full, "rb", buffering=0) as file:
                        entry += (file.read(),)
                found[os.path.relpath(full, side.root)] = entry
            folders.sort()
        return found

    def do_tree(self):
        self.compare_trees(self.dice.randrange(2) == 0)

    def compare_trees(self, contents=True):
        self.note(f"tree, contents={contents}")
        real, model = self.tree(self.real, contents), self.tree(self.model, contents)
        if sorted(real) != sorted(model):
            self.differ("names in the tree", sorted(real), sorted(model))
        for name, expected in model.items():
            if real[name][:2] != expected[:2]:
                self.differ(f"tree: {name!r}", real[name][:2], expected[:2])
            if real[name] != expected:
                raise Differs(f"tree: {name!r}: {where_different(real[name][2], expected[2])}")

    # ---- the run ---------------------------------------------------------------------------------------------------

    def step(self):
        name = self.dice.choices(list(self.weights), list(self.weights.values()))[0]
        self.count += 1
        try:
            getattr(self, name)()
        except Fail:
            pass

    def run(self, steps):
        """Return: None, or what differs."""
        if not any(self.weights.values()):
            return None
        try:
            for _ in range(steps):
                self.step()
            self.compare_trees()
            self.end()
            self.compare_trees()
        except Differs as what:
            return self.message(what)
        finally:
            self.release()
        return None

    def end(self):
        while self.handles:
            self.do_close()
        while self.maps:
            self.do_munmap()

    def release(self):
        for handle in self.handles:
            for fd in handle.fds.values():
                os.close(fd)
        for mapping in self.maps:
            os.close(mapping.fd)
            for mapped in mapping.maps.values():
                mapped.close()
        self.handles, self.maps = [], []

    def message(self, what):
        return f"RDR_SEED={self.seed}, step {self.count}: {what}\nthe last steps:\n  " + "\n  ".join(self.steps)


def rename_noreplace(old, new):
    at = ctypes.c_int(-100)  # AT_FDCWD
    if LIBC.renameat2(at, os.fsencode(old), at, os.fsencode(new), ctypes.c_uint(RENAME_NOREPLACE)) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def one_seed(real, model, seed, steps, say=None):
    """A run in fresh folders of both. Return: None, or what differs."""
    pair = [os.path.join(root, f"s{seed}") for root in (real, model)]
    inner = [os.path.join(folder, "run") for folder in pair]  # links lead one level up
    for folder in inner:
        os.makedirs(folder)
    failure = Run(*inner, seed, say).run(steps)
    if failure is None:
        for folder in pair:
            shutil.rmtree(folder)
    return failure


def main():
    """REAL MODEL SEED STEPS [SEEDS]: seeds one after the other; ends at the first that differs, with exit code 1."""
    faulthandler.enable()
    real, model = sys.argv[1:3]
    seed, steps = int(sys.argv[3]), int(sys.argv[4])
    many = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    say = None
    if os.environ.get("RDR_STEPS"):  # a file that has every step, also when the process is killed
        log = os.open(os.environ["RDR_STEPS"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        say = lambda line: os.write(log, line.encode())  # noqa: E731
    for number in range(seed, seed + many):
        failure = one_seed(real, model, number, steps, say)
        if failure is not None:
            print(failure)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
