#!/usr/bin/env python3
"""Foreign clients against a server binary: the crate vaultrs, the Go module of the OpenBao API, npm's node-vault.

    run.py BINARY [NAME...]     NAME: rust, go, node; all if none is given

Each program gets a server of its own (`server -config`, disk store, on 127.0.0.1) that nobody has initialised, and does
what its users do: init, unseal, login, keys and values, wrapping, policies, seal; once in clear and once over TLS, with the
file of an authority that nobody else knows. What they are built with is kept in the user's cache folder. A client whose
toolchain is missing is skipped with a message.
"""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bulla" / "clients"
START_SECONDS, BUILD_SECONDS, RUN_SECONDS = 20, 900, 60


class Skipped(Exception):
    """The toolchain is not there."""


def build(words, folder, **variables):
    """Runs a build; its output is shown only if it fails."""
    if not shutil.which(words[0]):
        raise Skipped(f"there is no {words[0]}")
    done = subprocess.run(words, cwd=folder, env={**os.environ, **variables}, text=True, timeout=BUILD_SECONDS,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        print(done.stdout)
        raise RuntimeError(f"`{' '.join(words)}` failed")


def rust():
    """The command that runs the program, built."""
    target = CACHE / "rust"
    build(["cargo", "build", "--locked", "--quiet"], HERE / "rust", CARGO_TARGET_DIR=str(target))
    return [str(target / "debug" / "client-vaultrs")]


def go():
    if not shutil.which("go"):
        raise Skipped("there is no go")
    program = CACHE / "go" / "client"
    build(["go", "build", "-o", str(program), "."], HERE / "go", GOFLAGS="-mod=readonly -modcacherw",
          GOMODCACHE=str(CACHE / "go" / "mod"), GOCACHE=str(CACHE / "go" / "build"))
    return [str(program)]


def node():
    if not shutil.which("node"):
        raise Skipped("there is no node")
    # Modules lie beside the program that asks for them, so it runs from a copy.
    folder = CACHE / "node"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "main.js"):
        shutil.copy(HERE / "node" / name, folder)
    wanted = (folder / "package-lock.json").read_text()
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_text() != wanted:
        build(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder, npm_config_cache=str(CACHE / "npm"))
        installed.write_text(wanted)
    return ["node", str(folder / "main.js")]


CLIENTS = {"rust": rust, "go": go, "node": node}


def certificates(folder):
    """An authority (ca.pem) and a certificate of it for 127.0.0.1 (server.pem, server-key.pem)."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl(*new, "-subj", "/CN=Authority", "-keyout", "ca-key.pem", "-out", "ca.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Server",
            "-keyout", "server-key.pem", "-out", "server.csr")
    (folder / "extensions").write_text("basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "2",
            "-extfile", "extensions", "-out", "server.pem")


class Server:
    """A server with a disk store in a folder of its own; with TLS its authority is the folder's ca.pem."""

    def __init__(self, binary, folder, tls):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            place = f"127.0.0.1:{free.getsockname()[1]}"
        self.address = f"https://{place}" if tls else f"http://{place}"
        self.context = None
        security = "tls_disable = true"
        if tls:
            certificates(folder)
            self.context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
            security = f'tls_cert_file = "{folder}/server.pem"\n  tls_key_file = "{folder}/server-key.pem"'
        config = folder / "server.hcl"
        config.write_text(f'storage "disk" {{ path = "{folder}/store" }}\n'
                          f'listener "tcp" {{\n  address = "{place}"\n  {security}\n}}\ndisable_mlock = true\n')
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([binary, "server", f"-config={config}"], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def wait(self):
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.address}/v1/sys/init", timeout=2, context=self.context):
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"the server does not answer:\n{self.log.read_text()}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def play(name, binary, tls):
    """Builds the client and runs it against a fresh server; how many steps it took."""
    command = CLIENTS[name]()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(binary, Path(folder), tls)
        try:
            # None of the caller's own settings.
            clean = {k: v for k, v in os.environ.items() if not k.startswith(("VAULT_", "BAO_", "BULLA_"))}
            clean |= {"VAULT_ADDR": server.address, "HOME": folder, "NO_PROXY": "127.0.0.1"}
            if tls:
                clean |= {name: f"{folder}/ca.pem" for name in ("VAULT_CACERT", "NODE_EXTRA_CA_CERTS")}
            done = subprocess.run(command, env=clean, text=True, timeout=RUN_SECONDS, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        finally:
            server.stop()
        steps = [line for line in done.stdout.splitlines() if line.startswith(("ok: ", "skip: "))]
        for line in steps:
            if line.startswith("skip: ") and not tls:
                print(f"{name}: {line}")
        if done.returncode:
            print(done.stdout)
            raise RuntimeError(f"{'over TLS ' if tls else ''}ended with {done.returncode} after {len(steps)} steps")
        return sum(line.startswith("ok: ") for line in steps)


def main():
    if len(sys.argv) < 2 or not CLIENTS.keys() >= set(sys.argv[2:]):
        sys.exit(__doc__)
    binary = str(Path(sys.argv[1]).resolve())
    passed = failed = skipped = 0
    for name in sys.argv[2:] or CLIENTS:
        try:
            print(f"{name}: {play(name, binary, tls=False)} steps, {play(name, binary, tls=True)} over TLS")
            passed += 1
        except Skipped as why:
            print(f"{name}: skipped, {why}")
            skipped += 1
        except (RuntimeError, OSError, subprocess.SubprocessError) as fault:
            print(f"{name}: failed, {fault}")
            failed += 1
    print(f"clients: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
