//! The boundary to RDKit's C++, as flat buffers: a parent's SMILES goes over, its products come back
//! written into the columns of a slot. One call makes up to `quantum` products; nothing is allocated
//! for a molecule on the way, and C++ exceptions end as the message of a `Result`.

#[cxx::bridge(namespace = "molsieve")]
pub mod ffi {
    /// Why [`Transformer::fill`] returned.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Fill {
        /// Every product of the parent has been written.
        Finished,
        /// The next product does not fit; go on in another slot.
        SlotFull,
        /// The quantum is used up; call again.
        Paused,
    }

    /// What the transformer must know; see `limits` for the values.
    #[derive(Debug, Clone, Copy)]
    struct TransformerSettings {
        /// The plain loop (full sanitization of every product) instead of the proven short cuts.
        reference: bool,
        properties: bool,
        parent_atoms_max: u32,
        product_bytes_max: u32,
        products_per_parent_max: u32,
        sites_max: u32,
    }

    /// The product columns of a slot. `rows` and `text_bytes` say how far they are filled.
    struct ProductSpace<'a> {
        text: &'a mut [u8],
        /// `text_ends[i]` is where the SMILES of row `i` ends in `text`.
        text_ends: &'a mut [u32],
        parent: &'a mut [u32],
        rule: &'a mut [u16],
        site: &'a mut [u16],
        /// mw, clogp, tpsa per row; empty without `--properties`.
        real_properties: &'a mut [f64],
        /// hbd, hba, rotatable bonds per row; empty without `--properties`.
        count_properties: &'a mut [u16],
        rows: u32,
        text_bytes: u32,
    }

    /// What became of a parent's products so far. Every product made is counted once.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    struct ParentReport {
        written: u64,
        symmetric: u64,
        unchanged: u64,
        invalid: u64,
        /// Not made (past the cap on products or sites) or not kept (longer than a product may be).
        capped: u64,
        /// Bit 0: products per parent, bit 1: sites per rule, bit 2: product too long.
        caps: u32,
        /// Time spent finding sites, running reactions, finishing products and writing SMILES.
        match_ns: u64,
        react_ns: u64,
        finish_ns: u64,
        write_ns: u64,
    }

    extern "Rust" {
        /// 64 low and high bits of the key of a canonical SMILES.
        fn product_key(smiles: &[u8], low: &mut u64, high: &mut u64);
        /// A line RDKit logged: 0 debug, 1 info, 2 warning, 3 error.
        fn log_line(level: u8, line: &[u8]);
    }

    unsafe extern "C++" {
        include!("molsieve/src/chem/transformer.h");

        type Transformer;

        fn new_transformer(settings: &TransformerSettings) -> Result<UniquePtr<Transformer>>;
        fn add_rule(
            self: Pin<&mut Transformer>,
            smirks: &str,
            exclude: &[String],
            require: &str,
        ) -> Result<()>;
        fn begin(self: Pin<&mut Transformer>, smiles: &[u8]) -> Result<bool>;
        fn fill(
            self: Pin<&mut Transformer>,
            space: &mut ProductSpace,
            parent: u32,
            quantum: u32,
            report: &mut ParentReport,
        ) -> Result<Fill>;
        fn end(self: Pin<&mut Transformer>);
        fn reason(&self) -> &str;

        fn initialise() -> Result<()>;
        fn mol_block_to_smiles(block: &[u8]) -> Result<String>;
        fn rdkit_version() -> String;
        fn boost_version() -> String;
    }
}

fn product_key(smiles: &[u8], low: &mut u64, high: &mut u64) {
    [*low, *high] = crate::key::Key::of(smiles).words();
}

fn log_line(level: u8, line: &[u8]) {
    let line = String::from_utf8_lossy(line);
    match level {
        0 => tracing::trace!(target: "rdkit", "{line}"),
        1 => tracing::debug!(target: "rdkit", "{line}"),
        _ => tracing::debug!(target: "rdkit", level, "{line}"),
    }
}
