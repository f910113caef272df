use super::*;
use crate::nvidia::NvidiaSlice;

const GIB: u64 = 1 << 30;

fn device(uuid: &str) -> NvidiaDevice {
    NvidiaDevice {
        uuid: Some(uuid.into()),
        memory_bytes: Some(16 * GIB),
        temperature_celsius: Some(50),
        slowdown_celsius: Some(90),
        uncorrected_errors: Some(0),
        ..NvidiaDevice::default()
    }
}

fn divided(uuid: &str, slices: &[&str]) -> NvidiaDevice {
    let slice = |uuid: &&str| NvidiaSlice {
        uuid: Some((*uuid).into()),
        memory_bytes: Some(5 * GIB),
        free_bytes: None,
    };
    NvidiaDevice {
        mig: Some(true),
        slices: slices.iter().map(slice).collect(),
        ..device(uuid)
    }
}

fn hot(mut device: NvidiaDevice, celsius: u32) -> NvidiaDevice {
    device.temperature_celsius = Some(celsius);
    device
}

fn named(names: &[&str]) -> GpuPolicy {
    GpuPolicy {
        chosen: names.iter().map(|name| name.parse().unwrap()).collect(),
        ..GpuPolicy::default()
    }
}

fn uuids(gpus: &Gpus) -> Vec<&str> {
    let uuid = |gpu| Gpu::uuid_or_name(gpu);
    gpus.gpus.iter().map(uuid).collect()
}

impl Gpu {
    fn uuid_or_name(&self) -> &str {
        self.uuid.as_deref().unwrap_or(&self.name)
    }
}

#[test]
fn gpus_are_named_by_uuid_index_or_slice() {
    for text in ["GPU-1b2c", "MIG-99", "0", "3:1"] {
        assert_eq!(text.parse::<GpuName>().unwrap().to_string(), text);
    }
    for text in ["", "A100", "-1", "1:", "gpu-1", "0:x"] {
        assert_eq!(text.parse::<GpuName>(), Err(NoGpuName(text.into())));
    }
}

#[test]
fn the_gpus_are_the_first_ones_or_those_that_are_named() {
    let node = [
        device("GPU-a"),
        divided("GPU-b", &["MIG-b0", "MIG-b1"]),
        device("GPU-c"),
    ];
    assert_eq!(count(&node), 4);
    for (policy, count, expected) in [
        (named(&[]), 4, vec!["GPU-a", "MIG-b0", "MIG-b1", "GPU-c"]),
        (named(&[]), 2, vec!["GPU-a", "MIG-b0"]),
        // More than NVML knows: of another vendor.
        (
            named(&[]),
            5,
            vec!["GPU-a", "MIG-b0", "MIG-b1", "GPU-c", "4"],
        ),
        (named(&["2", "0"]), 9, vec!["GPU-c", "GPU-a"]),
        (
            named(&["GPU-c", "2", "MIG-b1", "1:1"]),
            0,
            vec!["GPU-c", "MIG-b1"],
        ),
        // A divided device itself takes no job.
        (named(&["1", "GPU-b", "1:5"]), 0, vec!["1", "GPU-b", "1:5"]),
    ] {
        let gpus = Gpus::choose(policy, count, &node);
        assert_eq!(uuids(&gpus), expected);
    }
    let gpus = Gpus::choose(named(&["1", "GPU-z"]), 0, &node);
    let troubles: Vec<_> = gpus.gpus.iter().map(|gpu| gpu.trouble.clone()).collect();
    assert_eq!(troubles, [Some(Trouble::Missing), Some(Trouble::Missing)]);
    // Without NVML nothing is known of a GPU, and nothing is wrong with it.
    let gpus = Gpus::choose(named(&[]), 1, &[]);
    assert_eq!(gpus.gpus[0].trouble, None);
    assert_eq!(gpus.left([]).find(GIB), Some(0));
}

