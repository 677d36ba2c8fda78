#!/usr/bin/env python3
"""Runs the integration tests of the Python client hvac against a server binary and compares with what is expected here.

    run.py BINARY SUITE         SUITE: the folder with run.sh, which fetches the tests and runs them

required.txt names the tests that must pass. later.txt names those of them that cannot yet, by how their names begin, each
with the reason. A required test that does not pass fails the run; so does a line of later.txt that fits no test. A line
whose tests all pass is reported, so that it can go.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = "tests/integration_tests/"
SECONDS = 1200


def lines(name):
    """The lines of a list beside this file, without comments and blanks."""
    texts = (line.strip() for line in (HERE / name).read_text().splitlines())
    return [text for text in texts if text and not text.startswith("#")]


def later():
    """Beginning of test names -> why they do not pass yet."""
    found = {}
    for line in lines("later.txt"):
        beginning, _, reason = line.partition(" ")
        if not reason.strip():
            sys.exit(f"later.txt: `{line}` gives no reason")
        found[FOLDER + beginning] = reason.strip()
    return found


def outcomes(binary, suite):
    """Test -> PASSED, FAILED, ERROR or SKIPPED."""
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "result"
        # Nobody's own settings: the suite brings its servers.
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("VAULT_", "BAO_", "BULLA_"))}
        status = subprocess.run([str(suite / "run.sh"), binary, str(result)], env=clean, timeout=SECONDS,
                                stdin=subprocess.DEVNULL).returncode
        if status or not result.exists():
            sys.exit(f"the suite gave no result (exit status {status})")
        pairs = (line.split(" ", 1) for line in result.read_text().splitlines())
        return {name: outcome for outcome, name in pairs}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    required, excused = lines("required.txt"), later()
    found = outcomes(str(Path(sys.argv[1]).resolve()), Path(sys.argv[2]).resolve())
    waiting = {beginning: [name for name in required if name.startswith(beginning)] for beginning in excused}
    expected_to_fail = {name for names in waiting.values() for name in names}
    passed = [name for name in required if found.get(name) == "PASSED"]
    broken = [name for name in required if found.get(name) != "PASSED" and name not in expected_to_fail]
    for beginning, names in waiting.items():
        if names and set(names) <= set(passed):
            print(f"passes now, its line in later.txt can go: {beginning.removeprefix(FOLDER)} ({excused[beginning]})")
    faults = [f"{found.get(name, 'did not run')}: {name}" for name in broken]
    faults += [f"later.txt: no required test begins with {beginning}" for beginning, names in waiting.items() if not names]
    for fault in faults:
        print(fault)
    more = sum(outcome == "PASSED" for outcome in found.values()) - len(passed)
    print(f"beyond those required, {more} pass")
    waits = len(required) - len(passed) - len(broken)
    print(f"hvac: {len(passed)} passed, {waits} wait for later work, {len(faults)} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
