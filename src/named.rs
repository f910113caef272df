//! Names: enums whose values have a name each, and the name that a misspelt one resembles.

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

/// The known name that a word resembles: within one edit per three characters.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |known: &&&str| strsim::osa_distance(word, known);
    let near = known.iter().min_by_key(distance);
    near.filter(|near| distance(near) <= near.len() / 3)
        .copied()
}

/// What to say about an unknown name: the nearest known one, or all of them.
pub(crate) fn suggestion(nearest: Option<&str>, known: &[&str]) -> String {
    match nearest {
        Some(nearest) => format!("did you mean \"{nearest}\"?"),
        None => format!("known here: {}", known.join(", ")),
    }
}
