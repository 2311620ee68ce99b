"""Which code made a result; standard library only, the Snakefile imports it."""

import ast
import hashlib
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = "pipeline_lib"


def code_digest(module: str, root: str | Path) -> str:
    """Digest of a module and of every module of this package that it reaches by imports.

    Comments, docstrings and formatting do not enter, so that only a change of what the code does
    reruns a stage. Imports by string (importlib) are not seen.

    Parameters
    ----------
    module
        Dotted name, such as `pipeline_lib.stages.register`.
    root
        Folder that holds the package.

    Returns
    -------
        16 hexadecimal digits, the same for every Python from 3.10 on.
    """
    root = Path(root)
    digests = module_digests(module, root)
    text = "".join(f"{name}={digest};" for name, digest in digests.items())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def module_digests(module: str, root: str | Path) -> dict[str, str]:
    """Digests of a module and of every module of this package that it reaches, by sorted names."""
    root = Path(root)
    return {name: _module_digest(_module_file(name, root)) for name in _closure(module, root)}


def _closure(module: str, root: Path) -> list[str]:
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(imported_modules(_module_file(name, root), root))
    return sorted(reached)


def _module_file(module: str, root: Path) -> Path:
    path = root.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def imported_modules(path: Path, root: Path) -> tuple[str, ...]:
    """Names of the modules of this package that a file imports, anywhere in it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    ours = (name for name in names if name.split(".")[0] == PACKAGE)
    return tuple(dict.fromkeys(name for name in ours if _module_file(name, root).exists()))


@cache
def _module_digest(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return hashlib.sha256(_canonical(tree).encode()).hexdigest()


def _canonical(node: object) -> str:
    """Text of a syntax tree without positions, docstrings and empty fields.

    Empty fields are left out because newer Pythons add some (`type_params`), which would change
    `ast.dump` and with it every digest.
    """
    if isinstance(node, ast.AST):
        fields = []
        for name, value in ast.iter_fields(node):
            if name == "body" and isinstance(value, list):
                value = _without_docstring(value)
            if value is not None and value != [] and name not in ("kind", "type_comment"):
                fields.append(f"{name}={_canonical(value)}")
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return f"[{','.join(_canonical(item) for item in node)}]"
    return repr(node)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    is_docstring = (
        bool(body)
        and isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and isinstance(body[0].value.value, str)
    )
    return body[1:] if is_docstring else body


def files_digest(paths: Iterable[Path]) -> str:
    """Digest of the sizes and times of change of files, which are not read.

    Returns
    -------
        16 hexadecimal digits.
    """
    states = (f"{path} {_state(path)};" for path in sorted(paths))
    return hashlib.sha256("".join(states).encode()).hexdigest()[:16]


@cache
def _state(path: Path) -> str:
    try:
        state = path.stat()
    except OSError:
        return "missing"
    return f"{state.st_size} {state.st_mtime_ns}"


def commit_of(root: str | Path) -> str | None:
    """Give the commit of a checkout, `None` outside one or without git."""
    return _git(root, "rev-parse", "HEAD")


def has_changes(root: str | Path) -> bool:
    """Tell whether tracked files of a checkout differ from its commit."""
    return bool(_git(root, "status", "--porcelain", "--untracked-files=no"))


def _git(root: str | Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:  # no git on this machine
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
