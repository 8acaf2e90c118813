"""Builds the clients in `compat/programs`, by each language's own tool, into a cache.

A build is kept by its sources: what changes is built again, anything else starts at once. `$KSTREAM_CACHE`
names the cache (default `~/.cache/kstream`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from compat.kafka_jars import QUIET_LOG, KafkaUnavailable, cache_folder, java, kafka_jars, streams_jars
from compat.kafka_tools import tools_jars
from compat.story import ClientMissing
from compat.stream_processors import flink_jars, spark_jars, storm_jars

PROGRAMS = Path(__file__).parent / "programs"
_OUTPUT_TAIL_CHARS = 3000


class BuildFailed(RuntimeError):
    """The toolchain is here, what the manifest names was fetched, and it does not compile."""


def built(language: str, program: str) -> list[str]:
    """The command that starts a program, built if need be.

    Raises ClientMissing if the language's tools are missing or its registry is out of reach, BuildFailed.
    """
    return _BUILDERS[language](program)


def _go(program: str) -> list[str]:
    go = _tool("go", "Go 1.26 or later: https://go.dev/dl/")
    source = PROGRAMS / "go"
    binary = _kept(f"{program}-{_digest(source)}")
    if not binary.exists():
        environment = {"GOFLAGS": "-mod=readonly -buildvcs=false"}
        _fetch([go, "list", "-deps", f"./{program}"], source, environment)
        _build([go, "build", "-o", str(binary), f"./{program}"], source, environment)
    return [str(binary)]


def _java(program: str) -> list[str]:
    try:
        jars, runtime = f"{kafka_jars()}/*", java()
    except KafkaUnavailable as missing:
        raise ClientMissing(str(missing)) from missing
    source = PROGRAMS / "java"
    classes = _kept(f"java-{_digest(source)}")
    if not classes.is_dir():
        compiler = str(Path(runtime).with_name("javac"))
        sources = [str(path) for path in source.glob("*.java")]
        with _making(classes) as folder:
            _build([compiler, "-d", str(folder), "-cp", jars, *sources], source, {})
    name = "".join(word.title() for word in program.split("-"))
    return [runtime, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}:{classes}", name]


def _java_streams(program: str) -> list[str]:
    return _java_with(streams_jars, PROGRAMS / "java-streams", program)


def _java_tools(program: str) -> list[str]:
    opens = "--add-opens=java.base/java.lang=ALL-UNNAMED"  # for the JVM's shutdown hooks
    return _java_with(tools_jars, PROGRAMS / "java-tools", program, opens)


_PROCESSORS = {"flink-job": flink_jars, "spark-job": spark_jars, "storm-job": storm_jars}
_OPENED = ("lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "util", "util.concurrent", "time")
"""Packages of java.base that Flink and Spark look into, as their own start scripts allow."""


def _java_processors(program: str) -> list[str]:
    folder = PROGRAMS / "java-processors"
    opens = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPENED]
    inner = [f"--add-opens=java.base/sun.{package}=ALL-UNNAMED" for package in ("nio.ch", "security.action")]
    return _java_with(_PROCESSORS[program], folder, program, "-Xmx768m", *opens, *inner)


def _java_with(fetched_jars: Callable[[], Path], folder: Path, program: str, *options: str) -> list[str]:
    """A class of the program's name, compiled once: starting a source compiles it each time.

    What it shares with the programs of `java` is compiled with it.
    """
    try:
        jars = f"{fetched_jars()}/*"
        runs = [java(), "-Xmx256m", "-XX:TieredStopAtLevel=1", QUIET_LOG, *options]
    except KafkaUnavailable as missing:
        raise ClientMissing(str(missing)) from missing
    name = program.title().replace("-", "")
    shared = PROGRAMS / "java"
    classes = _kept(f"{program}-{_digest(folder, shared / 'Lines.java')}")
    if not classes.exists():
        compiler = _tool("javac", "a JDK of version 17 or later")
        with_shared = ["-cp", jars, "-sourcepath", str(shared), "-implicit:class"]
        with _making(classes) as made:
            _build([compiler, *with_shared, "-d", str(made), str(folder / f"{name}.java")], folder, {})
    return [*runs, "-cp", f"{classes}:{jars}", name]


def _node(program: str) -> list[str]:
    """Packages are kept by their lock file; the programs lie below, where Node.js looks for them."""
    node, npm = (_tool(name, "Node.js 20 or later: https://nodejs.org/") for name in ("node", "npm"))
    source = PROGRAMS / "node"
    manifests = [source / name for name in ("package.json", "package-lock.json")]
    packages = _kept(f"node-{_digest(*manifests)}")
    if not (packages / "node_modules").is_dir():
        with _making(packages) as folder:
            for manifest in manifests:
                shutil.copy(manifest, folder)
            _fetch([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder, {})
    if program in _BUILT_PACKAGES:
        _rebuild(npm, _BUILT_PACKAGES[program], packages)
    programs = packages / f"programs-{_digest(*source.glob('*.js'))}"
    if not programs.is_dir():
        with _making(programs) as folder:
            for script in source.glob("*.js"):
                shutil.copy(script, folder)
    return [node, str(programs / f"{program}.js")]


_BUILT_PACKAGES = {"confluent-kafka-javascript": "@confluentinc/kafka-javascript"}
"""Packages that are compiled when they are installed: minutes, so only when they are asked for."""


def _rebuild(npm: str, package: str, packages: Path) -> None:
    """Compile one. Its librdkafka comes with it; zlib, zstd, OpenSSL and curl are the system's."""
    done = packages / f"built-{package.replace('/', '-')}"
    if not done.exists():
        environment = {"CKJS_LINKING": "dynamic"}
        try:
            _build([npm, "rebuild", package], packages, environment)
        except BuildFailed as failed:
            needed = "libcurl4-openssl-dev zlib1g-dev libssl-dev libzstd-dev"
            raise ClientMissing(
                f"{package} was not built; it needs g++, make and {needed}\n{failed}"
            ) from failed
        done.touch()


