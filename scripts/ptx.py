"""Compiles kernels/sieve.cu to kernels/sieve.ptx with NVRTC; called by scripts/ptx.sh.

usage: ptx.py FOLDER_OF_NVRTC [--check]

The PTX is for compute capability 7.0, so a driver makes it into code for any GPU from Volta on. Its
first line holds the SHA-256 of the source, by which a test sees that it is not older.
"""
import ctypes, difflib, glob, hashlib, os, sys

SOURCE, TARGET = "kernels/sieve.cu", "kernels/sieve.ptx"
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


def compile_source(nvrtc, source, architecture):
    """The PTX, for a virtual architecture; for a real one it is also made into machine code."""
    program = ctypes.c_void_p()
    name = os.path.basename(SOURCE).encode()
    if nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, name, 0, None, None):
        sys.exit("ptx: NVRTC does not start")
    options = [f"--gpu-architecture={architecture}".encode(), b"--std=c++17"]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    log = text_of(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)
    if log.strip():
        print(log.strip(), file=sys.stderr)
    if failed:
        sys.exit(f"ptx: NVRTC can't compile {SOURCE} for {architecture}")
    if architecture in REAL:
        size = ctypes.c_size_t()
        if nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)) or size.value == 0:
            sys.exit(f"ptx: NVRTC makes no machine code of {SOURCE} for {architecture}")
    return text_of(program, nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX)


def main():
    folder, *rest = sys.argv[1:]
    with open(SOURCE, "rb") as file:
        source = file.read()
    nvrtc = load(folder)
    ptx = f"// SHA-256 of sieve.cu: {hashlib.sha256(source).hexdigest()}\n" + compile_source(nvrtc, source, VIRTUAL)
    if rest != ["--check"]:
        with open(TARGET, "w") as file:
            file.write(ptx)
        return
    with open(TARGET) as file:
        committed = file.read()
    if committed != ptx:
        lines = list(difflib.unified_diff(committed.splitlines(), ptx.splitlines(), "committed", "compiled", n=0))
        sys.exit("\n".join([f"ptx: {TARGET} is not what {SOURCE} compiles to; run scripts/ptx.sh", *lines[:20]]))
    for architecture in REAL:
        compile_source(nvrtc, source, architecture)
    print(f"ptx: {TARGET} is what {SOURCE} compiles to, and it makes machine code for {', '.join(REAL)}")


main()
