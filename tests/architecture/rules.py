"""What DESIGN's parts may import, how big things may get, and what nobody may call.

Owns: the rules, each as a function from one source to what is wrong with it.
Must never know: the file system, or any exception.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tests.architecture.source import Source, lines_of, positional, verbs

PACKAGE: Final = "headrace"

# Who may import whom; `headrace` is the package's own `__init__`, which stands beside `app`.
_BASE: Final = frozenset({"kernel", "wire", "ports", "errors"})
_ASSEMBLED: Final = _BASE | {"engine", "sdk", "client", "backends", "worker", "server", "testing"}
MAY_IMPORT: Final[Mapping[str, frozenset[str]]] = {
    "kernel": frozenset(),
    "frames": frozenset(),  # could stand alone
    "errors": frozenset({"kernel"}),
    "wire": frozenset({"kernel", "errors"}),
    "ports": frozenset({"kernel", "errors", "wire"}),
    "engine": _BASE,
    "sdk": _BASE | {"frames"},
    "client": _BASE,
    "backends": _BASE,
    "server": _BASE,
    "worker": _BASE | {"sdk"},
    "testing": _BASE | {"app"},
    "app": (_ASSEMBLED - {"testing"}) | {"frames"},
    "cli": _BASE | {"app"},
    PACKAGE: _BASE | {"sdk", "app", "frames"},
}

KERNEL_STDLIB: Final = frozenset(
    {
        "__future__",
        "collections",
        "dataclasses",
        "datetime",  # the types; asking it for the time is banned below
        "enum",
        "functools",
        "hashlib",
        "itertools",
        "math",
        "operator",
        "typing",
    }
)
KERNEL_BUILTINS_OUT: Final = frozenset({"breakpoint", "input", "open", "print"})

FILE_LINES: Final = 400
FUNCTION_LINES: Final = 40
CLASS_VERBS: Final = 12
PORT_VERBS: Final = 10
POSITIONAL: Final = 5

UNSAFE_MODULES: Final = frozenset({"cloudpickle", "dill", "marshal", "pickle", "shelve"})
UNSAFE_CALLS: Final = frozenset({"eval", "exec", "yaml.load", "yaml.unsafe_load"})
LOOSE_TASKS: Final = frozenset({"asyncio.create_task", "asyncio.ensure_future"})
CLOCK_AND_CHANCE: Final = frozenset(
    {
        "datetime.date.today",
        "datetime.datetime.now",
        "datetime.datetime.today",
        "datetime.datetime.utcnow",
        "os.urandom",
        "time.time",
        "time.time_ns",
        "uuid.uuid1",
        "uuid.uuid4",
    }
)
CHANCE_MODULES: Final = frozenset({"random", "secrets"})
# A type, and a comparison: neither is chance.
NO_CHANCE: Final = frozenset({"random.Random", "secrets.compare_digest"})
ABOVE: Final = frozenset({"app", "cli", PACKAGE})
ABILITIES: Final = frozenset({"Delivering", "Extending", "Sighting", "Tallying"})
SLEEPS: Final = frozenset({"anyio.sleep", "asyncio.sleep", "time.sleep"})
MOCKS: Final = frozenset({"mock", "pytest_mock", "unittest.mock"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rule does not allow, and where."""

    rule: str
    place: str
    what: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: {self.what}"


Rule = Callable[[Source], Iterator[Finding]]


def part_of(dotted: str) -> str | None:
    """Return the part that a module belongs to: None outside the package."""
    package, _, rest = dotted.partition(".")
    if package != PACKAGE:
        return None
    first = rest.split(".")[0]
    if first == "__main__":
        return "cli"
    return first if first in MAY_IMPORT else PACKAGE


def arrows(source: Source) -> Iterator[Finding]:
    """Imports point down only, and every module belongs to a part."""
    home = part_of(source.name)
    if home is None:
        return
    if home == PACKAGE != source.name:
        yield Finding("arrow", source.name, "belongs to no part")
        return
    for target in sorted(source.imports):
        part = part_of(target)
        if part is not None and part != home and part not in MAY_IMPORT[home]:
            yield Finding("arrow", source.name, f"{home} imports {target}")


def purity(source: Source) -> Iterator[Finding]:
    """The kernel knows nothing of the world: no I/O, no clock, no chance, no event loop."""
    if part_of(source.name) != "kernel":
        return
    for target in sorted(source.imports):
        top = target.split(".")[0]
        if top != PACKAGE and top not in KERNEL_STDLIB:
            yield Finding("purity", source.name, f"imports {target}")
    for name in sorted(source.used & KERNEL_BUILTINS_OUT):
        yield Finding("purity", source.name, f"calls {name}")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Global):
            yield Finding("purity", source.name, f"line {node.lineno}: {type(node).__name__}")


