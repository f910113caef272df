//! The macro that makes every type of a setting of the daemon from the one list in `list`.
//!
//! An entry of the list:
//!
//! ```text
//! /// First paragraph: what -h says
//! ///
//! /// Further paragraphs: what --help says too
//! #[arg(clap's attributes)]
//! #[reload(true)]  a reload applies it; otherwise it needs a restart
//! name: Type, in LEAST..=MOST, else DEFAULT;
//! ```
//!
//! `name` is the key in the file, and the flag with hyphens. `in` is checked. Without `else` the value is an
//! option.

/// Type of a resolved setting.
macro_rules! resolved_type {
    ($type:ty) => {
        Option<$type>
    };
    ($type:ty, $default:expr) => {
        $type
    };
}

/// A resolved setting from one that may be given.
macro_rules! resolved {
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

/// A resolved setting as the file would have it; none if it is not set.
macro_rules! written {
    ($value:expr) => {
        $value.as_ref().map(written)
    };
    ($value:expr, $default:expr) => {
        Some(written($value))
    };
}

/// Defines flags, keys, ranges, defaults and the resolved values.
macro_rules! serve_settings {
    ($(
        $(#[doc = $doc:tt])*
        #[arg $arg:tt]
        #[reload($reload:literal)]
        $name:ident: $type:ty $(, in $range:expr)? $(, else $default:expr)?;
    )*) => {
        /// The flags of `molsieve serve` that are also keys of the configuration file.
        #[derive(clap::Args, Clone, Debug, Default, PartialEq)]
        pub struct ServeFlags {
            $(
                $(#[doc = $doc])*
                #[arg $arg]
                pub $name: Option<$type>,
            )*
        }

        /// Every setting as resolved from flags, file and defaults.
        #[derive(Clone, Debug, PartialEq)]
        pub struct ServeValues {
            $(
                $(#[doc = $doc])*
                pub $name: resolved_type!($type $(, $default)?),
            )*
        }

        /// Where each setting came from.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct Origins {
            $(
                #[doc = concat!("Of `", stringify!($name), "`.")]
                pub $name: Origin,
            )*
        }

        /// The keys of all settings, in the order of the list.
        pub(super) const KEYS: &[&str] = &[$( stringify!($name) ),*];

        /// Resolves every setting: the flag, else the file, else the default.
        pub(super) fn resolve(
            flags: &ServeFlags,
            file: &mut Option<Table>,
        ) -> Result<(ServeValues, Origins), SettingsError> {
            $(
                let $name: (Option<$type>, Origin) = given(
                    stringify!($name),
                    flags.$name.clone(),
                    file,
                    None $(.or(Some($range)))?,
                )?;
            )*
            let origins = Origins {
                $( $name: $name.1, )*
            };
            let values = ServeValues {
                $( $name: resolved!($name.0 $(, $default)?), )*
            };
            Ok((values, origins))
        }

        impl ServeValues {
            /// Key, value as the file would have it, and origin of each setting.
            pub(super) fn rows(&self, origins: &Origins) -> Vec<(&'static str, Option<String>, Origin)> {
                vec![$( (stringify!($name), written!(&self.$name $(, $default)?), origins.$name), )*]
            }

            /// The settings that `new` has otherwise. A reload applies only those of which it is said.
            pub(super) fn changes(&self, new: &Self) -> Vec<Change> {
                let mut changes = Vec::new();
                $(
                    if self.$name != new.$name {
                        changes.push(Change {
                            key: stringify!($name),
                            value: written!(&new.$name $(, $default)?),
                            applied: $reload,
                        });
                    }
                )*
                changes
            }

            /// These values, with those of `new` that a reload applies.
            pub(super) fn reloaded<'a>(&'a self, new: &'a Self) -> Self {
                let pick = |reload: bool| -> &'a Self { if reload { new } else { self } };
                Self {
                    $( $name: pick($reload).$name.clone(), )*
                }
            }
        }
    };
}

pub(super) use {resolved, resolved_type, serve_settings, written};
