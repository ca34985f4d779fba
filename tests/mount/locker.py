"""A process that does with files what it is told, one line of JSON at a time, and answers each with one line.

["open", path, flags] -> fd    ["close", fd]    ["dup", fd] -> fd
["lock", fd, kind, start, length, wait] -> true, or "EAGAIN", "EINTR", ...    kind: "r" "w" "u"
["test", fd, kind, start, length] -> [kind, start, length, pid]
["flock", fd, kind, wait]    ["read", fd, n, offset] -> text    ["write", fd, text, offset]    ["fsync", fd]
["alarm", seconds]    ["fork"] -> pid of a child that only lives
A failed call is answered with the name of its errno.
"""

import errno
import fcntl
import json
import os
import signal
import struct
import sys

FLOCK = "hhlli4x"  # struct flock: type, whence, start, len, pid
KINDS = {"r": fcntl.F_RDLCK, "w": fcntl.F_WRLCK, "u": fcntl.F_UNLCK}
FLOCKS = {"r": fcntl.LOCK_SH, "w": fcntl.LOCK_EX, "u": fcntl.LOCK_UN}


class Interrupted(Exception):
    pass


def interrupted(*_):
    raise Interrupted


def fcntl_lock(fd, command, kind, start, length):
    back = fcntl.fcntl(fd, command, struct.pack(FLOCK, KINDS[kind], os.SEEK_SET, start, length, 0))
    number, _, start, length, pid = struct.unpack(FLOCK, back)
    return [next(name for name, value in KINDS.items() if value == number), start, length, pid]


def fork():
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    return pid


def do(verb, *words):
    if verb == "open":
        return os.open(words[0], words[1])
    if verb == "close":
        return os.close(*words)
    if verb == "dup":
        return os.dup(*words)
    if verb == "lock":
        fd, kind, start, length, wait = words
        fcntl_lock(fd, fcntl.F_SETLKW if wait else fcntl.F_SETLK, kind, start, length)
        return True
    if verb == "test":
        fd, kind, start, length = words
        return fcntl_lock(fd, fcntl.F_GETLK, kind, start, length)
    if verb == "flock":
        fd, kind, wait = words
        fcntl.flock(fd, FLOCKS[kind] | (0 if wait else fcntl.LOCK_NB))
        return True
    if verb == "read":
        return os.pread(*words).decode()
    if verb == "write":
        fd, text, offset = words
        return os.pwrite(fd, text.encode(), offset)
    if verb == "fsync":
        return os.fsync(*words)
    if verb == "alarm":
        return signal.setitimer(signal.ITIMER_REAL, *words) and None
    if verb == "fork":
        return fork()
    raise ValueError(verb)


def main():
    # raising in the handler ends the call: Python itself would begin it again
    signal.signal(signal.SIGALRM, interrupted)
    for line in sys.stdin:
        try:
            answer = do(*json.loads(line))
        except Interrupted:
            answer = "EINTR"
        except OSError as error:
            answer = errno.errorcode[error.errno]
        print(json.dumps(answer), flush=True)


main()
