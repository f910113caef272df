//! Small file systems that a test can fill.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use super::{process::Folder, skip::skipped};

/// The kind of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Tmpfs,
    /// In an image, on a loop device.
    Ext4,
}

/// A small file system, mounted for the time of a test.
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts a file system of this many MiB at a new folder. Reports a skip if this machine does not permit it; where it
    /// has no loop devices, the file system is a tmpfs.
    pub fn mount(folder: &Folder, name: &str, kind: Kind, mib: u64) -> Option<Self> {
        let path = folder.path(name);
        fs::create_dir(&path).unwrap();
        let mounted = match kind {
            Kind::Tmpfs => false,
            Kind::Ext4 => mount_ext4(&folder.path(&format!("{name}.img")), &path, mib),
        };
        let tmpfs = || {
            let options = format!("size={mib}m,mode=0700");
            runs("mount", &["-t", "tmpfs", "-o", &options, "tmpfs"], &path)
        };
        if !mounted && !tmpfs() {
            skipped("no small file system: this machine does not permit mount");
            return None;
        }
        Some(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Fills it, but for about this many bytes.
    pub fn fill(&self, left: u64) {
        let options = || {
            let mut options = OpenOptions::new();
            options.append(true).create(true).mode(0o600);
            options
        };
        let mut file = options().open(self.filler()).unwrap();
        for size in [64 << 10, 4 << 10] {
            let block = vec![0x5a; size];
            while file.write_all(&block).is_ok() {}
        }
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(left)).unwrap();
        // With delayed allocation, what is truncated may be allocated only now.
        file.sync_all().ok();
    }

    /// Removes what filled it.
    pub fn free(&self) {
        fs::remove_file(self.filler()).ok();
        File::open(&self.path).unwrap().sync_all().ok();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        runs("umount", &["-l"], &self.path);
    }
}

fn mount_ext4(image: &Path, path: &Path, mib: u64) -> bool {
    File::create(image).unwrap().set_len(mib << 20).unwrap();
    let made = runs("mke2fs", &["-q", "-t", "ext4", "-m", "0"], image);
    let image = image.to_str().unwrap();
    made && runs("mount", &["-o", "loop", image], path)
        && fs::remove_dir(path.join("lost+found")).is_ok()
}

fn runs(program: &str, args: &[&str], path: &Path) -> bool {
    let run = Command::new(program).args(args).arg(path).output();
    run.is_ok_and(|run| run.status.success())
}
