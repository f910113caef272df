"""Structure keys of SMILES, by `molsieve key` over pipes.

The program answers each line of SMILES with a line. A thread writes while this one reads, so that no pipe fills up. A
SMILES with a control character can't be a line: an empty line stands for it, whose key is null too.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, Any

from ._errors import Error
from ._program import Child

if TYPE_CHECKING:
    import pyarrow as pa

KEY_BYTES = 16
HEX_CHARACTERS = 2 * KEY_BYTES
# Rows that are written at once.
BATCH_ROWS = 1 << 14
# Bytes of the program's answers that are parsed at once.
BLOCK_BYTES = 4 << 20
# A longer SMILES is no molecule that molsieve accepts; `molsieve key` reads no longer line.
SMILES_BYTES_MAX = 1 << 16
CONTROLS = bytes([*range(32), 127])
CONTROLS_PATTERN = r"[\x00-\x1f\x7f]"


def keys(smiles: Any) -> Any:
    """The structure key of each SMILES: 16 bytes, the same for every SMILES of a molecule, as in the column
    `structure_key` of an output. Of a SMILES that can't be read it is null.

    The answer is of the kind of the argument: an Arrow array (fixed_size_binary(16)), a pandas or Polars Series, a
    NumPy array of objects, or a list.

    >>> phenol, same, broken = molsieve.keys(["Oc1ccccc1", "c1ccccc1O", "C(C"])
    >>> phenol == same, len(phenol), broken
    (True, 16, None)
    """
    import pyarrow as pa

    if isinstance(smiles, (str, bytes)):
        raise TypeError("molsieve.keys takes several SMILES; put one into a list")
    if isinstance(smiles, pa.ChunkedArray):
        return pa.chunked_array([array_of_keys(smiles)])
    if isinstance(smiles, pa.Array):
        return array_of_keys(pa.chunked_array([smiles]))
    module = type(smiles).__module__.partition(".")[0]
    if module == "polars":
        import polars

        return polars.Series(smiles.name, array_of_keys(chunked(smiles.to_arrow())), dtype=polars.Binary)
    if module == "pandas":
        import pandas

        found = array_of_keys(pa.chunked_array([pa.array(smiles, pa.string(), from_pandas=True)]))
        return pandas.Series(found.to_pylist(), index=smiles.index, name=smiles.name, dtype=object)
    if module == "numpy":
        return array_of_keys(chunked(pa.array(smiles.tolist(), pa.string()))).to_numpy(zero_copy_only=False)
    return array_of_keys(chunked(pa.array(list(smiles), pa.string()))).to_pylist()


def chunked(array: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array], array.type)


def array_of_keys(smiles: pa.ChunkedArray) -> pa.Array:
    """The keys of SMILES as one array of fixed_size_binary(16)."""
    import pyarrow as pa

    if not len(smiles):
        return pa.array([], pa.binary(KEY_BYTES))
    with ThreadPoolExecutor(1) as writer, Child(["key"], stdin=subprocess.PIPE) as child:
        assert child.process.stdin and child.process.stdout
        written = writer.submit(write, smiles, child.process.stdin)
        answers = list(read(child.process.stdout))
        written.result()
        child.end()
    found = pa.concat_arrays(answers) if answers else []
    if len(found) != len(smiles):
        raise Error(f"molsieve key answered {len(found):,} of {len(smiles):,} SMILES")
    return found


def write(smiles: pa.ChunkedArray, pipe: IO[bytes]) -> None:
    """Writes a line for each SMILES."""
    # The program has ended: how it did is reported by the reader.
    with contextlib.suppress(BrokenPipeError), pipe:
        for chunk in smiles.chunks:
            for start in range(0, len(chunk), BATCH_ROWS):
                pipe.write(lines(chunk.slice(start, BATCH_ROWS)))


def lines(smiles: pa.Array) -> bytes:
    """SMILES as lines."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.fill_null(smiles.cast(pa.string()), "")
    too_long = pc.greater(pc.binary_length(texts), SMILES_BYTES_MAX)
    if pc.any(too_long).as_py():
        texts = pc.if_else(too_long, "", texts)
    joined = join(texts)
    if len(joined.translate(None, CONTROLS)) != len(joined) - len(texts):
        joined = join(pc.if_else(pc.match_substring_regex(texts, CONTROLS_PATTERN), "", texts))
    return joined


def join(texts: pa.Array) -> bytes:
    """The texts with a line end behind each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    row = pa.ListArray.from_arrays([0, len(texts)], texts)
    return memoryview(pc.binary_join(row, "\n")[0].as_buffer()).tobytes() + b"\n"


def read(pipe: IO[bytes]) -> Iterator[pa.Array]:
    """The keys that the program answers, in batches."""
    import pyarrow as pa
    from pyarrow import csv

    try:
        answers = csv.open_csv(
            pipe,
            read_options=csv.ReadOptions(column_names=["key", "smiles"], block_size=BLOCK_BYTES, use_threads=False),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False, double_quote=False),
            convert_options=csv.ConvertOptions(include_columns=["key"], column_types={"key": pa.binary()}),
        )
    except pa.ArrowInvalid:
        # The program has answered nothing; its exit code says why.
        return
    for batch in answers:
        yield from_hex(batch.column(0))


def from_hex(answers: pa.Array) -> pa.Array:
    """Keys in hex as bytes; an error of the program is null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_error = pc.starts_with(answers, "error")
    if pc.any(is_error).as_py():
        answers = pc.if_else(is_error, pa.scalar(b"0" * HEX_CHARACTERS, answers.type), answers)
    _, offsets, text = answers.buffers()
    start, end = (memoryview(offsets).cast("i")[answers.offset + at] for at in (0, len(answers)))
    found = pa.py_buffer(bytes.fromhex(memoryview(text)[start:end].tobytes().decode("ascii")))
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(KEY_BYTES), len(answers), [None, found])
    return pc.if_else(is_error, None, fixed)
