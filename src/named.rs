//! Enums whose values have a name each.

/// Defines an enum of which each value has a name: `ALL`, with the number of a value as its index, and `name`, which is
/// also what `Display` writes.
macro_rules! named {
    (
        $(#[$about:meta])*
        $visible:vis enum $enum:ident {
            $( $(#[$about_value:meta])* $value:ident = $name:literal, )+
        }
    ) => {
        $(#[$about])*
        $visible enum $enum {
            $( $(#[$about_value])* $value, )+
        }

        impl $enum {
            /// All of them; a value's number is its index here.
            pub const ALL: [Self; [$( $name ),+].len()] = [$( Self::$value ),+];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $( Self::$value => $name, )+
                }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

pub(crate) use named;
