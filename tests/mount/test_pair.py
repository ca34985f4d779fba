"""Two clients of one volume take turns with random steps, and both agree with a model of it (pair.py).

It searches when it is told for how long (RDR_SECONDS, of each kind and each set of options), or replays one history
(RDR_SEED); RDR_STEPS is the length of a history, RDR_TOLD how many of its last steps are told when it fails.
"""

import os
import tempfile
import time

import pytest

import pair
import rig

SEED = os.environ.get("RDR_SEED")
STEPS = int(os.environ.get("RDR_STEPS", "120"))
SECONDS = float(os.environ.get("RDR_SECONDS", "0"))

OPTIONS = {
    "default": "",
    "small": "rsize=4096,wsize=4096",
    "loose": "cache=loose",
    "none": "cache=none",
}

pytestmark = [
    pytest.mark.limit(120 + int(SECONDS) * 2),
    pytest.mark.skipif(not SEED and SECONDS == 0, reason="searches when it is told for how long: RDR_SECONDS"),
]


class Clients:
    """Two mounts of one volume with the same options."""

    def __init__(self, kind, options, samba):
        self.second = None
        if kind == "mem":
            self.second = tempfile.mkdtemp(prefix="rdr-mnt-", dir="/tmp")
            self.mounts = [rig.Mount("mem:pair", options, arguments=("--also", self.second))]
            self.paths = [self.mounts[0].path, self.second]
        else:
            more = f"credentials={samba.credentials}" + ("," + options if options else "")
            self.mounts = [rig.Mount(samba.unc(), more) for _ in range(2)]
            self.paths = [mount.path for mount in self.mounts]

    def end(self):
        try:
            for mount in self.mounts:
                mount.unmount()
        finally:
            if self.second is not None:
                if self.second in rig.mounts():
                    rig.run("umount", "-l", self.second, timeout=10)
                os.rmdir(self.second)


@pytest.fixture(params=[(kind, options) for kind in ("mem", "smb") for options in OPTIONS], ids="-".join)
def clients(request):
    kind, options = request.param
    made = Clients(kind, OPTIONS[options], request.getfixturevalue("samba") if kind == "smb" else None)
    made.cache = options if options in ("loose", "none") else "strict"
    yield made
    made.end()


def histories():
    """Seeds, until the time is over: one at least."""
    if SEED:
        yield int(SEED)
        return
    end, seed = time.monotonic() + SECONDS, int.from_bytes(os.urandom(4), "little")
    while True:
        yield seed
        seed += 1
        if time.monotonic() > end:
            return


def fresh(clients, name):
    """A folder that both know."""
    folders = [os.path.join(path, name) for path in clients.paths]
    os.mkdir(folders[0])
    rig.wait_until("the folder at the other client", pair.LIMIT, lambda: os.path.isdir(folders[1]))
    return folders


def test_random_histories(clients):
    """Steps of two clients in turn: what is read is what the steps before it have made of the file."""
    total = {}
    for turn, seed in enumerate(histories()):
        folders = fresh(clients, f"h{turn}-{seed}")
        history = pair.Pair(folders, seed, clients.cache, STEPS)
        try:
            history.run()
        except (pair.Wrong, OSError) as wrong:
            raise pair.Wrong(f"{wrong}\nseed {seed}\n" + "\n".join(m.read_log()[-8000:] for m in clients.mounts)) from None
        for what, count in history.counts.items():
            total[what] = total.get(what, 0) + count
    print(f"{turn + 1} histories: {total}")
    assert total["checks"] > 0
