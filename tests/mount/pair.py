"""What test_pair.py is made of: a model of files that two clients use in turn, and random steps that both must agree with.

A step is done by one client and has returned before the next begins, so that the model knows each byte. A client
may be behind it only in what he need not be asked for before another changes it: clean pages under a read lease, and names.
That he is behind is possible only when he had the file open, or had closed it a moment before, when the other one changed it;
what he reads then must be explained by states that the file had since, is counted, and must be right within LIMIT.
"""

import errno
import fcntl
import mmap
import os
import random
import time

LIMIT = 3  # s: attributes and names are believed for one
SLEEPS = 2.5  # s: a handle may be open at the server for one after its close
MOST = 1200 * 1024  # bytes of a file
EDGES = (0, 1, 511, 4095, 4096, 4097, 8192, 65535, 65536, 65537, 131072, 262143, 262144, 262145, 524288, 1048575, 1048576, 1048577)
LENGTHS = (1, 2, 7, 100, 511, 4096, 4097, 10000, 65536, 65537, 150000)
NAMES = tuple(f"f{i}" for i in range(6))


class Wrong(AssertionError):
    """A client does not agree with the model."""


class Late:
    """What a client may still believe of a file that the other one changed."""

    def __init__(self, first):
        self.versions = [first]
        self.since = 0.0


class File:
    def __init__(self):
        self.data = bytearray()
        self.number = None  # st_ino
        self.names = set()
        self.late = [None, None]
        self.left = [-1e9, -1e9]  # when a client closed his last descriptor
        self.pending = set()  # names that go when the last descriptor does


class Descriptor:
    def __init__(self, side, file, number, flags, name):
        self.side = side
        self.file = file
        self.number = number
        self.flags = flags
        self.name = name
        self.reads = flags & os.O_ACCMODE != os.O_WRONLY
        self.writes = flags & os.O_ACCMODE != os.O_RDONLY
        self.appends = bool(flags & os.O_APPEND)

    def __str__(self):
        return f"{'AB'[self.side]}:{self.number}({self.name},{'r' * self.reads}{'w' * self.writes}{'a' * self.appends})"


def put(data, offset, piece):
    """A write, as a file takes it."""
    if piece:
        if len(data) < offset:
            data.extend(bytes(offset - len(data)))
        data[offset:offset + len(piece)] = piece


def cut(data, size):
    """A new size."""
    if size < len(data):
        del data[size:]
    else:
        data.extend(bytes(size - len(data)))


def differ(got, want):
    """Where two answers differ, for a person."""
    if len(got) != len(want):
        head = f"{len(got)} bytes for {len(want)}; "
    else:
        head = ""
    first = next((i for i, (x, y) in enumerate(zip(got, want)) if x != y), None)
    if first is None:
        return head + "else equal"
    last = max(i for i, (x, y) in enumerate(zip(got, want)) if x != y)
    return f"{head}bytes {first}..{last}: {bytes(got[first:first + 16])} for {bytes(want[first:first + 16])}"


def again(what, *errors):
    """A name that went or came back a moment ago: a handle may sleep under it, or news of it be on its way."""
    began = time.monotonic()
    while True:
        try:
            return what()
        except errors:
            if time.monotonic() - began > LIMIT:
                raise
            time.sleep(0.01)