def _c(program: str) -> list[str]:
    compiler, libraries = (
        _tool("cc", "apt-get install gcc"),
        _tool("pkg-config", "apt-get install pkg-config"),
    )
    flags = [libraries, "--cflags", "--libs", "rdkafka", "jansson"]
    found = _run(flags, PROGRAMS, {})
    if found.returncode != 0:
        raise ClientMissing("needs its headers: apt-get install librdkafka-dev libjansson-dev")
    source = PROGRAMS / "c" / f"{program}.c"
    binary = _kept(f"{program}-{_digest(source)}")
    if not binary.exists():
        options = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", str(binary)]
        _build([compiler, *options, str(source), *found.stdout.split()], PROGRAMS, {})
    return [str(binary)]


def _python(program: str) -> list[str]:
    """An environment with what the programs need beyond this one's, kept by its requirements."""
    requirements = PROGRAMS / "python" / "requirements.txt"
    environment = _kept(f"python-{_digest(requirements)}")
    if not environment.is_dir():
        with _making(environment) as folder:
            _fetch([sys.executable, "-m", "venv", "--copies", str(folder)], PROGRAMS, {})
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "-r", str(requirements)]
            _fetch(pip, PROGRAMS, {})
    return [str(environment / "bin" / "python"), "-m", "compat.served", program]


def _rust(program: str) -> list[str]:
    cargo = _tool("cargo", "Rust 1.85 or later: https://rustup.rs/")
    source = PROGRAMS / "rust"
    binary = _kept(f"{program}-{_digest(source)}")
    if not binary.exists():
        target = _kept("rust-target")
        environment = {"CARGO_TARGET_DIR": str(target)}
        _fetch([cargo, "fetch", "--locked"], source, environment)
        _build([cargo, "build", "--release", "--locked", "--bin", program], source, environment)
        shutil.copy(target / "release" / program, binary)
    return [str(binary)]


_BUILDERS: Mapping[str, Callable[[str], list[str]]] = {
    "c": _c,
    "go": _go,
    "java": _java,
    "java-processors": _java_processors,
    "java-streams": _java_streams,
    "java-tools": _java_tools,
    "node": _node,
    "python": _python,
    "rust": _rust,
}


def _tool(name: str, hint: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ClientMissing(f"needs {name}, which is not in PATH ({hint})")
    return found


def _kept(name: str) -> Path:
    folder = cache_folder() / "clients"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


@contextmanager
def _making(folder: Path) -> Iterator[Path]:
    """A folder that takes its name once it is whole, whoever else makes it at the same time."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as made:
        yield Path(made)
        with suppress(OSError):  # somebody else was faster
            Path(made).chmod(0o755)
            Path(made).rename(folder)
            Path(made).mkdir()  # for its owner to remove


def _digest(*sources: Path) -> str:
    """What these files are, and all files of these folders."""
    hashed = hashlib.sha256()
    for source in sources:
        files = sorted(each for each in source.rglob("*") if each.is_file()) if source.is_dir() else [source]
        for path in files:
            hashed.update(str(path.relative_to(PROGRAMS)).encode() + b"\0" + path.read_bytes() + b"\0")
    return hashed.hexdigest()[:16]


def _fetch(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = _run(command, folder, environment)
    if done.returncode != 0:
        tail = (done.stdout + done.stderr)[-_OUTPUT_TAIL_CHARS:]
        raise ClientMissing(f"could not be fetched: {' '.join(command)}:\n{tail}")


def _build(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    print(f"building: {' '.join(command)}", file=sys.stderr, flush=True)
    done = _run(command, folder, environment)
    if done.returncode != 0:
        raise BuildFailed(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-_OUTPUT_TAIL_CHARS:]}")


def _run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
