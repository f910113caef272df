//! Facts about the machine, from its kernel: memory, memory in use, processors, file systems.

use std::{
    fs, io,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{
            AtomicI32, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::units::ByteSize;

/// The CPU time that one thread has used for a piece of work. The thread starts and stops the clock, without a call
/// into the kernel; another thread reads the clock from time to time. Time counts from the first reading during a piece
/// of work, so up to the time between two readings is missed.
#[derive(Debug, Default)]
pub struct WorkClock {
    thread: AtomicI32,
    /// Grows with each start and stop; odd while the thread works.
    turn: AtomicU64,
    /// The piece of work that was read last, and the thread's CPU time then.
    seen: Mutex<(u64, Duration)>,
}

impl WorkClock {
    /// Starts the clock for the calling thread. Another thread may start it only after a stop.
    pub fn restart(&self) {
        thread_local!(static THREAD: i32 = nix::unistd::gettid().as_raw());
        self.thread.store(THREAD.with(|thread| *thread), Relaxed);
        let turn = self.turn.load(Relaxed);
        self.turn.store(turn + 1 + (turn & 1), Release);
    }

    /// Stops the clock.
    pub fn stop(&self) {
        let turn = self.turn.load(Relaxed);
        self.turn.store(turn + (turn & 1), Release);
    }

    /// CPU time used since the first reading during this piece of work; `None` while stopped.
    pub fn used(&self) -> Option<Duration> {
        let turn = self.turn.load(Acquire);
        if turn & 1 == 0 {
            return None;
        }
        let now = cpu_time(self.thread.load(Relaxed))?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != turn {
            *seen = (turn, now);
        }
        Some(now.saturating_sub(seen.1))
    }
}

/// CPU time of a thread of this process.
fn cpu_time(thread: i32) -> Option<Duration> {
    // As in pthread_getcpuclockid: CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED in the low bits.
    let clock = ClockId::from_raw((!thread << 3) | 0b110);
    clock_gettime(clock).ok().map(Duration::from)
}

/// CPU time that the calling thread has used.
pub fn thread_cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// CPU time that all threads of this process have used.
pub fn process_cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Memory that this process may use: that of the machine, or the limit of its cgroup if that is less.
pub fn memory_limit() -> ByteSize {
    let machine = kilobytes_in("/proc/meminfo", "MemTotal:").unwrap_or(1 << 30);
    ByteSize(cgroup_limits().into_iter().fold(machine, u64::min))
}

/// Processors that this process may use: those it may run on, or the CPU time of its cgroup if that is less.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A machine, as measurements name it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// The processors' model.
    pub processor: String,
    /// Processors this process may use.
    pub processors: usize,
    /// Memory this process may use.
    pub memory_bytes: u64,
    /// The kernel, for example `Linux 6.1.0`.
    pub kernel: String,
}

/// The machine this process runs on.
pub fn look() -> Machine {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let model = text("/proc/cpuinfo").lines().find_map(|line| {
        let (field, model) = line.split_once(':')?;
        (field.trim() == "model name").then(|| model.trim().to_owned())
    });
    let release = text("/proc/sys/kernel/osrelease");
    Machine {
        processor: model.unwrap_or_else(|| "unknown processor".into()),
        processors: processors(),
        memory_bytes: memory_limit().0,
        kernel: format!("Linux {}", release.trim()).trim().to_owned(),
    }
}

/// The resources of a machine, and the limits that cgroups set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// Memory of the machine.
    pub memory_bytes: u64,
    /// Limit of the cgroups of this process; `None` if there is none.
    pub cgroup_memory_bytes: Option<u64>,
    /// Processors this process may run on.
    pub processors: usize,
    /// CPU time that the cgroups allow, in processors; `None` if there is no limit.
    pub cgroup_processors: Option<f64>,
    /// Memory this process may lock (`ulimit -l`); `None` if there is no limit.
    pub locked_memory_bytes: Option<u64>,
}

impl Limits {
    /// The limits of this process.
    pub fn look() -> Self {
        let locked = rustix::process::getrlimit(rustix::process::Resource::Memlock);
        Self {
            memory_bytes: kilobytes_in("/proc/meminfo", "MemTotal:").unwrap_or(0),
            cgroup_memory_bytes: cgroup_limits().into_iter().min(),
            processors: processors(),
            cgroup_processors: cgroup_files("cpu.max")
                .iter()
                .filter_map(|limit| processors_in(limit))
                .reduce(f64::min),
            locked_memory_bytes: locked.current,
        }
    }
}

