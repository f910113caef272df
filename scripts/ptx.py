"""Compiles kernels/*.cu to PTX and to machine code with NVRTC; called by scripts/ptx.sh.

usage: ptx.py FOLDER_OF_NVRTC [--check]

kernels/NAME.sm_80.cubin and NAME.sm_90.cubin are machine code for these GPUs. kernels/NAME.ptx is for compute
capability 7.0: the driver compiles it for every other GPU from Volta on. The first line of the PTX holds the
SHA-256 of the source.

kernels/SHA256 lists the SHA-256 of every source and of everything made from it, in the format of sha256sum. A
test compares, so it sees an artifact that is older than its source without NVRTC.
"""
import ctypes, difflib, glob, hashlib, os, sys

NAMES = ["sieve", "structure_key"]
# --check compiles for VERIFIED too, as a driver would, and keeps nothing of it.
VIRTUAL, REAL, VERIFIED = "compute_70", ["sm_80", "sm_90"], ["sm_70"]
MANIFEST = "kernels/SHA256"


def load(folder):
    # NVRTC looks for its builtins by name only, so they must be loaded before.
    for library in glob.glob(os.path.join(folder, "libnvrtc-builtins.so.*")):
        ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
    (nvrtc,) = glob.glob(os.path.join(folder, "libnvrtc.so.*"))
    return ctypes.CDLL(nvrtc)


def bytes_of(program, size_of, get):
    size = ctypes.c_size_t()
    if size_of(program, ctypes.byref(size)):
        return b""
    content = ctypes.create_string_buffer(size.value)
    get(program, content)
    return content.raw


def text_of(program, size_of, get):
    return bytes_of(program, size_of, get).rstrip(b"\0").decode()


def compile_source(nvrtc, path, source, architecture):
    """The PTX as bytes, for a virtual architecture; machine code for a real one."""
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
    if architecture == VIRTUAL:
        compiled = text_of(program, nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX).encode()
    else:
        compiled = bytes_of(program, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    if not compiled:
        sys.exit(f"ptx: NVRTC makes nothing of {path} for {architecture}")
    return compiled


def artifacts(nvrtc, name, source):
    """Everything that is made from a source: content by path."""
    path = f"kernels/{name}.cu"
    digest = hashlib.sha256(source).hexdigest()
    ptx = f"// SHA-256 of {name}.cu: {digest}\n".encode() + compile_source(nvrtc, path, source, VIRTUAL)
    made = {f"kernels/{name}.ptx": ptx}
    for architecture in REAL:
        made[f"kernels/{name}.{architecture}.cubin"] = compile_source(nvrtc, path, source, architecture)
    return made


def manifest_of(contents):
    lines = [f"{hashlib.sha256(contents[path]).hexdigest()}  {os.path.basename(path)}\n" for path in sorted(contents)]
    return "".join(lines).encode()


def read(path):
    """The content of a file, none if there is no such file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def compare(path, compiled):
    committed = read(path)
    if committed == compiled:
        return
    lines = [f"ptx: {path} is not what the sources in kernels/ compile to; run scripts/ptx.sh"]
    if committed is not None and not path.endswith(".cubin"):
        texts = [text.decode().splitlines() for text in (committed, compiled)]
        lines += list(difflib.unified_diff(*texts, "committed", "compiled", n=0))[:20]
    sys.exit("\n".join(lines))


def main():
    folder, *rest = sys.argv[1:]
    check = rest == ["--check"]
    nvrtc = load(folder)
    sources = {name: read(f"kernels/{name}.cu") for name in NAMES}
    made = {}
    for name, source in sources.items():
        made |= artifacts(nvrtc, name, source)
    contents = {f"kernels/{name}.cu": source for name, source in sources.items()}
    made[MANIFEST] = manifest_of(contents | made)
    for path, content in made.items():
        if check:
            compare(path, content)
            continue
        with open(path, "wb") as file:
            file.write(content)
    if not check:
        return
    for name, source in sources.items():
        for architecture in VERIFIED:
            compile_source(nvrtc, f"kernels/{name}.cu", source, architecture)
    print(f"ptx: {', '.join(made)} are what {', '.join(contents)} compile to; {', '.join(VERIFIED)} compiles too")


main()
