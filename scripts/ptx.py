"""Compiles kernels/*.cu to PTX with NVRTC; called by scripts/ptx.sh.

usage: ptx.py FOLDER_OF_NVRTC [--check]

The PTX is for compute capability 7.0, so a driver makes it into code for any GPU from Volta on. Its
first line holds the SHA-256 of the source, by which a test sees that it is not older.
"""
import ctypes, difflib, glob, hashlib, os, sys

SOURCES = ["kernels/sieve.cu", "kernels/structure_key.cu"]
# The PTX is for this one, and --check has machine code made for those, as a driver would.
VIRTUAL, REAL = "compute_70", ["sm_70", "sm_80", "sm_90"]


def load(folder):
    # NVRTC looks for its builtins by name only, so they must be loaded before.
    for library in glob.glob(os.path.join(folder, "libnvrtc-builtins.so.*")):
        ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
    (nvrtc,) = glob.glob(os.path.join(folder, "libnvrtc.so.*"))
    return ctypes.CDLL(nvrtc)


def text_of(program, size_of, get):
    size = ctypes.c_size_t()
    size_of(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    get(program, text)
    return text.value.decode()


def compile_source(nvrtc, path, source, architecture):
    """The PTX, for a virtual architecture; for a real one it is also made into machine code."""
    program = ctypes.c_void_p()
    name = os.path.basename(path).encode()
    if nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, name, 0, None, None):
        sys.exit("ptx: NVRTC does not start")
    options = [f"--gpu-architecture={architecture}".encode(), b"--std=c++17"]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    log = text_of(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)
    if log.strip():
        print(log.strip(), file=sys.stderr)
    if failed:
        sys.exit(f"ptx: NVRTC can't compile {path} for {architecture}")
    if architecture in REAL:
        size = ctypes.c_size_t()
        if nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)) or size.value == 0:
            sys.exit(f"ptx: NVRTC makes no machine code of {path} for {architecture}")
    return text_of(program, nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX)


def treat(nvrtc, path, check):
    """Writes the PTX beside a source, or compares it with what is there."""
    with open(path, "rb") as file:
        source = file.read()
    target = path.removesuffix(".cu") + ".ptx"
    digest = hashlib.sha256(source).hexdigest()
    ptx = f"// SHA-256 of {os.path.basename(path)}: {digest}\n" + compile_source(nvrtc, path, source, VIRTUAL)
    if not check:
        with open(target, "w") as file:
            file.write(ptx)
        return
    with open(target) as file:
        committed = file.read()
    if committed != ptx:
        lines = list(difflib.unified_diff(committed.splitlines(), ptx.splitlines(), "committed", "compiled", n=0))
        sys.exit("\n".join([f"ptx: {target} is not what {path} compiles to; run scripts/ptx.sh", *lines[:20]]))
    for architecture in REAL:
        compile_source(nvrtc, path, source, architecture)
    print(f"ptx: {target} is what {path} compiles to, and it makes machine code for {', '.join(REAL)}")


def main():
    folder, *rest = sys.argv[1:]
    nvrtc = load(folder)
    for path in SOURCES:
        treat(nvrtc, path, rest == ["--check"])


main()
