#!/usr/bin/env bash
# Needs bash, coreutils, tar and gzip. No `set -e`: the next step starts whatever the one before did.
set -uo pipefail

usage() {
    cat <<'TEXT'
Tests molsieve on a machine with an NVIDIA GPU, without network or cargo: runs the binary of a pack
(scripts/gpu-pack.sh), or target/release/molsieve.

usage: gpu-check.sh [--first | --second] [RESULTS]        (default: gpu-check)

  step       limit   what
   1          15 s   is the engine cuda there; nvidia-smi, libcuda, Vulkan, HOME, cores, memory
   2          60 s   doctor: each engine and its structure keys beside the CPU's
   3          30 s   bench: the kernels that only read or only write at random, and copies both ways
   4          45 s   bench of cuda, filters up to 256 MiB
   5   each   20 s   run, dedup on cuda and cpu: same bytes? largest memory (VmHWM)
   6         100 s   bench of cuda, filters up to 16 GiB
   7   each   15 s   ncu on one launch of structure_key, look_up, insert_new
   8          90 s   compute-sanitizer memcheck on doctor of cuda
   9          60 s   compute-sanitizer racecheck on the sieve with one filter
  10   40 s, 20 s    bench of cpu, of wgpu
  11          60 s   bench --scaling: jobs on the cpu with 1, 2, 4 ... all cores

--first does steps 1 to 5 (at most 4 minutes), --second does step 1 and 6 to 11 (at most 7.5 minutes).
Without either, all steps run in less than 8 minutes: a step gets at most the time that is left, and steps
without any time left are skipped, which counts as a failure. A step that reaches its limit has hung and is
killed. After two GPU steps in a row that hang, the other GPU steps are skipped.

RESULTS gets at most 8 files, less than 16 MiB together, written again after every step:

  summary.txt          a line for each step
  logs.tar.gz          what the steps wrote (logs-first.tar.gz, logs-second.tar.gz)
  doctor.json          of step 2
  ceilings.json        of step 3
  bench.json           of step 6, or of step 4 where step 6 wrote none
  bench.html           of step 6
  scaling.json         of step 11; its page and plot are in the logs

--second adds its lines to the summary.txt that --first has left in RESULTS.
Ends with 0 if all is well, 1 if a step fails or there is no GPU, 2 for a wrong call. Steps whose tool
is missing (ncu, compute-sanitizer, a Vulkan driver) are skipped; that is no failure.

Variables:
  MOLSIEVE                the binary to run, in place of the pack's
  GPU_CHECK_LIMIT_N       seconds for step N in place of the limit above
  GPU_CHECK_SECONDS       seconds for each figure of every bench
  GPU_CHECK_MAX_FILTER    largest filter of every bench
TEXT
}

# Leaves half a minute of the 8 for ending a last step that hangs, and for its traces.
readonly TOTAL_SECONDS=450
readonly LOG_BYTES_MAX=$((192 << 10)) # of 50 logs at most: the archive stays below 16 MiB, even uncompressed
readonly JOB_MEMORY_MIB=2048

# ── The call ─────────────────────────────────────────────────────────────────────────────────────────────────

half= results=
for argument; do
    case $argument in
    -h | --help) usage && exit 0 ;;
    --first | --second)
        [ -z "$half" ] || { usage >&2 && exit 2; }
        half=${argument#--}
        ;;
    -* | '') usage >&2 && exit 2 ;;
    *)
        [ -z "$results" ] || { usage >&2 && exit 2; }
        results=$argument
        ;;
    esac
done
if ! mkdir -p "${results:=gpu-check}" || ! results=$(cd "$results" && pwd) || [ ! -w "$results" ]; then
    echo "gpu-check: $results: cannot write there; name another folder" >&2
    exit 2
fi
home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d) || work=$(mktemp -d -p "$results") || exit 1
logs=$work/logs
archive=logs${half:+-$half}.tar.gz
mkdir -p "$logs" "$work/jobs"
ulimit -c 0

