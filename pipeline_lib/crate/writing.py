"""A crate on the disk: a folder, or a zip file of it."""

import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, written_whole

METADATA = "ro-crate-metadata.json"


def write_crate(
    output: Path, metadata: Mapping[str, Any], files: Mapping[str, bytes | Path]
) -> None:
    """Write a crate, whole or not at all.

    Parameters
    ----------
    output
        The folder to write; a crate that lies there is replaced. Or a file that ends in `.zip`.
    metadata
        The JSON-LD document.
    files
        Path in the crate -> its content, or the file to copy.

    Raises
    ------
    InputError
        If something else than a crate lies there.
    StorageError
        If the disk is full or may not be written.
    """
    text = json.dumps(metadata, indent=2, ensure_ascii=False).encode()
    if output.suffix == ".zip":
        with (
            written_whole(output) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            archive.writestr(METADATA, text)
            for path, content in files.items():
                if isinstance(content, bytes):
                    archive.writestr(path, content)
                else:
                    archive.write(content, path)
        return
    if output.exists() and not (output / METADATA).is_file() and not _is_empty(output):
        raise InputError(f"{output} is no crate; name a new folder, or a file that ends in .zip.")
    with folder_written_whole(output) as temporary:
        (temporary / METADATA).write_bytes(text)
        for path, content in files.items():
            (temporary / path).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                (temporary / path).write_bytes(content)
            else:
                shutil.copyfile(content, temporary / path)


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
