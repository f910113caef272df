//! Whether a device is fit for jobs. Pure: judges what NVML has reported.

use std::fmt;

use super::NvidiaDevice;

/// Degrees by which a device that was too hot must be below the limit to count as cool again.
pub const COOLER_BY_CELSIUS: u32 = 5;

/// Why a device is not fit for jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// NVML does not report it.
    Missing,
    /// NVML can't reach it, for example because it has fallen off the bus; the reason in one line.
    Fault(String),
    /// Memory errors that could not be corrected, since the driver was loaded.
    Errors(u64),
    /// It is too hot.
    Hot {
        /// Its temperature.
        celsius: u32,
        /// The temperature from which on it is too hot.
        limit: u32,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the NVIDIA driver does not report it"),
            Self::Fault(reason) => f.write_str(reason),
            Self::Errors(1) => f.write_str("1 uncorrected memory error; reset the GPU"),
            Self::Errors(errors) => {
                write!(f, "{errors} uncorrected memory errors; reset the GPU")
            }
            Self::Hot { celsius, limit } => {
                write!(f, "{celsius} °C, and from {limit} °C on it is too hot")
            }
        }
    }
}

impl Trouble {
    /// Whether both are of one kind: what changes of it from look to look is no news.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl NvidiaDevice {
    /// Why it is not fit for jobs, if it is not. It is too hot from `hot_celsius` on, by default from the temperature on
    /// at which it reduces its own clocks. `before`: the trouble that it had at the last look.
    pub fn trouble(&self, hot_celsius: Option<u32>, before: Option<&Trouble>) -> Option<Trouble> {
        if let Some(fault) = &self.fault {
            return Some(Trouble::Fault(fault.clone()));
        }
        if let Some(errors @ 1..) = self.uncorrected_errors {
            return Some(Trouble::Errors(errors));
        }
        let (celsius, limit) = (
            self.temperature_celsius?,
            hot_celsius.or(self.slowdown_celsius)?,
        );
        let was_hot = matches!(before, Some(Trouble::Hot { .. }));
        let cool_below = match was_hot {
            true => limit.saturating_sub(COOLER_BY_CELSIUS),
            false => limit,
        };
        (celsius >= cool_below).then_some(Trouble::Hot { celsius, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_unfit_as_long_as_something_is_wrong_with_it() {
        let well = NvidiaDevice {
            temperature_celsius: Some(60),
            slowdown_celsius: Some(90),
            uncorrected_errors: Some(0),
            ..NvidiaDevice::default()
        };
        let hot = |celsius, limit| Some(Trouble::Hot { celsius, limit });
        let at = |celsius| NvidiaDevice {
            temperature_celsius: Some(celsius),
            ..well.clone()
        };
        let before = hot(95, 90);
        for (device, limit, before, expected) in [
            (well.clone(), None, None, None),
            (at(89), None, None, None),
            (at(90), None, None, hot(90, 90)),
            (at(60), Some(60), None, hot(60, 60)),
            // It must be a little cooler to come back.
            (at(85), None, before.as_ref(), hot(85, 90)),
            (at(84), None, before.as_ref(), None),
            (at(85), None, Some(&Trouble::Missing), None),
            // What is not known is not held against it.
            (NvidiaDevice::default(), None, None, None),
            (
                NvidiaDevice {
                    slowdown_celsius: None,
                    ..at(120)
                },
                None,
                None,
                None,
            ),
            (
                NvidiaDevice {
                    uncorrected_errors: Some(2),
                    ..at(120)
                },
                None,
                None,
                Some(Trouble::Errors(2)),
            ),
            (
                NvidiaDevice {
                    fault: Some("it is lost".into()),
                    uncorrected_errors: Some(2),
                    ..at(120)
                },
                None,
                None,
                Some(Trouble::Fault("it is lost".into())),
            ),
        ] {
            assert_eq!(device.trouble(limit, before), expected, "{device:?}");
        }
    }
}
