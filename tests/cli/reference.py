#!/usr/bin/env python3
"""Types what a reference's command line was once asked, and compares what comes back.

    reference.py BINARY RECORDED     RECORDED: the folder with transcript.py, which types, and reference.txt

Equal must be exit codes, tables, `-format` and `-field` output. What may differ is in differing.txt, each with its kind and
the reason; another difference fails the run, and so does a line there that fits no difference (any more).
"""
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
KINDS = ("prose", "decided", "later")
SECONDS = 300
# What differs from one run or program to the next besides what the transcript masks itself.
MASKS = [
    (r"v\d+\.\d+\.\d+\+builtin\.\w+ *", "<running version> "), (r"(Running Version) +|(?<=  )-{15,} +", r"\1 "),
    (r"(?m)^(Version +)\S+$", r"\1<version>"), (r'("version": )"[^"]+"', r'\1"<version>"'),
    (r"vault-cluster-[0-9a-f]{8}", "vault-cluster-<8 hex>"), (r"\d\d \w{3} \d\d \d\d:\d\d UTC", "<time>"),
    (r"(?m)^(Encryption Count +)\d+$", r"\1<count>"),
]


def answers(transcript):
    """(command, what it printed), in order; headings between them are left out."""
    for pattern, masked in MASKS:
        transcript = re.sub(pattern, masked, transcript)
    found = []
    for block in re.split(r"(?m)^\$ ", transcript)[1:]:
        command, _, rest = block.partition("\n")
        found.append((command, re.split(r"(?m)(?<=^\[exit \d\])$", rest)[0].rstrip()))
    return found


def allowed():
    """Command -> kind of difference."""
    found = {}
    for line in (HERE / "differing.txt").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split(" | ")]
        if len(parts) != 3 or parts[0] not in KINDS or not parts[2]:
            sys.exit(f"differing.txt: `{line}` is not `kind | command | reason`")
        found[parts[1]] = parts[0]
    return found


def exit_code(printed):
    return printed.rsplit("\n", 1)[-1]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    recorded = Path(sys.argv[2])
    done = subprocess.run([sys.executable, str(recorded / "transcript.py"), sys.argv[1]], text=True, timeout=SECONDS,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"the transcript ended with {done.returncode}")
    ours, theirs = answers(done.stdout), answers((recorded / "reference.txt").read_text())
    if not theirs or [command for command, _ in ours] != [command for command, _ in theirs]:
        sys.exit("the transcript and its record are not of the same commands")
    may_differ, differing, faults = allowed(), set(), []
    for (command, found), (_, expected) in zip(ours, theirs):
        if found == expected:
            continue
        differing.add(command)
        kind = may_differ.get(command)
        if kind is None or (kind == "prose" and exit_code(found) != exit_code(expected)):
            faults.append(f"$ {command}\n--- is\n{found}\n--- should be\n{expected}\n")
    faults += [f"differing.txt: does not differ (any more): {command}" for command in may_differ if command not in differing]
    for fault in faults:
        print(fault)
    equal = sum(found == expected for (_, found), (_, expected) in zip(ours, theirs))
    print(f"of {len(ours)} commands, {len(ours) - equal} differ")
    print(f"reference: {equal} passed, {len(faults)} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