class Pair:
    """Two clients, the model, and the steps."""

    def __init__(self, folders, seed, cache="strict", steps=200):
        self.folders = folders
        self.cache = cache
        self.random = random.Random(seed)
        self.seed = seed
        self.steps = steps
        self.names = {}
        self.open = []
        self.told = []
        self.number = 0
        self.news = [{}, {}]  # names that the other one changed, and when
        self.counts = {"checks": 0, "late": 0, "names": 0, "late names": 0}
        self.worst = 0.0

    # ---- what is said ----

    def say(self, text):
        self.told.append(f"{self.number:4} {text}")

    def path(self, side, name):
        return os.path.join(self.folders[side], name)

    def wrong(self, text):
        raise Wrong(text)

    # ---- the model ----

    def has(self, side, file):
        return any(d.side == side and d.file is file for d in self.open)

    def change(self, side, file, how):
        """A change of the data by one client: `how` is done to the truth, and to whatever he believed before."""
        other = 1 - side
        now = time.monotonic()
        if self.cache != "none" and (self.has(other, file) or now - file.left[other] < SLEEPS):
            if self.late_of(other, file) is None:
                file.late[other] = Late(bytearray(file.data))
            how(file.data)
            file.late[other].versions.append(bytearray(file.data))
            file.late[other].since = now
        else:
            how(file.data)
        if file.late[side] is not None:
            for version in file.late[side].versions:
                how(version)

    def late_of(self, side, file):
        late = file.late[side]
        if late is not None and time.monotonic() - late.since > LIMIT and self.cache != "loose":
            file.late[side] = late = None
        return late

    def renamed(self, side, *names):
        for name in names:
            self.news[1 - side][name] = time.monotonic()
            self.news[side].pop(name, None)

    # ---- what is compared ----

    def explained(self, got, offset, length, versions):
        """Each byte of a stale answer is of some state that the file had since."""
        if len(got) not in {len(version[offset:offset + length]) for version in versions}:
            return False
        parts = [bytes(version[offset:offset + length]).ljust(len(got), b"\0") for version in versions]
        for at in range(0, len(got), 512):
            piece = got[at:at + 512]
            if any(piece == part[at:at + len(piece)] for part in parts):
                continue
            if any(all(byte != part[at + i] for part in parts) for i, byte in enumerate(piece)):
                return False
        return True

    def compare(self, what, side, file, ask, want, explain, stays=False):
        """What a client says of a file; late only where he may be. `stays`: he need not come to agree."""
        self.counts["checks"] += 1
        late = self.late_of(side, file)
        got = ask()
        if got == want:
            return
        text = differ(got, want) if isinstance(got, (bytes, bytearray)) else f"{got} for {want}"
        if late is None:
            self.wrong(f"stale: {what}: {text}")
        if not explain(got, late.versions):
            self.wrong(f"no state explains: {what}: {text}")
        if stays:
            return
        self.counts["late"] += 1
        began = time.monotonic()
        while got != want:
            if time.monotonic() - began > LIMIT:
                self.wrong(f"stale for {LIMIT} s: {what}: {text}")
            got = ask()
        self.worst = max(self.worst, time.monotonic() - late.since)
        self.say(f"   (late by {time.monotonic() - late.since:.4f} s: {what}: {text})")

    def check(self, d, offset, length):
        want = bytes(d.file.data[offset:offset + length])
        self.compare(f"{d} [{offset}, {offset + length})", d.side, d.file, lambda: os.pread(d.number, length, offset), want,
                     lambda got, versions: self.explained(got, offset, length, versions), self.stays(d))

    def stays(self, d):
        return self.cache == "loose" and not d.writes

    def check_size(self, d):
        self.compare(f"{d} size", d.side, d.file, lambda: os.fstat(d.number).st_size, len(d.file.data),
                     lambda got, versions: got in {len(version) for version in versions}, self.stays(d))

    def settle(self, d):
        """All of the file is right from now on, whatever was late."""
        self.check_size(d)
        self.check(d, 0, MOST + 4096)
        if not self.stays(d):
            d.file.late[d.side] = None

    def settle_name(self, side, name):
        """A client has heard whose a name is, or of its end."""
        want = self.names[name].number if name in self.names else None
        self.counts["names"] += 1
        began, tries = time.monotonic(), 0
        changed = self.news[side].pop(name, None)
        while True:
            seen = self.seen(side, name)
            if seen == want:
                break
            if changed is None or self.cache == "none":
                self.wrong(f"{'AB'[side]}: {name} is {seen}, not {want}")
            if time.monotonic() - began > LIMIT:
                self.wrong(f"{'AB'[side]}: {name} is {seen}, not {want}, for {LIMIT} s")
            tries += 1
            time.sleep(0.001)
        self.counts["late names"] += bool(tries)

    def seen(self, side, name):
        """Which file has the name, as a client sees it; None: none."""
        try:
            return os.stat(self.path(side, name)).st_ino
        except FileNotFoundError:
            return None

    # ---- what is chosen ----

    def pick(self, side, reads=False, writes=False, plain=False):
        found = [d for d in self.open if d.side == side and (d.reads or not reads) and (d.writes or not writes)
                 and not (plain and d.appends)]
        return self.random.choice(found) if found else None

    def free(self, name):
        """Whether a name means what the model says it does: nobody waits for its end."""
        return not any(name in d.file.pending for d in self.open)

    def name(self, there=None):
        found = [name for name in NAMES if self.free(name) and (there is None or (name in self.names) == there)]
        return self.random.choice(found) if found else None

    def offset(self, file):
        near = self.random.choice((0, len(file.data), self.random.choice(EDGES), self.random.randrange(MOST)))
        return max(0, min(MOST - 160000, near + self.random.randint(-3, 3) * self.random.choice((0, 1, 5))))

    def piece(self, length):
        return (b"%c%06d." % (65 + self.number % 26, self.number) * (length // 8 + 1))[:length]

    def length(self):
        return self.random.choice(LENGTHS)

    # ---- steps: each takes a side, and says whether there was anything to do ----

    def step_create(self, s):
        name = self.name(there=False)
        if name is None or len(self.open) > 12:
            return False
        if self.random.random() < 0.7:
            self.settle_name(s, name)
        elif self.news[s].get(name) is not None:
            return False
        flags = self.random.choice((os.O_RDWR, os.O_RDWR, os.O_WRONLY)) | os.O_CREAT | self.random.choice((0, os.O_EXCL))
        flags |= self.random.choice((0, 0, 0, os.O_APPEND, os.O_SYNC))
        self.say(f"{'AB'[s]} create {name} {flags:o}")
        file = File()
        file.names.add(name)
        self.open.append(Descriptor(s, file, again(lambda: os.open(self.path(s, name), flags, 0o644), FileExistsError), flags, name))
        file.number = os.fstat(self.open[-1].number).st_ino
        self.names[name] = file
        self.renamed(s, name)
        return True

    def step_open(self, s):
        name = self.name(there=True)
        if name is None or len(self.open) > 12:
            return False
        self.settle_name(s, name)
        file = self.names[name]
        flags = self.random.choice((os.O_RDWR, os.O_RDWR, os.O_WRONLY, os.O_RDONLY, os.O_RDONLY))
        if flags != os.O_RDONLY:
            flags |= self.random.choice((0, 0, 0, os.O_APPEND, os.O_SYNC, os.O_TRUNC))
        self.say(f"{'AB'[s]} open {name} {flags:o}")
        number = again(lambda: os.open(self.path(s, name), flags & ~os.O_CREAT), FileNotFoundError)
        if flags & os.O_TRUNC:
            self.change(s, file, lambda data: cut(data, 0))
        self.open.append(Descriptor(s, file, number, flags, name))
        if self.random.random() < 0.7:
            self.check_new(self.open[-1])
        return True

    def check_new(self, d):
        self.check_size(d)
        if d.reads:
            self.check(d, 0, MOST + 4096)

    def step_exclusive(self, s):
        """A name that is there, whatever is believed, is not made."""
        name = self.name(there=True)
        if name is None:
            return False
        self.say(f"{'AB'[s]} open {name} O_EXCL")
        try:
            os.close(os.open(self.path(s, name), os.O_RDWR | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return True
        self.wrong(f"{name} made twice")
        return True

    def step_close(self, s):
        d = self.pick(s)
        if d is None:
            return False
        self.say(f"{'AB'[s]} close {d}")
        self.close(d)
        return True

    def close(self, d):
        self.open.remove(d)
        os.close(d.number)
        if not self.has(d.side, d.file):
            d.file.left[d.side] = time.monotonic()
        if not self.has(0, d.file) and not self.has(1, d.file):
            for name in d.file.pending:
                for side in (0, 1):
                    self.news[side][name] = time.monotonic()

    def step_dup(self, s):
        d = self.pick(s)
        if d is None or len(self.open) > 12:
            return False
        self.say(f"{'AB'[s]} dup {d}")
        self.open.append(Descriptor(s, d.file, os.dup(d.number), d.flags, d.name))
        return True

    def step_write(self, s):
        d = self.pick(s, writes=True)
        if d is None:
            return False
        file, piece = d.file, self.piece(self.length())
        if d.appends:
            offset = len(file.data)
            if offset + len(piece) > MOST:
                return False
            self.say(f"{'AB'[s]} append {d} [{offset}, {offset + len(piece)})")
            done = os.write(d.number, piece)
        else:
            offset = self.offset(file)
            self.say(f"{'AB'[s]} write {d} [{offset}, {offset + len(piece)}) of {len(file.data)}")
            done = os.pwrite(d.number, piece, offset)
        if done != len(piece):
            self.wrong(f"{done} bytes written of {len(piece)}")
        self.change(s, file, lambda data: put(data, offset, piece))
        return True

    def step_read(self, s):
        d = self.pick(s, reads=True)
        if d is None:
            return False
        offset, length = self.offset(d.file), self.length()
        if self.random.random() < 0.3:
            offset, length = 0, MOST + 4096
        self.say(f"{'AB'[s]} read {d} [{offset}, {offset + length}) of {len(d.file.data)}")
        self.check(d, offset, length)
        return True

    def step_settle(self, s):
        d = self.pick(s, reads=True)
        if d is None:
            return False
        self.say(f"{'AB'[s]} read all {d}")
        self.settle(d)
        return True

    def step_size(self, s):
        d = self.pick(s)
        if d is None:
            return False
        self.say(f"{'AB'[s]} fstat {d}")
        self.check_size(d)
        return True

    def step_truncate(self, s):
        size = self.offset(File())
        if self.random.random() < 0.3:
            name = self.name(there=True)
            if name is None:
                return False
            self.settle_name(s, name)
            file = self.names[name]
            self.say(f"{'AB'[s]} truncate {name} from {len(file.data)} to {size}")
            os.truncate(self.path(s, name), size)
        else:
            d = self.pick(s, writes=True)
            if d is None:
                return False
            file = d.file
            if not file.names and not file.pending:
                return False  # replaced while it was open: Samba has a name no more, and needs one to set a size
            if self.random.random() < 0.5:
                size = min(MOST, max(0, len(file.data) + self.random.choice((-5000, -4096, -1, 1, 4096, 5000))))
            self.say(f"{'AB'[s]} ftruncate {d} from {len(file.data)} to {size}")
            os.ftruncate(d.number, size)
        self.change(s, file, lambda data: cut(data, size))
        return True

    def step_sync(self, s):
        d = self.pick(s)
        if d is None:
            return False
        self.say(f"{'AB'[s]} fsync {d}")
        self.random.choice((os.fsync, os.fdatasync))(d.number)
        return True

    def step_map(self, s):
        """A mapping that is read; or changed, and written by msync or with its end."""
        d = self.pick(s, reads=True)
        if d is None or not d.file.data or self.stays(d):
            return False
        self.settle(d)
        file, size = d.file, len(d.file.data)
        if d.writes and not d.appends and self.random.random() < 0.7:
            try:
                pages = mmap.mmap(d.number, size)
            except OSError as error:
                if error.errno != errno.ENODEV:
                    raise
                self.say(f"{'AB'[s]} map {d}: not now")
                return True
            with pages:
                offset = min(self.offset(file), size - 1)
                piece = self.piece(min(self.length(), size - offset))
                how = self.random.choice(("msync", "kept", "end"))
                self.say(f"{'AB'[s]} map {d}, change [{offset}, {offset + len(piece)}) of {size}, {how}")
                pages[offset:offset + len(piece)] = piece
                self.change(s, file, lambda data: put(data, offset, piece))
                if how == "msync":
                    pages.flush()
                elif how == "kept" and not file.pending:
                    self.look(1 - s, file)
            return True
        kind = mmap.MAP_PRIVATE if d.writes or self.cache == "none" else mmap.MAP_SHARED  # all there is without the grant
        with mmap.mmap(d.number, size, kind, mmap.PROT_READ) as pages:
            self.say(f"{'AB'[s]} map {d} to read")
            if pages[:] != file.data:
                self.wrong(f"stale: mapping of {d}: {differ(pages[:], file.data)}")
        return True

    def look(self, side, file):
        """A client opens a file, reads all of it, and closes it."""
        name = self.random.choice(sorted(file.names)) if file.names else None
        if name is None or not self.free(name):
            return
        self.settle_name(side, name)
        self.say(f"{'AB'[side]}   open and read {name}")
        flags = self.random.choice((os.O_RDONLY, os.O_RDWR))
        d = Descriptor(side, file, os.open(self.path(side, name), flags), flags, name)
        self.open.append(d)
        self.check_new(d)
        self.close(d)

    def step_look(self, s):
        name = self.name(there=True)
        if name is None:
            return False
        self.say(f"{'AB'[s]} look {name}")
        self.look(s, self.names[name])
        return True

    def step_lock(self, s):
        """What is read under a lock is never late, whatever was known before."""
        d = self.pick(s, reads=True, writes=True)
        if d is None or d.file.pending:
            return False
        offset, length = self.offset(d.file), self.length()
        self.say(f"{'AB'[s]} lock {d} [{offset}, {offset + length})")
        fcntl.lockf(d.number, fcntl.LOCK_EX | fcntl.LOCK_NB, length, offset)
        try:
            d.file.late[s] = None
            other = self.pick(1 - s, reads=True, writes=True)
            if other is not None and other.file is d.file:
                try:
                    fcntl.lockf(other.number, fcntl.LOCK_EX | fcntl.LOCK_NB, length, offset)
                    self.wrong(f"{d} and {other} have both locked [{offset}, {offset + length})")
                except (BlockingIOError, PermissionError):
                    pass
            self.check_size(d)
            self.check(d, 0, MOST + 4096)
            if not d.appends:
                piece = self.piece(length)
                os.pwrite(d.number, piece, offset)
                self.change(s, d.file, lambda data: put(data, offset, piece))
        finally:
            fcntl.lockf(d.number, fcntl.LOCK_UN, length, offset)
        return True

    def step_copy(self, s):
        one, other = self.pick(s, reads=True), self.pick(s, writes=True, plain=True)
        if one is None or other is None or one.file is other.file or self.stays(one):
            return False
        self.settle(one)
        source, target, length = self.offset(one.file), self.offset(other.file), self.length()
        piece = bytes(one.file.data[source:source + length])
        self.say(f"{'AB'[s]} copy {one} [{source}, {source + length}) to {other} at {target}")
        if self.random.random() < 0.5:
            done = os.copy_file_range(one.number, other.number, length, source, target)
        else:
            os.lseek(other.number, target, os.SEEK_SET)
            done = os.sendfile(other.number, one.number, source, length) if length else 0
        if done > len(piece) or (done == 0) != (not piece):
            self.wrong(f"{done} bytes copied of {len(piece)}")
        self.change(s, other.file, lambda data: put(data, target, piece[:done]))
        return True

    def step_rename(self, s):
        name, new = self.name(there=True), self.name()
        if name is None or new is None or name == new:
            return False
        file, lost = self.names[name], self.names.get(new)
        if file is lost:
            return False
        self.settle_name(s, name)
        self.settle_name(s, new)
        if file.pending or (lost is not None and lost.pending):
            return False
        self.say(f"{'AB'[s]} rename {name} {new}{' over' if lost else ''}")
        try:
            os.rename(self.path(s, name), self.path(s, new))
        except OSError as error:
            busy = lost is not None and (self.has(0, lost) or self.has(1, lost))
            if not busy or error.errno not in (errno.EACCES, errno.EBUSY, errno.EPERM, errno.ETXTBSY):
                raise
            self.say(f"   refused: {error}")
            return True
        del self.names[name]
        file.names.remove(name)
        if lost is not None:
            lost.names.remove(new)
        file.names.add(new)
        self.names[new] = file
        for d in self.open:
            if d.file is file and d.name == name:
                d.name = new
        self.renamed(s, name, new)
        return True

    def step_link(self, s):
        name, new = self.name(there=True), self.name(there=False)
        if name is None or new is None or self.names[name].pending:
            return False
        self.settle_name(s, name)
        self.settle_name(s, new)
        self.say(f"{'AB'[s]} link {name} {new}")
        # a name that is gone is free when the last handle that sleeps under it has ended
        again(lambda: os.link(self.path(s, name), self.path(s, new)), FileExistsError)
        self.names[new] = self.names[name]
        self.names[new].names.add(new)
        self.renamed(s, new)
        return True

    def step_unlink(self, s):
        name = self.name(there=True)
        if name is None:
            return False
        self.settle_name(s, name)
        file = self.names[name]
        self.say(f"{'AB'[s]} unlink {name}")
        os.unlink(self.path(s, name))
        del self.names[name]
        file.names.remove(name)
        self.renamed(s, name)
        if self.has(0, file) or self.has(1, file):
            file.pending.add(name)
        elif time.monotonic() - file.left[1 - s] < SLEEPS:
            self.news[s][name] = time.monotonic()  # a handle may sleep there
        return True

    def step_times(self, s):
        name = self.name(there=True)
        if name is None:
            return False
        self.settle_name(s, name)
        when = self.random.randrange(10**9)
        self.say(f"{'AB'[s]} utime {name} {when}")
        os.utime(self.path(s, name), (when, when))
        seen = int(os.stat(self.path(s, name)).st_mtime)
        if seen != when:
            self.wrong(f"time of {name}: {seen} for {when}")
        return True

    def step_list(self, s):
        """Names that nobody changed a moment ago are listed."""
        self.say(f"{'AB'[s]} list")
        listed = set(os.listdir(self.folders[s]))
        for name in NAMES:
            changed = self.news[s].get(name)
            if self.free(name) and (changed is None or time.monotonic() - changed > LIMIT):
                if (name in listed) != (name in self.names):
                    self.wrong(f"{'AB'[s]}: {name} {'' if name in listed else 'not '}listed")
        return True

    def step_wait(self, _):
        time.sleep(self.random.choice((0.0005, 0.002, 0.005)))
        return True

    WEIGHTS = {
        "create": 6, "open": 14, "exclusive": 1, "close": 8, "dup": 1, "write": 22, "read": 16, "settle": 3, "size": 4, "truncate": 6,
        "sync": 2, "map": 4, "look": 5, "lock": 3, "copy": 3, "rename": 3, "link": 1, "unlink": 2, "times": 1, "list": 1, "wait": 2,
    }

    # ---- the whole ----

    def run(self):
        try:
            kinds, weights = list(self.WEIGHTS), list(self.WEIGHTS.values())
            while self.number < self.steps:
                side = self.random.randrange(2)
                if getattr(self, "step_" + self.random.choices(kinds, weights)[0])(side):
                    self.number += 1
            self.finish()
        except (Wrong, OSError, ValueError) as error:
            raise Wrong(f"{error}\nseed {self.seed}, cache={self.cache}, after {self.number} steps (A is {self.folders[0]}):\n"
                        + "\n".join(self.told[-int(os.environ.get("RDR_TOLD", "30")):])) from error
        finally:
            for d in self.open:
                os.close(d.number)

    def finish(self):
        """All is closed, each client then reads all files by their names."""
        self.say("the end")
        while self.open:
            self.close(self.open[0])
        for name in NAMES:
            for side in (0, 1):
                self.settle_name(side, name)
                if name in self.names:
                    self.look(side, self.names[name])
