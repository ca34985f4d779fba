"""
A folder of a mount answers as a local one does: random calls, the same on both, compared step by step (model.py).

A failure names its seed and shows the last steps; RDR_SEED=N alone runs that seed again. With RDR_LONG there are thousands.
"""

import os
import shutil
import subprocess
import sys
import tempfile

import pytest

import rig

STEPS = 300 if rig.LONG else 150
SEEDS = {"mem": 4000, "smb": 2000} if rig.LONG else {"mem": 60, "smb": 30}
PROCESSES = 3
MODES = ["cache=none", "cache=loose", "actimeo=0", "nobrl"]


@pytest.fixture
def local():
    """A plain folder in memory."""
    folder = tempfile.mkdtemp(prefix="rdr-model-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp")
    yield folder
    shutil.rmtree(folder)


def start(real, model, seed, seeds, name):
    """A process that runs seeds one after the other, in folders of its own."""
    folders = [os.path.join(root, name) for root in (real, model)]
    for folder in folders:
        os.mkdir(folder)
    if "RDR_SEED" in os.environ:
        seed, seeds = int(os.environ["RDR_SEED"]), 1
    return subprocess.Popen(
        [sys.executable, os.path.join(rig.HERE, "model.py"), *folders, str(seed), str(STEPS), str(seeds)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def finish(children):
    failures = []
    for child in children:
        said = child.communicate()[0]
        if child.returncode != 0:
            failures.append(said)
    assert not failures, "\n".join(failures)


@pytest.mark.limit(3600 if rig.LONG else 120)
def test_one_program(place, local):
    """One program at a time, of which all calls are known."""
    finish([start(place.path, local, 1, SEEDS[place.kind], "one")])


@pytest.mark.limit(3600 if rig.LONG else 120)
def test_several_programs(place, local):
    """Each in a folder of its own: what one does to the mount is nothing to the others."""
    count = SEEDS[place.kind] // 4
    finish([start(place.path, local, 100000 * (i + 1), count, str(i)) for i in range(PROCESSES)])


@pytest.mark.limit(3600 if rig.LONG else 120)
@pytest.mark.parametrize("options", MODES)
def test_other_ways_to_keep(samba, local, options):
    """The options that change what is kept change no answer."""
    mount = rig.Mount(samba.unc(), f"credentials={samba.credentials},{options}")
    name = "model-" + options.replace("=", "-")
    try:
        os.mkdir(os.path.join(mount.path, name))
        finish([start(os.path.join(mount.path, name), local, 500000, 500 if rig.LONG else 4, "one")])
        mount.unmount()
    finally:
        mount.discard()
