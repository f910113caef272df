//! What the machine and its kernel say: memory there is, memory in use.

use std::fs;

use crate::units::ByteSize;

/// Memory this process may use: what the machine has, or what its cgroup allows if that is less.
pub fn memory_limit() -> ByteSize {
    let machine = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| kilobytes_after(&text, "MemTotal:"))
        .unwrap_or(1 << 30);
    ByteSize(cgroup_limits().into_iter().fold(machine, u64::min))
}

/// Largest resident memory of this process so far (VmHWM), bytes.
pub fn peak_memory_bytes() -> u64 {
    status("VmHWM:")
}

/// Resident memory of this process now (VmRSS), bytes.
pub fn memory_bytes() -> u64 {
    status("VmRSS:")
}

fn status(field: &str) -> u64 {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|text| kilobytes_after(&text, field))
        .unwrap_or(0)
}

fn kilobytes_after(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim()
        .trim_end_matches("kB")
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kilobytes| kilobytes << 10)
}

/// `memory.max` of the process's cgroup and of every one above it (version 2).
fn cgroup_limits() -> Vec<u64> {
    let Ok(text) = fs::read_to_string("/proc/self/cgroup") else {
        return Vec::new();
    };
    let Some(group) = text.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return Vec::new();
    };
    let root = std::path::Path::new("/sys/fs/cgroup");
    root.join(group)
        .ancestors()
        .take_while(|folder| folder.starts_with(root))
        .filter_map(|folder| fs::read_to_string(folder.join("memory.max")).ok())
        .filter_map(|limit| limit.trim().parse().ok())
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
    fn fields_are_found_by_their_whole_name() {
        let text = "VmPeak:\t  100 kB\nVmHWM:\t   20 kB\n";
        assert_eq!(kilobytes_after(text, "VmHWM:"), Some(20 << 10));
        assert_eq!(kilobytes_after(text, "VmRSS:"), None);
    }
}