# ── What is written ──────────────────────────────────────────────────────────────────────────────────────────

summary=() failed=0 running=

# write NAME: standard input becomes a file in RESULTS, whole or not at all.
write() {
    cat >"$results/.part" && mv -f "$results/.part" "$results/$1"
}
write_summary() {
    printf '%s\n' "${summary[@]}" ${running:+"running  $running, since $(date -u +%T)"} | write summary.txt
}
write_archive() {
    timeout -k 5 20 tar -C "$work" -czf "$work/archive" logs && write "$archive" <"$work/archive"
}
# publish LOG NAME: a log that is a JSON object or a page is readable without the archive.
publish() {
    local begin=
    read -r -N 1 begin <"$logs/$1"
    case $begin in '{' | '<') write "$2" <"$logs/$1" ;; esac
} 2>/dev/null
# note STATUS STEP WORDS: the line of a step.
note() {
    local line words=${3:-} LC_ALL=C
    printf -v line '%-8s %-22s %s' "$1" "$2" "${words//[![:print:]]/?}"
    case $1 in FAILED | HUNG | CRASHED) failed=1 ;; esac
    summary+=("$line")
    running=
    echo "$line"
    write_summary
}
# Cuts the middle out of a log that is too large.
shorten() {
    local log=$1 bytes
    bytes=$(stat -c %s "$log" 2>/dev/null || echo 0)
    [ "$bytes" -gt "$LOG_BYTES_MAX" ] || return 0
    {
        head -c $((LOG_BYTES_MAX / 2)) "$log"
        printf '\n[%s bytes left out]\n' $((bytes - LOG_BYTES_MAX))
        tail -c $((LOG_BYTES_MAX / 2)) "$log"
    } >"$log.part"
    mv -f "$log.part" "$log"
}
contents() { tr -d '\0' <"$1"; } 2>/dev/null
# line_with WORDS FILE…: the first line that has these words, into `line`.
line_with() {
    local words=$1 file
    shift
    for file; do
        while IFS= read -r line; do
            [[ $line == *"$words"* ]] && return
        done <"$file"
    done
    return 1
} 2>/dev/null
# why STEP: what a step says of its failure: a reason in its JSON, a message, or else its last line.
why() {
    local out=$logs/$1.out err=$logs/$1.err line='' last=''
    if [[ $(contents "$out") =~ \"fail(s|ed)\":\"([^\"]*) ]]; then
        line=${BASH_REMATCH[2]}
    elif ! line_with "molsieve: " "$err" && ! line_with "error: " "$err" &&
        ! line_with "==ERROR==" "$err" "$out"; then
        while IFS= read -r line || [ -n "$line" ]; do
            [ -z "${line// /}" ] || last=$line
        done < <(tail -qc 1000 "$out" "$err" | tr -d '\0')
        line=$last
    fi
    echo "${line:0:200}"
}

# ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────

hangs=0 child= tree=() peak_kib=0
declare -A peaks_kib=() # of the processes of a step, by their ids
declare -A names=()

# The processes below PID, itself included, into `tree`.
descend() {
    local pid=$1 file children
    tree+=("$pid")
    for file in "/proc/$pid"/task/*/children; do
        children=()
        { read -r -a children <"$file"; } 2>/dev/null
        for pid in "${children[@]}"; do descend "$pid"; done
    done
}
# The largest memory that each of these processes had so far, into `peaks_kib`; that of the largest, `peak_kib`.
look_at_memory() {
    local pid name value
    for pid; do
        while read -r name value _; do
            case $name in
            Name:) names[$pid]=$value ;;
            VmHWM: | VmRSS:)
                [ "$value" -le "${peaks_kib[$pid]:-0}" ] || peaks_kib[$pid]=$value
                [ "$value" -le "$peak_kib" ] || peak_kib=$value
                ;;
            esac
        done <"/proc/$pid/status"
    done
} 2>/dev/null
show_memory() {
    local pid
    for pid in "${!peaks_kib[@]}"; do
        echo "process $pid (${names[$pid]:-}): VmHWM ${peaks_kib[$pid]} KiB"
    done
}
# What the threads of a process do: name, and where in the kernel they wait.
show_threads() {
    local pid task
    for pid; do
        for task in "/proc/$pid"/task/*; do
            echo "${task#/proc/}: $(cat "$task/comm") in $(cat "$task/wchan"), system call $(cat "$task/syscall")"
        done
    done
} 2>/dev/null

# watch SECONDS STEP: waits for `child`, measures its memory, and records its threads shortly before its limit.
# Leaves a process behind that even SIGKILL does not end, in a driver that waits for ever.
watch() {
    local limit=$1 began=$SECONDS shown=
    while kill -0 "$child" 2>/dev/null; do
        tree=()
        descend "$child"
        look_at_memory "${tree[@]}"
        if [ -z "$shown" ] && [ $((SECONDS - began)) -ge $((limit - 1)) ]; then
            shown=1
            show_threads "${tree[@]}" >"$logs/$2.threads"
        fi
        [ $((SECONDS - began)) -le $((limit + 9)) ] || return 137
        sleep 0.1
    done
    wait "$child"
} 2>/dev/null
# Traces that show why a GPU step has hung.
keep_traces() {
    timeout -k 2 8 nvidia-smi -q -d UTILIZATION,MEMORY,ECC,PIDS,PAGE_RETIREMENT >"$logs/$1.nvidia-smi" 2>&1
    timeout -k 2 5 dmesg 2>&1 | tail -n 60 >"$logs/$1.dmesg"
    shorten "$logs/$1.nvidia-smi"
}
# limit_of STEP SECONDS: the seconds that a step gets, into `limit`; false if too few are left.
limit_of() {
    local variable=GPU_CHECK_LIMIT_${1%%-*} left=$((TOTAL_SECONDS - SECONDS))
    limit=${!variable:-$2}
    [ "$limit" -le "$left" ] || limit=$left
    [ "$limit" -ge 2 ]
}

# step ON STEP SECONDS COMMAND…: runs a command in at most so many seconds; ON is gpu or cpu. STEP is its number
# and name. If it ends with 0, `verify` (a function, if set) has the last word, and adds to `words`. If it fails
# and has written the words `absent` (if set), its tool or device is not there, and the step is skipped.
# Leaves what it wrote in STEP.out and STEP.err.
step() {
    local on=$1 step=$2 limit began=$SECONDS code status line words=
    local verified=${verify:-} missing=${absent:-} out=$logs/$2.out err=$logs/$2.err
    verify= absent=
    if [ "$on" = gpu ] && [ "$hangs" -ge 2 ]; then
        note skipped "$step" "two GPU steps in a row have hung"
        return 1
    fi
    if ! limit_of "$step" "$3"; then
        failed=1
        note skipped "$step" "there is no time left"
        return 1
    fi
    shift 3
    running=$step peak_kib=0 peaks_kib=() names=()
    write_summary
    timeout -k 5 "$limit" "$@" >"$out" 2>"$err" </dev/null &
    child=$!
    watch "$limit" "$step"
    code=$?
    child=
    shorten "$out"
    shorten "$err"
    outcome
    show_memory >"$logs/$step.memory"
    # What a command that did not end well has left running would keep the GPU.
    [ "$status" = ok ] || kill -KILL "${!peaks_kib[@]}" 2>/dev/null
    words="$((SECONDS - began)) s, $((peak_kib / 1024)) MiB${words:+; $words}"
    [ "$status" = HUNG ] || rm -f "$logs/$step.threads"
    note "$status" "$step" "$words"
    if [ "$on" = gpu ]; then
        case $status in
        HUNG) hangs=$((hangs + 1)) && keep_traces "$step" ;;
        ok | FAILED | CRASHED) hangs=0 ;;
        esac
    fi
    write_archive
    [ "$status" = ok ]
}
# How the command of `step` has ended: `status` and `words`.
outcome() {
    if [ "$code" = 124 ] || { [ "$code" = 137 ] && [ $((SECONDS - began)) -ge "$limit" ]; }; then
        status=HUNG words="no end within $limit s"
    elif [ "$code" -gt 128 ]; then
        status=CRASHED words="signal $(kill -l $((code - 128)) 2>/dev/null || echo $((code - 128)))"
    elif [ "$code" != 0 ] && [ -n "$missing" ] && line_with "$missing" "$err" "$out"; then
        status=skipped words=${line:0:200}
    elif [ "$code" != 0 ]; then
        status=FAILED words="exit code $code: $(why "$step")"
    else
        status=ok
        [ -z "$verified" ] || "$verified" || status=FAILED
    fi
}

stop() {
    trap '' TERM INT HUP
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
    note FAILED "${running:-gpu-check}" "stopped by a signal"
    write_archive
    exit 1
}
finish() {
    local last="all is well"
    [ "$failed" = 0 ] || last="SOMETHING FAILED; the logs are in $archive"
    summary+=("$last")
    running=
    echo "$last"
    write_summary
    write_archive
    exit "$failed"
}
trap 'rm -rf "$work" "$results/.part"' EXIT
trap stop TERM INT HUP
# Go on even if nobody reads standard output any more.
trap : PIPE

# ── The binary and its files ─────────────────────────────────────────────────────────────────────────────────

find_binary() {
    if [ -f "$home/pack.tar.gz" ]; then
        mkdir -p "$work/pack" && timeout -k 5 60 tar -C "$work/pack" -xzf "$home/pack.tar.gz" || failed=1
        home=$work/pack
        binary=${MOLSIEVE:-$home/bin/molsieve}
    else
        home=$(dirname "$home")
        binary=${MOLSIEVE:-$home/target/release/molsieve}
    fi
    version=$(timeout -k 2 8 "$binary" --version 2>&1) && return
    note FAILED 0-start "$binary does not start: ${version:0:300}"
    finish
}

# begin: writes the head of the summary and removes the files of an earlier check.
begin() {
    if [ "$half" = second ]; then
        [ ! -f "$results/summary.txt" ] || mapfile -t summary <"$results/summary.txt"
    else
        rm -f "$results"/{doctor,ceilings,bench,scaling}.json "$results/bench.html" "$results"/logs{,-first,-second}.tar.gz
    fi
    summary+=("molsieve GPU check${half:+, $half half}, $(date -u +%Y-%m-%dT%H:%M:%SZ), $(uname -n)")
    find_binary
    summary+=("$version")
    printf '%s\n' "${summary[@]: -2}"
    # A bench that hangs has logged the figures that it had by then.
    export MOLSIEVE_LOG=${MOLSIEVE_LOG:-info}
    # Compiled kernels are kept in HOME by the driver; without it each process would compile them.
    if [ ! -w "${HOME:-}" ]; then
        export HOME=$work CUDA_CACHE_PATH=$work/cuda-cache
    fi
}

# ── 1: facts ─────────────────────────────────────────────────────────────────────────────────────────────────

show_facts() {
    echo "HOME=$HOME; $([ -w "$HOME" ] && echo writable || echo 'not writable')"
    echo "LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}"
    echo "CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-not set}"
    uname -a
    echo "processors: $(nproc)"
    while read -r name kib _; do
        case $name in MemTotal: | MemAvailable:) echo "$name $((kib / 1024)) MiB" ;; esac
    done </proc/meminfo
    echo "locked memory: $(ulimit -l) KiB"
    df -h "$work" "$HOME"
    ls -l /dev/nvidia* /dev/dri /usr/share/vulkan/icd.d /etc/vulkan/icd.d 2>&1
    ls -lL /usr/lib/x86_64-linux-gnu/libcuda.so* /usr/lib64/libcuda.so* /usr/local/cuda*/lib64/stubs/libcuda.so* \
        /usr/local/cuda*/compat/libcuda.so* 2>/dev/null
    while read -r library; do
        case $library in *libcuda* | *libnvidia-ml* | *libvulkan* | *libnvidia-glvkspirv*) echo "$library" ;; esac
    done < <(ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null)
    cat /proc/driver/nvidia/version 2>/dev/null
    command -v ncu compute-sanitizer nvidia-smi xz
    nvidia-smi
    nvidia-smi -q
    return 0
} 2>&1
export -f show_facts
export work

# The plan opens no device, so it reports at once what is missing. Its text has the memory of a job on cuda.
plan_names_device() {
    [[ $(contents "$logs/1-cuda.out") =~ \"engine_chosen\":\"([^\"]*) ]] && words=${BASH_REMATCH[1]}
}
first_step() {
    local line
    verify=plan_names_device
    step cpu 1-cuda 8 "$binary" plan --json --engine cuda --memory "${JOB_MEMORY_MIB}MiB" \
        --input "$home/examples/natural_products.csv" --rules "$home/examples/rules/natural_products.toml"
    if ! line_with "molsieve: engine cuda: " "$logs/1-cuda.err"; then
        step gpu 1-facts 15 bash -c show_facts
        return
    fi
    step cpu 1-facts 5 bash -c show_facts
    note FAILED gpu-check "there is no NVIDIA GPU to test: ${line#molsieve: }"
    finish
}

# ── 2, 3, 4, 6, 10, 11: doctor and bench ─────────────────────────────────────────────────────────────────────────

doctor_knows_cuda() {
    [[ $(contents "$logs/2-doctor.out") =~ \"device\":\"[^\"]*\",\"engine\":\"cuda\" ]] && return
    words="doctor names no device of the engine cuda"
    return 1
}
doctor_step() {
    verify=doctor_knows_cuda
    step gpu 2-doctor 60 "$binary" doctor --json "$work"
    publish 2-doctor.out doctor.json
}

# bench ON STEP LIMIT ENGINE SECONDS MAX_FILTER FLAG…
bench() {
    local on=$1 step=$2 limit=$3 engine=$4 seconds=${GPU_CHECK_SECONDS:-$5} filter=${GPU_CHECK_MAX_FILTER:-$6}
    shift 6
    step "$on" "$step" "$limit" "$binary" bench --engine "$engine" --seconds "$seconds" \
        --max-filter "$filter" --json "$@"
}
# The conclusions of a bench, one sentence per line.
add_sentences() {
    local sentences line
    sentences=$(contents "$1")
    [[ $sentences == *'"words":['* ]] || return 0
    sentences=${sentences#*'"words":["'}
    sentences=${sentences%%'"]'*}
    while IFS= read -r line; do
        summary+=("         $line")
        echo "         $line"
    done <<<"${sentences//'","'/$'\n'}"
    write_summary
}
small_benches() {
    bench gpu 3-ceilings 30 cuda 0.2 16GiB --only ceilings
    publish 3-ceilings.out ceilings.json
    bench gpu 4-bench 45 cuda 0.2 256MiB
    publish 4-bench.out bench.json
    add_sentences "$logs/4-bench.out"
}
large_bench() {
    bench gpu 6-bench-16GiB 100 cuda 0.5 16GiB --html "$logs/6-bench.html"
    publish 6-bench-16GiB.out bench.json
    if [ "$(stat -c %s "$logs/6-bench.html" 2>/dev/null || echo 0)" -lt $((2 << 20)) ]; then
        publish 6-bench.html bench.html
    fi
    rm -f "$logs/6-bench.html"
    add_sentences "$logs/6-bench-16GiB.out"
}
other_benches() {
    bench cpu 10-bench-cpu 40 cpu 0.2 256MiB
    absent="engine wgpu: there is no "
    bench gpu 10-bench-wgpu 20 wgpu 0.2 256MiB
}
# A job with one thread takes as many times the seconds as there are cores; so all jobs together take half a minute.
scaling_bench() {
    local hundredths=$((400 / $(nproc)))
    [ "$hundredths" -le 50 ] || hundredths=50
    [ "$hundredths" -ge 2 ] || hundredths=2
    local seconds
    printf -v seconds '0.%02d' "$hundredths"
    TMPDIR=$work step cpu 11-scaling 60 "$binary" bench --scaling --engine cpu --repeat 1 \
        --seconds "${GPU_CHECK_SECONDS:-$seconds}" --json --html "$logs/11-scaling.html"
    publish 11-scaling.out scaling.json
}

# ── 5: jobs ──────────────────────────────────────────────────────────────────────────────────────────────────

# A job fails if it ends on another engine than the one it was given.
job_kept_engine() {
    local manifest part engine=${job##*-}
    manifest=$(contents "$work/jobs/$job/manifest.json")
    part=\"engine\":\ *\"$engine\"
    if ! [[ $manifest =~ $part ]]; then
        words="it did not end on the engine $engine"
        [[ $manifest =~ \"engine_lost\":\ *\"([^\"]*) ]] && words+=": ${BASH_REMATCH[1]}"
        return 1
    fi
    part=\"keys_made_by\":\ *\"$engine\"
    if [ "${job%-*}" = dedup ] && ! [[ $manifest =~ $part ]]; then
        words="the engine $engine did not make its structure keys"
        return 1
    fi
    [[ $manifest =~ \"peak_memory_bytes\":\ *([0-9]+) ]] &&
        [ $((BASH_REMATCH[1] / 1024)) -gt "$peak_kib" ] && peak_kib=$((BASH_REMATCH[1] / 1024))
    return 0
}
# job ENGINE VERB FLAG…; its largest memory goes into `job_peak`, if it was started.
declare -A job_peak=()
job() {
    local engine=$1 verb=$2 job=$2-$1 on=gpu
    shift 2
    [ "$engine" = cuda ] || on=cpu
    verify=job_kept_engine
    peak_kib=0
    step "$on" "5-$job" 20 "$binary" "$verb" --engine "$engine" --memory "${JOB_MEMORY_MIB}MiB" \
        --output "$work/jobs/$job" --overwrite "$@"
    job_peak[$job]=$peak_kib
    cp "$work/jobs/$job/manifest.json" "$logs/5-$job.json" 2>/dev/null
}
# The checksums and names of a job's parts; none unless it is done.
parts() {
    [ -f "$work/jobs/$1/manifest.json" ] && (cd "$work/jobs/$1/products" && sha256sum -- part-*)
} 2>/dev/null
# What two jobs on cuda and cpu have written and taken.
compare() {
    local verb=$1 on_cpu on_cuda
    on_cpu=$(parts "$verb-cpu") on_cuda=$(parts "$verb-cuda")
    if [ -z "$on_cpu" ] || [ -z "$on_cuda" ]; then
        note skipped "5-$verb-same" "one of the two jobs is not done"
        return
    fi
    if [ "$on_cpu" = "$on_cuda" ]; then
        note ok "5-$verb-same" "cuda and cpu wrote the same bytes"
    else
        note FAILED "5-$verb-same" "cuda and cpu did not write the same bytes"
        printf '%s\n' "cpu:" "$on_cpu" "cuda:" "$on_cuda" >"$logs/5-$verb-same.out"
    fi
    compare_memory "$verb"
}
# The memory of a job's largest process, beside what its plan allows it.
compare_memory() {
    local verb=$1 on_cuda=$((${job_peak[$1-cuda]} / 1024)) on_cpu=$((${job_peak[$1-cpu]} / 1024)) status=ok
    local driver='an unknown share' plan='"bytes":([0-9]+),"detail":"the driver of the engine cuda"'
    [[ $(contents "$logs/1-cuda.out") =~ $plan ]] && driver="$((BASH_REMATCH[1] >> 20)) MiB"
    [ "$on_cuda" -le "$JOB_MEMORY_MIB" ] || status=FAILED
    note "$status" "5-$verb-memory" "VmHWM $on_cuda MiB on cuda, $on_cpu MiB on cpu: $((on_cuda - on_cpu)) MiB more, \
for which the plan has $driver (--memory $JOB_MEMORY_MIB MiB)"
}
jobs_step() {
    local library=$home/examples/natural_products.csv engine copy=$work/jobs/copy
    for engine in cuda cpu; do
        job "$engine" run --input "$library" --rules "$home/examples/rules/natural_products.toml"
    done
    compare run
    # Products of one run twice, so that half of the rows are repeats; whichever run there is.
    mkdir -p "$copy"
    cp "$work"/jobs/run-cpu/products/part-* "$copy" 2>/dev/null ||
        cp "$work"/jobs/run-cuda/products/part-* "$copy" 2>/dev/null || cp "$library" "$copy"
    cp -r "$copy" "$copy-2"
    for engine in cuda cpu; do
        job "$engine" dedup --input "$copy"/* --input "$copy-2"/* --check 1000
    done
    compare dedup
    write_archive
}

# ── 7, 8, 9: NVIDIA's tools ──────────────────────────────────────────────────────────────────────────────────

something_was_profiled() {
    [[ $(contents "$logs/$profiled.out")$(contents "$logs/$profiled.err") != *"No kernels were profiled"* ]] && return
    words="no launch was profiled"
    return 1
}
# profile KERNEL COMMAND…: ncu on the first launch of a kernel; clocks are left alone.
profile() {
    local kernel=$1 profiled=7-ncu-$1
    shift
    if ! command -v ncu >/dev/null; then
        note skipped "$profiled" "there is no ncu on the PATH, in /usr/local/cuda or /opt/nvidia"
        return
    fi
    verify=something_was_profiled
    # A container may not read the counters.
    absent=ERR_NVGPUCTRPERM
    step gpu "$profiled" 15 ncu --target-processes all --kernel-name "regex:^$kernel\$" --launch-count 1 \
        --clock-control none --section SpeedOfLight --section MemoryWorkloadAnalysis --section WarpStateStats \
        --section InstructionStats --section Occupancy --section LaunchStats "$binary" "$@"
}
profiles() {
    local seconds=${GPU_CHECK_SECONDS:-0.05}
    profile structure_key bench --engine cuda --only keys --seconds "$seconds"
    # A filter far larger than any cache, as in a large job.
    local large_run=(run --engine cuda --memory "${JOB_MEMORY_MIB}MiB" --expected-products 60000000
        --input "$home/examples/natural_products.csv" --rules "$home/examples/rules/natural_products.toml"
        --output "$work/jobs/profiled" --overwrite)
    profile look_up "${large_run[@]}"
    profile insert_new "${large_run[@]}"
}
# Where toolkits leave them, if they are not on the PATH.
find_tools() {
    local folder
    for folder in /usr/local/cuda*/bin /usr/local/cuda*/compute-sanitizer /opt/nvidia/nsight-compute/*; do
        [ ! -d "$folder" ] || PATH+=:$folder
    done
}
# sanitize TOOL STEP LIMIT DOCTOR_FLAG…
sanitize() {
    local tool=$1 step=$2 limit=$3
    shift 3
    if ! command -v compute-sanitizer >/dev/null; then
        note skipped "$step" "there is no compute-sanitizer on the PATH or in /usr/local/cuda"
        return
    fi
    step gpu "$step" "$limit" compute-sanitizer --tool "$tool" --error-exitcode 9 --print-limit 50 \
        "$binary" doctor --engine cuda "$@" "$work"
}

# ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

begin
find_tools
first_step
if [ "$half" != second ]; then
    doctor_step
    small_benches
    jobs_step
fi
if [ "$half" != first ]; then
    large_bench
    profiles
    sanitize memcheck 8-memcheck 90
    sanitize racecheck 9-racecheck 60 --quick
    other_benches
    scaling_bench
fi
finish