def exact_types(source: Source) -> Iterator[Finding]:
    """The lowest parts say what they mean: no `Any`."""
    if part_of(source.name) in {"kernel", "wire", "ports"}:
        for name in sorted(source.used & {"typing.Any", "typing_extensions.Any"}):
            yield Finding("any", source.name, name)


def sizes(source: Source) -> Iterator[Finding]:
    """What does not fit on a few screens is two things."""
    lines = len(source.text.splitlines())
    if lines > FILE_LINES:
        yield Finding("file-lines", source.name, f"{lines}")
    for name, node, in_class in source.functions():
        if (lines := lines_of(node)) > FUNCTION_LINES:
            yield Finding("function-lines", f"{source.name}.{name}", f"{lines}")
        if (count := positional(node, in_class=in_class)) > POSITIONAL:
            yield Finding("positional", f"{source.name}.{name}", f"{count}")
    for name, owner in source.classes():
        if (count := len(verbs(owner))) > CLASS_VERBS:
            yield Finding("class-verbs", f"{source.name}.{name}", f"{count}")


def narrow_ports(source: Source) -> Iterator[Finding]:
    """A port has ten verbs at most; what needs more is two ports."""
    if part_of(source.name) != "ports":
        return
    for name, node in source.classes():
        bases = {source.dotted(b.value if isinstance(b, ast.Subscript) else b) for b in node.bases}
        if {"typing.Protocol", "typing_extensions.Protocol"} & bases:
            count = len(verbs(node))
            if count > PORT_VERBS:
                yield Finding("port-verbs", f"{source.name}.{name}", f"{count}")


def bans(source: Source) -> Iterator[Finding]:
    """What nobody may call: each has lost data or hidden a failure somewhere."""
    modules = {target.split(".")[0] for target in source.imports}
    banned = {"asyncio.wait_for"} | UNSAFE_CALLS | LOOSE_TASKS
    for name in sorted((modules & UNSAFE_MODULES) | (source.used & banned)):
        yield Finding("ban", source.name, name)
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr == "create_task"
            and _is_loop(source, node)
        ):
            yield Finding("ban", source.name, f"line {node.lineno}: create_task of a loop")


def _is_loop(source: Source, node: ast.Attribute) -> bool:
    owner = node.value.func if isinstance(node.value, ast.Call) else node.value
    name = source.dotted(owner) or ""
    return name.split(".")[-1].strip("_") in {"loop", "get_running_loop", "get_event_loop"}


def asked_once(source: Source) -> Iterator[Finding]:
    """What a store can do is asked once: such a question costs as much as a decision."""
    if part_of(source.name) != "engine" or source.name == "headrace.engine.abilities":
        return
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name("isinstance"), args=[_, kind]):
                name = source.dotted(kind) or ""
                if name.rpartition(".")[2] in ABILITIES:
                    yield Finding("asked-once", source.name, f"line {node.lineno}: {name}")
            case _:
                pass


def no_clock(source: Source) -> Iterator[Finding]:
    """Below `app`, time, chance and identity come in as arguments."""
    if part_of(source.name) in ABOVE:
        return
    for name in sorted(source.used):
        chance = name.split(".")[0] in CHANCE_MODULES and "." in name and name not in NO_CHANCE
        if chance or name in CLOCK_AND_CHANCE:
            yield Finding("clock", source.name, name)
    if any(_unseeded(source, node) for node in ast.walk(source.tree)):
        yield Finding("clock", source.name, "random.Random without a seed")


def _unseeded(source: Source, node: ast.AST) -> bool:
    match node:
        case ast.Call(func=function, args=[], keywords=[]):
            return source.dotted(function) == "random.Random"
        case _:
            return False


def patient_tests(source: Source) -> Iterator[Finding]:
    """A test waits for a condition, never for a time, and fakes pass the real thing's contract."""
    for target in sorted(source.imports):
        if target in MOCKS or target.rpartition(".")[0] in MOCKS:
            yield Finding("mock", source.name, target)
    for name, node, _ in source.functions():
        if node.name.startswith("test_"):
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and _sleeps(source, call):
                    yield Finding("sleep", f"{source.name}.{name}", ast.unparse(call))


def _sleeps(source: Source, call: ast.Call) -> bool:
    yields = [ast.dump(arg) for arg in call.args] == [ast.dump(ast.Constant(0))]
    return source.dotted(call.func) in SLEEPS and not yields


OF_THE_PACKAGE: Final[tuple[Rule, ...]] = (
    arrows,
    purity,
    exact_types,
    sizes,
    narrow_ports,
    bans,
    asked_once,
    no_clock,
)
OF_THE_TESTS: Final[tuple[Rule, ...]] = (sizes, bans, patient_tests)
