//! The macro that makes every type of a setting from the one list in `settings`.
//!
//! An entry of the list:
//!
//! ```text
//! /// First paragraph: what -h says
//! ///
//! /// Further paragraphs: what --help and OpenAPI say too
//! #[arg(clap's attributes)]
//! #[same_on_resume(true)]  the files of a job depend on it
//! #[serde(alias = "…")]  optional
//! name: Option<Type>, in LEAST..=MOST, else DEFAULT;
//! ```
//!
//! `name` is the key in job files and HTTP bodies, and the field of [`JobSettings`](super::JobSettings) and
//! [`JobSpec`](super::JobSpec). `in` is checked, and stands in the OpenAPI schema. With `else` the checked
//! type is `Type`, and `DEFAULT` is its value where none is given.

/// Type of a checked setting.
macro_rules! checked_type {
    ($type:ty) => {
        $type
    };
    ($type:ty, $default:expr) => {
        <$type as $crate::config::value::Given>::Value
    };
}

/// A checked setting from one that may be given.
macro_rules! checked_value {
    ($given:expr) => {
        $given
    };
    ($given:expr, $default:expr) => {
        match $given {
            Some(value) => value,
            None => $default,
        }
    };
}

/// The reverse.
macro_rules! given_value {
    ($checked:expr) => {
        $checked.clone()
    };
    ($checked:expr, $default:expr) => {
        Some($checked.clone())
    };
}

