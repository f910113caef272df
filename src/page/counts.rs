//! The way from the rows of the library to those of the output, with every loss on it.

use serde::Serialize;

use crate::{config::Task, report::manifest::Manifest};

/// A stage of a run, from the library to the output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// What is counted.
    pub label: &'static str,
    /// Of what: `parents` or `products`.
    pub unit: &'static str,
    /// How many.
    pub count: u64,
    /// What of it is not in the next stage.
    pub losses: Vec<Loss>,
}

/// What a stage has and the next one has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// What became of it.
    pub label: &'static str,
    /// How many.
    pub count: u64,
}

const PARENTS: &str = "parents";
const PRODUCTS: &str = "products";

/// The stages of a run. In one of several steps, sums over the steps.
pub(super) fn stages(manifest: &Manifest) -> Vec<Stage> {
    let counts = &manifest.counts;
    let read = Stage {
        label: "rows read",
        unit: PARENTS,
        count: counts.parents_read,
        losses: losses([
            ("rejected", counts.parents_rejected),
            ("left out by a filter", counts.parents_filtered),
        ]),
    };
    if manifest.task == Task::Dedup || manifest.rules == 0 {
        let used = Stage {
            label: "molecules",
            unit: PARENTS,
            count: counts.products_made,
            losses: of_products(manifest),
        };
        let unique = Stage {
            label: "unique molecules",
            unit: PARENTS,
            count: counts.products_unique,
            losses: Vec::new(),
        };
        return vec![read, used, unique];
    }
    let used = Stage {
        label: "parents transformed",
        unit: PARENTS,
        count: counts.parents_transformed,
        losses: Vec::new(),
    };
    let made = Stage {
        label: "products made",
        unit: PRODUCTS,
        count: counts.products_made,
        losses: of_products(manifest),
    };
    let unique = Stage {
        label: "unique products",
        unit: PRODUCTS,
        count: counts.products_unique,
        losses: Vec::new(),
    };
    vec![read, used, made, unique]
}

/// What becomes of products that are not written.
fn of_products(manifest: &Manifest) -> Vec<Loss> {
    let counts = &manifest.counts;
    let transforms = manifest.task == Task::Derive && manifest.rules > 0;
    let (again, seen) = match transforms {
        true => (
            "made from the same parent before",
            "made before or excluded",
        ),
        false => ("the same in one row", "repeats of an earlier row"),
    };
    losses([
        (
            "invalid: RDKit can't sanitize them",
            counts.products_invalid,
        ),
        ("equal to their parent", counts.products_unchanged),
        (again, counts.products_symmetric),
        ("left out by a filter", counts.products_filtered),
        ("beyond a cap", counts.products_capped),
        (seen, counts.products_duplicate),
    ])
}

/// Those that there are.
fn losses<const N: usize>(all: [(&'static str, u64); N]) -> Vec<Loss> {
    let there = all.into_iter().filter(|(_, count)| *count > 0);
    there.map(|(label, count)| Loss { label, count }).collect()
}
