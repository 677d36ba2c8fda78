#!/usr/bin/env python3
"""Plays the recorded scenarios against a server binary and compares the outcome with what is expected here.

    run.py BINARY SCENARIOS     BINARY: the server; SCENARIOS: the folder with replay.py and the recordings

areas.txt names the areas that count, one a line. expected-failures.txt names the scenarios of these areas that do not
pass yet, each with the issue that will bring it. A scenario that fails without being named there fails the run; one
that is named and passes is reported, so that the line can go.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def lines(name):
    """The lines of a list beside this file, without comments and blanks."""
    texts = (line.strip() for line in (HERE / name).read_text().splitlines())
    return [text for text in texts if text and not text.startswith("#")]


def expected_failures():
    """Scenario -> why it does not pass yet. A line is `area/name #7 what is missing`."""
    found = {}
    for line in lines("expected-failures.txt"):
        scenario, _, reason = line.partition(" ")
        if not reason.strip():
            sys.exit(f"expected-failures.txt: `{line}` gives no reason")
        found[scenario] = reason.strip()
    return found


def replay(binary, folder, areas):
    """What differs, by scenario. The replay's own report goes to our output."""
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "result.json"
        chosen = [word for area in areas for word in ("--area", area)]
        command = [sys.executable, str(folder / "replay.py"), "--binary", binary, "--json", str(result), *chosen]
        status = subprocess.run(command).returncode
        if not result.exists():
            sys.exit(f"the replay gave no result (exit status {status})")
        return json.loads(result.read_text())


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    expected, areas = expected_failures(), lines("areas.txt")
    results = replay(sys.argv[1], Path(sys.argv[2]), areas)
    played = {name.split("/", 1)[0] for name in results}
    failing = {name for name, differences in results.items() if differences}
    broken = sorted(failing - expected.keys())
    mended = sorted(name for name in expected.keys() & results.keys() if name not in failing)
    faults = [f"not expected to fail: {name}" for name in broken]
    faults += [f"expected to fail, but there is no such scenario: {name}" for name in sorted(expected.keys() - results.keys())]
    faults += [f"no scenario was played in area {area}" for area in areas if area not in played]
    for name in mended:
        print(f"passes now, its line in expected-failures.txt can go: {name} ({expected[name]})")
    for fault in faults:
        print(fault)
    passed = len(results) - len(failing)
    print(f"conformance: {passed} passed, {len(failing) - len(broken)} expected to fail, {len(faults)} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