/// The name of a setting whose identifier may be raw (`r#where`).
pub(super) const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// Defines all types of settings. `common` settings belong to every job; each further group to the task it
/// names.
macro_rules! settings {
    (
        $(#[doc = $common_doc:tt])*
        common $CommonFlags:ident {
            $(
                $(#[doc = $doc:tt])*
                #[arg $arg:tt]
                #[same_on_resume($same:literal)]
                $(#[serde $serde:tt])?
                $name:ident: $type:ty $(, in $range:expr)? $(, else $default:expr)?;
            )*
        }
        $(
            $(#[doc = $work_doc:tt])*
            $task:ident $Flags:ident, $Work:ident {
                $(
                    $(#[doc = $own_doc:tt])*
                    #[arg $own_arg:tt]
                    #[same_on_resume($own_same:literal)]
                    $own:ident: $own_type:ty $(, in $own_range:expr)? $(, else $own_default:expr)?;
                )*
            }
        )*
    ) => {
        $(#[doc = $common_doc])*
        #[derive(clap::Args, Clone, Debug, Default, PartialEq)]
        pub struct $CommonFlags {
            $(
                $(#[doc = $doc])*
                #[arg $arg]
                pub $name: $type,
            )*
        }

        impl From<$CommonFlags> for JobSettings {
            fn from(flags: $CommonFlags) -> Self {
                Self {
                    $( $name: flags.$name, )*
                    ..Self::default()
                }
            }
        }

        $(
            $(#[doc = $work_doc])*
            ///
            /// The flags of its subcommand.
            #[derive(clap::Args, Clone, Debug, Default, PartialEq)]
            pub struct $Flags {
                /// What every job has.
                #[command(flatten)]
                pub common: $CommonFlags,
                $(
                    $(#[doc = $own_doc])*
                    #[arg $own_arg]
                    pub $own: $own_type,
                )*
                /// What to do with files in the output directory.
                #[command(flatten)]
                pub mode: ModeFlags,
            }

            impl From<$Flags> for JobSettings {
                fn from(flags: $Flags) -> Self {
                    Self {
                        $( $own: flags.$own, )*
                        overwrite: flags.mode.overwrite,
                        resume: flags.mode.resume,
                        ..flags.common.into()
                    }
                }
            }

            $(#[doc = $work_doc])*
            ///
            /// Its checked settings.
            #[derive(Clone, Debug, PartialEq)]
            pub struct $Work {
                $(
                    $(#[doc = $own_doc])*
                    pub $own: checked_type!($own_type $(, $own_default)?),
                )*
            }
        )*

        /// Everything a job can be given, as in a job file or an HTTP body: every setting is optional.
        /// [`JobSettings::check`] makes a [`JobSpec`] of it.
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct JobSettings {
            /// What the job does; `molsieve dedup` sets it.
            #[serde(skip_serializing_if = "Given::is_unset")]
            pub task: Option<Task>,
            $(
                $(#[doc = $doc])*
                $(#[serde $serde])?
                #[serde(skip_serializing_if = "Given::is_unset")]
                pub $name: $type,
            )*
            $($(
                $(#[doc = $own_doc])*
                #[serde(skip_serializing_if = "Given::is_unset")]
                pub $own: $own_type,
            )*)*
            /// Whether the job may replace the files of an earlier one. Not part of a job file.
            #[serde(skip)]
            pub overwrite: bool,
            /// Whether to continue from the last checkpoint. Not part of a job file.
            #[serde(skip)]
            pub resume: bool,
            /// The job file the settings were read from, if any.
            #[serde(skip)]
            pub job_file: Option<PathBuf>,
        }

        /// A checked job: every setting is in its range, and every default is filled in. Whether its files
        /// can be used is known when they are opened, whether it fits its budget when it is planned.
        #[derive(Clone, Debug, PartialEq)]
        pub struct JobSpec {
            $(
                $(#[doc = $doc])*
                pub $name: checked_type!($type $(, $default)?),
            )*
            /// What the job does.
            pub work: Work,
            /// Whether the job may replace the files of an earlier one.
            pub overwrite: bool,
            /// Whether to continue from the last checkpoint.
            pub resume: bool,
        }

        /// What a job does, with the settings that only this kind of job has.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Work {
            $(
                $(#[doc = $work_doc])*
                $task(Box<$Work>),
            )*
        }

        impl JobSettings {
            /// All settings, in the order in which they are written.
            pub(super) const ALL: &[SettingInfo] = &[
                $( SettingInfo {
                    name: plain(stringify!($name)),
                    documentation: concat!($($doc, "\n"),*),
                    task: None,
                    same_on_resume: $same,
                    unset: <$type as Given>::UNSET,
                    schema: || <$type as Given>::schema(None $(.or(Some($range)))?),
                }, )*
                $($( SettingInfo {
                    name: plain(stringify!($own)),
                    documentation: concat!($($own_doc, "\n"),*),
                    task: Some(Task::$task),
                    same_on_resume: $own_same,
                    unset: <$own_type as Given>::UNSET,
                    schema: || <$own_type as Given>::schema(None $(.or(Some($own_range)))?),
                }, )*)*
            ];

            /// The settings that are given.
            pub(super) fn given(&self) -> impl Iterator<Item = &'static SettingInfo> {
                let given = [
                    $( !self.$name.is_unset(), )*
                    $($( !self.$own.is_unset(), )*)*
                ];
                Self::ALL.iter().zip(given).filter_map(|(info, given)| given.then_some(info))
            }

            /// These settings where they are given, else those of `file`.
            pub fn over(self, file: Self) -> Self {
                Self {
                    task: self.task.or(file.task),
                    $( $name: Given::or(self.$name, file.$name), )*
                    $($( $own: Given::or(self.$own, file.$own), )*)*
                    overwrite: self.overwrite,
                    resume: self.resume,
                    job_file: self.job_file.or(file.job_file),
                }
            }

            /// Refuses values out of range.
            pub fn check_ranges(&self) -> Result<(), ConfigError> {
                $($( self.$name.map(|value| within(plain(stringify!($name)), value, &($range))).transpose()?; )?)*
                $($($( self.$own.map(|value| within(plain(stringify!($own)), value, &($own_range))).transpose()?; )?)*)*
                Ok(())
            }

            /// The job, with the settings of its task alone. To be called after the checks.
            pub(super) fn into_spec(self) -> Result<JobSpec, ConfigError> {
                let work = match self.task.unwrap_or_default() {
                    $( Task::$task => Work::$task(Box::new($Work {
                        $( $own: checked_value!(self.$own $(, $own_default)?), )*
                    })), )*
                };
                Ok(JobSpec {
                    $( $name: checked_value!(self.$name $(, $default)?), )*
                    work,
                    overwrite: self.overwrite,
                    resume: self.resume,
                })
            }
        }

        impl JobSpec {
            /// The settings that make this job: the reverse of [`JobSettings::check`].
            pub fn settings(&self) -> JobSettings {
                let common = JobSettings {
                    $( $name: given_value!(self.$name $(, $default)?), )*
                    overwrite: self.overwrite,
                    resume: self.resume,
                    ..JobSettings::default()
                };
                match &self.work {
                    $( Work::$task(work) => JobSettings {
                        task: Some(Task::$task),
                        $( $own: given_value!(work.$own $(, $own_default)?), )*
                        ..common
                    }, )*
                }
            }
        }
    };
}

pub(super) use {checked_type, checked_value, given_value, settings};