/// The number of processors that `cpu.max` allows: microseconds of CPU time per period.
fn processors_in(limit: &str) -> Option<f64> {
    let (time, period) = limit.trim().split_once(' ')?;
    let [time, period] = [time, period].map(|text| text.parse::<f64>().ok());
    Some(time? / period?)
}

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileSystem {
    /// Its type as the kernel names it, for example `ext4`.
    pub kind: String,
    /// Where it is mounted.
    pub mounted_at: String,
    /// Its size.
    pub bytes: u64,
    /// Bytes that this user may still write.
    pub free_bytes: u64,
}

impl FileSystem {
    /// The file system of `path`, which must exist.
    pub fn of(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let space = rustix::fs::statvfs(&path)?;
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let (kind, mounted_at) = mount_of(&mounts, &path).unwrap_or_default();
        Ok(Self {
            kind,
            mounted_at,
            bytes: space.f_blocks * space.f_frsize,
            free_bytes: space.f_bavail * space.f_frsize,
        })
    }
}

/// Type and mount point of the file system of `path`: the deepest mount, and of several the last.
fn mount_of(mounts: &str, path: &Path) -> Option<(String, String)> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        // A blank in a path is written as \040.
        let at = fields.next()?.replace("\\040", " ");
        Some((fields.next()?.to_owned(), at))
    });
    mounts
        .filter(|(_, at)| path.starts_with(at))
        .max_by_key(|(_, at)| at.len())
}

/// Available memory of the machine, as the kernel estimates it.
pub fn memory_available_bytes() -> Option<u64> {
    kilobytes_in("/proc/meminfo", "MemAvailable:")
}

/// Largest resident memory of this process so far (VmHWM), bytes.
pub fn peak_memory_bytes() -> u64 {
    kilobytes_in("/proc/self/status", "VmHWM:").unwrap_or(0)
}

/// Resident memory of this process now (VmRSS), bytes.
pub fn memory_bytes() -> u64 {
    kilobytes_in("/proc/self/status", "VmRSS:").unwrap_or(0)
}

fn kilobytes_in(file: &str, field: &str) -> Option<u64> {
    kilobytes_after(&fs::read_to_string(file).ok()?, field)
}

/// The value of a field in bytes.
fn kilobytes_after(text: &str, field: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes = value.trim().trim_end_matches("kB").trim();
    Some(kilobytes.parse::<u64>().ok()? << 10)
}

/// `memory.max` of the process's control group and of every one above it.
fn cgroup_limits() -> Vec<u64> {
    cgroup_files("memory.max")
        .iter()
        .filter_map(|limit| limit.trim().parse().ok())
        .collect()
}

/// The file of this name in the process's control group and in every one above it (version 2).
fn cgroup_files(name: &str) -> Vec<String> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(group) = text.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return Vec::new();
    };
    let root = Path::new("/sys/fs/cgroup");
    root.join(group)
        .ancestors()
        .take_while(|folder| folder.starts_with(root))
        .filter_map(|folder| fs::read_to_string(folder.join(name)).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_in_use_is_seen() {
        let ballast = std::hint::black_box(vec![1u8; 64 << 20]);
        assert!(memory_bytes() >= ballast.len() as u64);
        assert!(peak_memory_bytes() >= ballast.len() as u64);
        assert!(memory_limit().0 > ballast.len() as u64);
    }

    #[test]
    fn limits_are_those_of_this_process() {
        let limits = Limits::look();
        assert!(limits.memory_bytes >= memory_limit().0);
        assert!(limits.processors >= 1);
        let machine = look();
        assert_eq!(machine.processors, limits.processors);
        assert!(!machine.processor.is_empty() && machine.kernel.starts_with("Linux "));
        assert_eq!(processors_in("150000 100000\n"), Some(1.5));
        assert_eq!(processors_in("max 100000\n"), None);
    }

    #[test]
    fn a_path_is_on_the_deepest_mount_above_it() {
        let mounts = "a / ext4 rw 0 0\nb /data xfs rw 0 0\nc /data/my\\040disk nfs4 rw 0 0\n\
                      d /data xfs rw 0 0\n";
        for (path, kind, at) in [
            ("/database/x", "ext4", "/"),
            ("/data/x", "xfs", "/data"),
            ("/data/my disk/x", "nfs4", "/data/my disk"),
        ] {
            let expected = Some((kind.to_owned(), at.to_owned()));
            assert_eq!(mount_of(mounts, Path::new(path)), expected, "{path}");
        }
        let here = FileSystem::of(Path::new(".")).unwrap();
        assert!(
            here.bytes >= here.free_bytes && !here.kind.is_empty(),
            "{here:?}"
        );
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "VmPeak:\t  100 kB\nVmHWM:\t   20 kB\n";
        assert_eq!(kilobytes_after(text, "VmHWM:"), Some(20 << 10));
        assert_eq!(kilobytes_after(text, "VmRSS:"), None);
    }
}
