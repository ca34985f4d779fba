"""The C API's file tests, which know no FUSE, against Samba: every dialect, signed and sealed."""

import os
import subprocess

import pytest

import rig

BUILD = os.path.abspath(os.path.join(os.path.dirname(rig.RDR), "..", "..", ".."))

OPTIONS = ["vers=2.0.2", "vers=2.1", "vers=3.0", "vers=3.0.2,seal", "vers=3.1.1", "vers=3.1.1,seal"]


# ten thousand names take their time, and know nothing of dialects
CASES = [(name, options) for name in ("files", "parallel") for options in OPTIONS] + [("names", "vers=3.1.1"), ("locks", "vers=2.1"), ("locks", "vers=3.1.1")]


@pytest.mark.without_fuse
@pytest.mark.limit(300)
@pytest.mark.parametrize("name,options", CASES)
def test_capi(samba, name, options):
    """What passes on mem: passes on SMB, and nothing leaks."""
    program = os.path.join(BUILD, "tests", "front", f"test_capi_{name}")
    if not os.access(program, os.X_OK):
        pytest.skip(f"{program} was not built")
    environment = dict(
        os.environ,
        RDR_TEST_URL=f"smb://127.0.0.1:{samba.port}/share",
        RDR_TEST_USER="alice",
        RDR_TEST_PASSWORD="Passw0rd",
        RDR_TEST_OPTIONS=options,
    )
    done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "leaked" not in done.stderr
