mod descriptors;
pub use descriptors::ffi as descriptors_ffi;

mod fingerprint;
pub use fingerprint::ffi as fingerprint_ffi;

mod mol_ops;
pub use mol_ops::ffi as mol_ops_ffi;

mod mol_standardize;
pub use mol_standardize::ffi as mol_standardize_ffi;

mod periodic_table;
pub use periodic_table::ffi as periodic_table_ffi;

mod ro_mol;
pub use ro_mol::ffi as ro_mol_ffi;

mod rw_mol;
pub use rw_mol::ffi as rw_mol_ffi;

mod scaffold_network;
pub use scaffold_network::ffi as scaffold_network_ffi;

mod substruct_match;
pub use substruct_match::ffi as substruct_match_ffi;