#[test]
fn an_unfit_gpu_is_left_out_and_comes_back_and_each_is_said_once() {
    let (a, b) = (device("GPU-a"), device("GPU-b"));
    let mut gpus = Gpus::choose(named(&[]), 2, &[a.clone(), b.clone()]);
    let lost = NvidiaDevice {
        fault: Some("the GPU has fallen off the bus".into()),
        ..b.clone()
    };
    let faulty = NvidiaDevice {
        uncorrected_errors: Some(3),
        ..b.clone()
    };
    let well = "GPU GPU-b is well and takes jobs again";
    for (now, said, takes) in [
        (vec![a.clone(), b.clone()], "", true),
        (
            vec![a.clone(), hot(b.clone(), 91)],
            "GPU GPU-b takes no further job: 91 °C, and from 90 °C on it is too hot",
            false,
        ),
        (vec![a.clone(), hot(b.clone(), 93)], "", false),
        (vec![a.clone(), hot(b.clone(), 86)], "", false),
        (vec![a.clone(), hot(b.clone(), 84)], well, true),
        (
            vec![a.clone(), faulty],
            "GPU GPU-b takes no further job: 3 uncorrected memory errors; reset the GPU",
            false,
        ),
        (
            vec![a.clone(), lost],
            "GPU GPU-b still takes no job: the GPU has fallen off the bus",
            false,
        ),
        // It is gone, and the first one has its index.
        (
            vec![a.clone()],
            "GPU GPU-b still takes no job: the NVIDIA driver does not report it",
            false,
        ),
        (vec![b.clone(), a.clone()], well, true),
    ] {
        assert_eq!(gpus.see(&now).join("\n"), said);
        let left = gpus.left([(0, 0)]);
        assert_eq!(left.find(0), takes.then_some(1), "{said}");
        assert!(left.could_take(0));
        assert_eq!(gpus.shown(&[1])[1].left_out.is_none(), takes);
    }
    // The slices of a device share its health.
    let node = [divided("GPU-d", &["MIG-d0", "MIG-d1"])];
    let mut gpus = Gpus::choose(named(&[]), 2, &node);
    let hot = [hot(node[0].clone(), 95)];
    assert_eq!(gpus.see(&hot).len(), 2);
    assert!(!gpus.left([]).could_take(0));
}

#[test]
fn a_gpu_has_one_job_unless_jobs_share_it() {
    let node = [device("GPU-a"), device("GPU-b")];
    let gpus = Gpus::choose(named(&[]), 2, &node);
    assert_eq!(
        gpus.left([]).find(99 * GIB),
        Some(0),
        "the job finds out what fits"
    );
    assert_eq!(gpus.left([(0, 0)]).find(0), Some(1));
    assert_eq!(gpus.left([(0, 0), (1, 0)]).find(0), None);
    let shared = GpuPolicy {
        jobs_each: 3,
        ..GpuPolicy::default()
    };
    assert_eq!(shared.places(2), 6);
    let gpus = Gpus::choose(shared, 6, &node);
    assert_eq!(gpus.gpus.len(), 2);
    // Jobs spread over the GPUs, and go where there is room.
    assert_eq!(gpus.left([(0, 10 * GIB)]).find(GIB), Some(1));
    assert_eq!(
        gpus.left([(1, 10 * GIB), (1, GIB), (0, 12 * GIB)])
            .find(5 * GIB),
        Some(1)
    );
    let full = gpus.left([(0, 10 * GIB), (1, 12 * GIB)]);
    assert_eq!(full.find(6 * GIB), Some(0));
    assert_eq!(full.find(7 * GIB), None);
    assert!(full.could_take(16 * GIB) && !full.could_take(17 * GIB));
    let three = gpus.left([(0, 1), (0, 1), (0, 1), (1, 16 * GIB)]);
    assert_eq!(three.find(1), None, "three on one, no memory on the other");
    assert_eq!(gpus.shown(&[0, 0, 1])[0].jobs, 2);
}
