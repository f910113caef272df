//! Every maximum of molsieve, in one place. The memory plan ([`crate::plan`]) adds up those that cost memory; the
//! others bound what a single molecule, line or file may need.
//!
//! Units stand last in the names: `_bytes_max`, `_rows_max`. One MiB is 2^20 bytes.

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

// ── Parents and products ────────────────────────────────────────────────────────────────────────

/// Longest SMILES of a parent that is given to RDKit. Longer ones are rejected: RDKit's memory
/// grows with the molecule, and the plan counts on this bound.
pub const PARENT_SMILES_BYTES_MAX: usize = 4 * KIB;
/// Most atoms of a parent, hydrogens that are not written as atoms not counted.
pub const PARENT_ATOMS_MAX: u32 = 1_024;
/// Most rings of a molecule of which none is the sum of smaller ones: RDKit lists them all, in a time that grows with the
/// square of their number. A cycle of 14 phenylenes has 16,398, which take RDKit 2.5 s and 40 MiB.
pub const RINGS_MAX: u32 = 20_000;
/// Longest canonical SMILES of a product. Longer ones are counted as capped.
pub const PRODUCT_SMILES_BYTES_MAX: u32 = 8 * KIB as u32;
/// Default for the distinct products one parent may give (`--max-products-per-parent`).
pub const PRODUCTS_PER_PARENT_DEFAULT: u32 = 25_000;
/// Most steps of a job (`--steps`).
pub const STEPS_MAX: u32 = 8;
/// Largest value of `--max-products-per-parent`: the worker keeps 24 bytes or more for each.
pub const PRODUCTS_PER_PARENT_MAX: u32 = 1_000_000;
/// Most matches of one rule in one parent (RDKit's own limit is 1,000, and silent).
pub const SITES_PER_RULE_MAX: u32 = 16_384;
/// Products made in one call of C++; between calls a worker checks whether to stop.
pub const PRODUCTS_PER_CALL: u32 = 256;
/// Of the products made on flat graphs, one in so many is also made by RDKit and compared. Their keys decide which
/// ones. A power of two.
pub const PRODUCTS_CHECKED_ONE_IN: u32 = 1024;

/// Of so many molecules that are cleaned without RDKit, RDKit cleans one as well; a power of two.
pub const CLEANED_CHECKED_ONE_IN: u64 = 1024;

/// Most atoms of all tautomers of a molecule together, with `--clean=tautomer`. RDKit lists at most 1,000 tautomers, and
/// holds up to 660 bytes for an atom of one.
pub const TAUTOMER_ATOMS_MAX: u32 = 96_000;

// ── Rules ───────────────────────────────────────────────────────────────────────────────────────

/// Largest rule file.
pub const RULE_FILE_BYTES_MAX: usize = 16 << 20;
/// Most rules of one job, over all its files.
pub const RULES_MAX: usize = 4096;
/// Most reactants of a rule: the parent, and reagents.
pub const REACTANTS_MAX: usize = 4;
/// Most reagents of a job, over all its sets.
pub const REAGENTS_MAX: u32 = 1 << 31;
/// Most sets of reagents that `--reagents` names.
pub const REAGENT_SETS_MAX: usize = 64;
/// Reagents that can't be used and that the manifest names, of each set.
pub const REAGENTS_REJECTED_NAMED_MAX: usize = 20;
/// Bytes of reagents that a thread keeps ready, at most: a 64th of the budget, and no more than this.
pub const REAGENTS_KEPT_BYTES_MAX: usize = 32 * MIB;
/// Reagents that a rule is tried with for the estimate of a job, of each of its lists.
pub const REAGENTS_TRIED: usize = 8;
/// Longest SMIRKS, SMARTS and SMILES in a rule.
pub const SMIRKS_BYTES_MAX: usize = 4096;
/// Longest rule name.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest label and longest tag.
pub const LABEL_BYTES_MAX: usize = 1024;
/// Most errors that `RuleSet::load_all` lists.
pub const ERRORS_MAX: usize = 1000;

/// Stack of a stage's thread. RDKit's writer and ring search recurse along chains of atoms. Only the pages that are
/// used become resident.
pub const STAGE_STACK_BYTES: usize = 8 * MIB;

// ── Slots and ring ──────────────────────────────────────────────────────────────────────────────

/// Smallest slot: it must hold the longest text kept of a rejected row beside its columns.
pub const SLOT_BYTES_MIN: usize = 512 * KIB;
/// Largest slot that the plan chooses without `--slot-size`.
pub const SLOT_BYTES_DEFAULT_MAX: usize = 4 * MIB;
/// Largest slot that may be asked for: text offsets are 32 bits wide.
pub const SLOT_BYTES_MAX: usize = 1 << 30;
/// Fewest slots: one in use, one reserved for the oldest unfinished batch.
pub const SLOTS_MIN: usize = 2;
/// Most slots that may be asked for.
pub const SLOTS_MAX: usize = 4_096;
/// Most parents a worker takes at a time.
pub const BATCH_PARENTS_MAX: usize = 512;
/// The same in `dedup`, where a device makes the keys of a whole batch: about as many parents as
/// [`PARENT_BATCH_BYTES_MAX`] holds.
pub const DEDUP_BATCH_PARENTS_MAX: usize = 4_096;
/// Most devices that make structure keys, one per worker; further workers share them.
pub const KEY_DEVICES_MAX: usize = 16;

// ── Sources ─────────────────────────────────────────────────────────────────────────────────────

/// A batch of parents is complete once its texts, ids and faults, as they are read, reach this many bytes. The row that
/// crosses the bound is still in the batch: at most `LINE_BYTES_MAX + ID_BYTES_MAX` bytes and a reason. Ids that are not
/// UTF-8 are written again, in at most three times their bytes, and rows of lines may get a fault of under 100 bytes.
pub const PARENT_BATCH_BYTES_MAX: usize = 256 * KIB;

/// Longest line of a text library, without its line end. A longer one is skipped without being stored, and its row is
/// rejected. Also the longest CSV record (all of its lines) and the longest SMILES in a Parquet cell.
pub const LINE_BYTES_MAX: usize = MIB;

/// Bytes of a rejected row's text that the rejects hold.
pub const TEXT_KEPT_BYTES_MAX: usize = 100 * KIB;

/// Longest mol block of an SDF record. Other tags of the record are skipped, not stored.
pub const SDF_RECORD_BYTES_MAX: usize = MIB;

/// Longest kept row: what `--keep-columns` carries of one row of the input. A row that has more is rejected.
pub const KEPT_ROW_BYTES_MAX: usize = 64 * KIB;

/// Rows of kept columns that are decoded from Parquet at a time: a dictionary may repeat the longest value in each.
pub const KEPT_ROWS_PER_READ: usize = 16;

/// Smallest size from which a Parquet page of a kept column may be read in pieces, whatever the budget. A larger one is
/// allowed a 64th of the budget, shared by all kept columns.
pub const KEPT_PAGE_BYTES_MIN: usize = 2 * MIB;

/// Bytes that the schema, and the metadata of the writer, may take in the footer of a Parquet file of which columns are
/// kept.
pub const KEPT_FOOTER_BYTES_MAX: u64 = 4 * MIB as u64;

/// Most columns that are kept.
pub const KEPT_COLUMNS_MAX: usize = 1_024;

/// Most tags of an SD file of which items are kept.
pub const KEPT_TAGS_MAX: usize = 4 * KIB;

/// Longest parent id. A longer one is cut and ends with `…`.
pub const ID_BYTES_MAX: usize = KIB;

/// Most columns of a CSV or TSV file (descriptor tables have a few thousand).
pub const CSV_FIELDS_MAX: usize = 16 * KIB;

/// Most lines that a CSV record may span inside quotes. Names and comments with line ends take a few;
/// a larger number comes from a stray quote.
pub const CSV_RECORD_LINES_MAX: u64 = 10;

/// Read buffer of a text library; with gzip there are two, before and after inflating.
pub const READ_BUFFER_BYTES: usize = 128 * KIB;

/// Window that every compressed text may have: the default of zstd and xz.
pub const UNPACK_WINDOW_BYTES_DEFAULT: u64 = 8 * MIB as u64;

/// Largest window of a compressed text; the plan counts the window that the file states. `zstd --long=27` needs as
/// much, `xz -9` half of it.
pub const UNPACK_WINDOW_BYTES_MAX: u64 = 128 * MIB as u64;

/// Bytes at the start of a text library (after decompression) from which its format is recognised, that it is text is
/// checked, and the tags of an SDF are found.
pub const HEAD_BYTES: usize = 64 * KIB;

/// Bytes at the start of a text library (after decompression) from which its number of rows is estimated.
pub const ESTIMATE_HEAD_BYTES: u64 = MIB as u64;

/// Most files of one library.
pub const LIBRARY_FILES_MAX: usize = 64 * KIB;

/// A sample is taken at no more than this many places of the library.
pub const SAMPLE_SPOTS_MAX: usize = 32;

/// A sample ends early once it holds this many bytes.
pub const SAMPLE_BYTES_MAX: usize = 8 * MIB;

/// Bytes that the names and types of the columns in a Parquet footer may take. The row groups of a footer are read
/// one at a time.
pub const PARQUET_SCHEMA_BYTES_MAX: usize = 16 * MIB;

/// Longest name of a Parquet column.
pub const COLUMN_NAME_BYTES_MAX: u64 = 64 * KIB as u64;

/// Largest Parquet page that is read whole, compressed or not, whatever the budget (which allows a 64th
/// of itself); larger ones are read in pieces, larger dictionaries refused. Writers aim at 1 MiB; some write one page
/// per row group.
pub const PARQUET_PAGE_BYTES_MAX: usize = 64 * MIB;

/// Most values of a Parquet dictionary page; decoded, each takes 32 bytes beside its text.
pub const PARQUET_DICTIONARY_VALUES_MAX: usize = 2 * MIB;

/// Most values of a delta-encoded Parquet page; decoded, each takes 8 bytes of lengths beside its text.
/// Writers close a page at 1 MiB or, the newer ones, at 20,000 rows.
pub const PARQUET_DELTA_VALUES_MAX: u64 = 1 << 20;

/// Most rows decoded from Parquet at a time. Fewer, where the file's rows are long on average, so
/// that the pages that one read spans stay near `PARQUET_READ_BYTES`.
pub const PARQUET_READ_ROWS_MAX: usize = 1024;

/// Target for the bytes (before compression) that one read from Parquet spans.
pub const PARQUET_READ_BYTES: u64 = MIB as u64;
/// Bytes per molecule that `--check` holds: key, hash, counts, and the share of a tree that may be half empty.
pub const CHECKED_MOLECULE_BYTES: u64 = 192;
/// Reasons for which a structure key needs RDKit: an account has a count for each.
pub const KEY_REASONS_MAX: usize = 16;
/// Most bytes of RDKit's text in the reason of a reject.
pub const RDKIT_REASON_BYTES_MAX: usize = 256;
/// Longest reason of a reject: one short line.
pub const REASON_BYTES_MAX: usize = 512;
/// Filters that act on the products, or on the parents, of a step.
pub const FILTERS_MAX: usize = 256;
/// SMARTS of all these filters.
pub const FILTER_PATTERNS_MAX: usize = 16 * KIB;
/// Largest file of SMARTS.
pub const FILTER_FILE_BYTES_MAX: u64 = 16 * MIB as u64;
/// A compiled SMARTS of a filter in one worker.
pub const FILTER_PATTERN_BYTES: usize = 32 * KIB;
/// A catalogue of alerts in one worker: the largest have some hundred patterns.
pub const FILTER_CATALOGUE_BYTES: usize = 24 * MIB;
/// Most products with open centres become so many stereoisomers each.
pub const STEREOISOMERS_MAX: u32 = 1_024;
/// Most that `--explain-drops` keeps of each reason.
pub const DROPS_MAX: u32 = 10_000;
/// Most that it keeps in all: the file of the sample then stays below [`SEALED_BYTES_MAX`].
pub const DROPS_IN_ALL_MAX: usize = 16 * KIB;
/// Texts of something dropped, in all; what has longer ones is not in the sample.
pub const DROP_TEXT_BYTES_MAX: usize = 2 * KIB;
/// What else it takes, with its place in the sample.
pub const DROP_BYTES: usize = 320;
/// Rows of the input whose products are counted to estimate the job.
pub const SAMPLE_PARENTS: usize = 128;
/// Distinct products made of one row of the sample. Further ones are counted, not made, so that planning takes
/// seconds whatever the parents.
pub const SAMPLE_PRODUCTS_PER_PARENT_MAX: u32 = 500;

/// `--resume` recognises an input by the SHA-256 of blocks of this size,
pub const FINGERPRINT_BLOCK_BYTES: usize = 64 * KIB;
/// of at most this many: a file of up to 64 MiB is read whole.
pub const FINGERPRINT_BLOCKS: u64 = 1_024;

// ── Sink ────────────────────────────────────────────────────────────────────────────────────────

/// Rows turned into Arrow arrays at a time.
pub const SINK_CHUNK_ROWS: usize = 4_096;
/// Bytes of texts at which such a chunk ends, with the row that crosses the bound.
pub const SINK_CHUNK_BYTES: usize = MIB;
/// Bytes of such chunks that an encoder makes of a slot at once, per byte of the slot: in most jobs all of them.
pub const GATHERED_PER_SLOT: usize = 2;
/// Smallest and largest row group, in bytes of content before encoding.
pub const ROW_GROUP_BYTES_MIN: usize = 2 * MIB;
/// See [`ROW_GROUP_BYTES_MIN`].
pub const ROW_GROUP_BYTES_MAX: usize = 16 * MIB;
/// About how many bytes of text a piece of a text file has: pieces are made on several threads.
pub const TEXT_PIECE_BYTES: usize = MIB;
/// Most bytes of a mol block per byte of its SMILES: an atom and a bond of V3000 take about 90.
pub const MOL_BLOCK_BYTES_PER_SMILES_BYTE: usize = 100;
/// A part is closed when it reaches this many bytes (`--part-size`). At 25,000 products a second
/// that is about a minute's work.
pub const PART_BYTES_DEFAULT: u64 = 64 * MIB as u64;
/// Rows that `export` decodes at a time.
pub const EXPORT_ROWS_AT_A_TIME: usize = 1_024;
/// Parts of a stream that wait for its reader, on the disk.
pub const STREAM_PARTS_MAX: usize = 4;
/// Parents that the manifest names because a cap took effect; the others are only counted.
pub const CAPPED_PARENTS_NAMED_MAX: usize = 1_000;

// ── Working files of a run ──────────────────────────────────────────────────

/// Seconds between two checkpoints, each at the end of a batch: with the batch and the checkpoint itself, less than a
/// minute of work is not on the disk. A part that closes and a request to stop lead to a checkpoint too.
pub const CHECKPOINT_SECONDS: u64 = 45;
/// Bytes of rows of the unfinished part that are buffered in memory and written as one block.
pub const PART_ROWS_PIECE_BYTES: usize = 256 * KIB;
/// Most bytes of the rows that the encoder gets at once: [`SINK_CHUNK_ROWS`] rows with the longest texts.
pub const PART_ROWS_RECORD_BYTES_MAX: usize = SINK_CHUNK_ROWS
    * (PRODUCT_SMILES_BYTES_MAX as usize + 2 * PARENT_SMILES_BYTES_MAX + ID_BYTES_MAX + 256);
/// Records of such rows that wait for the thread that writes them, beside the one that it writes.
pub const SPILL_RECORDS_WAITING: usize = 1;
/// Bytes of items of a spill that are buffered in memory and written as one block.
pub const SPILL_BUFFER_BYTES: usize = 64 * KIB;
/// Bytes of the keys of new rows that are synced before a checkpoint asks for it.
pub const SPILL_EARLY_SYNC_BYTES: usize = 8 * MIB;
/// Largest block of a spill, which a reader allocates: a packed block of rows, or a reject with the longest text.
pub const SPILL_BLOCK_BYTES_MAX: usize = 1_024 * KIB;
/// Largest small working file of a run, and largest manifest. A part takes about 150 bytes.
pub const SEALED_BYTES_MAX: u64 = 256 * MIB as u64;
/// Least memory that sorting through files works in.
pub const SORT_BYTES_MIN: usize = 512 * KIB;
/// What a run takes while it is merged with others: a buffer of the file, a block twice, its next item.
pub const SORT_RUN_BYTES: usize = 4 * SPILL_BUFFER_BYTES;
/// Most runs that are merged at a time.
pub const SORT_RUNS_MERGED_MAX: usize = 64;
/// Rows packed into one block until they are settled.
pub const SETTLE_BLOCK_ROWS: usize = 1_920;
/// Bytes of products' SMILES at which such a block is closed.
pub const SETTLE_BLOCK_TEXT_BYTES: usize = 96 * KIB;
/// Bytes of parents' ids and SMILES at which such a block is closed.
pub const SETTLE_BLOCK_PARENT_BYTES: usize = 64 * KIB;
/// Least memory that settling works in.
pub const SETTLE_BYTES_MIN: usize = 4 * MIB;
/// Most memory that settling asks for, whatever the budget: enough for 10^9 rows without partitions.
pub const SETTLE_BYTES_MAX: usize = 64 << 30;
/// Bytes that a parent, and a product that is not written, count towards the size of a part: a long sequence of
/// repeats or rejects closes a part, and so leads to a checkpoint.
pub const UNWRITTEN_BYTES: u64 = 32;

// ── The daemon's core ───────────────────────────────────────────────────────────────────────────

/// Messages in the queue of the daemon's core. Each has a few KiB at most, except a submission, whose size the HTTP
/// side bounds.
pub const MESSAGES_WAITING_MAX: usize = 512;
/// Messages processed in one transaction.
pub const BATCH_MESSAGES_MAX: usize = 256;
/// Queries in the queue of the daemon's reader.
pub const READS_WAITING_MAX: usize = 64;
/// Queued jobs; each takes some hundred bytes of the daemon's memory.
pub const WAITING_JOBS_MAX: usize = 20_000;
/// Of these, the last ones are for root, the daemon's own user and admins.
pub const WAITING_JOBS_OF_ADMINS: usize = 1_000;
/// Before those, the last ones are for users who have few waiting jobs: fewer than [`FEW_WAITING_JOBS`].
pub const WAITING_JOBS_OF_FEW: usize = 1_000;
/// Waiting jobs of a user who has few.
pub const FEW_WAITING_JOBS: usize = 100;
/// Largest configuration file of the daemon.
pub const SERVE_FILE_BYTES_MAX: usize = MIB;
/// Events that a reader may lag behind before it has to read them from the store.
pub const EVENT_BACKLOG_MAX: usize = 256;
/// Largest progress event of a job process that the daemon stores and passes on.
pub const PROGRESS_BYTES_MAX: usize = 8 * KIB;
/// Events read from the store at once.
pub const EVENTS_PER_READ_MAX: u32 = 10;
/// Bytes of a log read from the store at once.
pub const LOG_READ_BYTES_MAX: usize = 64 * KIB;

// ── The daemon's HTTP side ──────────────────────────────────────────────────────────────────────
// All of its memory: connections (23 KiB each), small answers and bodies that are not counted
// (they fit the socket's buffer), and what `HTTP_BYTES_MAX` counts.

/// Connections at a time. Further ones wait in the socket's queue.
pub const HTTP_CONNECTIONS_MAX: usize = 1_200;
/// Connections of one user; further ones get the answer that the daemon is busy.
pub const HTTP_CONNECTIONS_PER_USER_MAX: usize = 1_000;
/// Largest head of a request.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 * KIB;
/// Most headers of a request.
pub const HTTP_HEADERS_MAX: usize = 64;
/// Largest body of a request.
pub const HTTP_BODY_BYTES_MAX: usize = 128 * KIB;
/// From the first byte of a head to its last.
pub const HTTP_HEAD_SECONDS_MAX: u64 = 10;
/// From the head to the last byte of a body.
pub const HTTP_BODY_SECONDS_MAX: u64 = 10;
/// How long a connection may be idle.
pub const HTTP_IDLE_SECONDS_MAX: u64 = 60;
/// How long a client may leave an answer unread.
pub const HTTP_WRITE_SECONDS_MAX: u64 = 60;
/// How long the core may take for an answer, and a request may wait for memory.
pub const HTTP_ANSWER_SECONDS_MAX: u64 = 30;
/// How long the daemon waits for requests in flight when it ends.
pub const HTTP_DRAIN_SECONDS_MAX: u64 = 5;
/// Between two comments that keep an event stream alive.
pub const HTTP_HEARTBEAT_SECONDS: u64 = 15;
/// Streams (events, followed logs) at a time.
pub const HTTP_STREAMS_MAX: usize = 256;
/// Streams of one user.
pub const HTTP_STREAMS_PER_USER_MAX: usize = 128;
/// Memory of all bodies being read and answers being made or written.
pub const HTTP_BYTES_MAX: usize = 16 * MIB;
/// The same for one user.
pub const HTTP_BYTES_PER_USER_MAX: usize = 8 * MIB;
/// Bodies and answers up to this size are not counted.
pub const HTTP_SMALL_BYTES: usize = 8 * KIB;
/// A list of jobs is cut after the job with which it reaches this size.
pub const HTTP_LIST_BYTES_MAX: usize = 256 * KIB;
/// Reserved for an answer with jobs: a list and the longest job after it.
pub const HTTP_JOBS_BYTES_MAX: usize = 512 * KIB;
/// Users whose names are cached.
pub const HTTP_USER_NAMES_MAX: usize = 1_024;
/// Most jobs of one list, and how many the core is asked for at once.
pub const LIST_JOBS_MAX: u32 = 1_000;
/// See [`LIST_JOBS_MAX`].
pub const LIST_PAGE_JOBS: u32 = 10;
/// Most paths in each of a submitted job's lists; a directory or a pattern stands for more.
pub const JOB_PATHS_MAX: usize = 4_096;
/// Largest memory that a submitted job may ask for.
pub const JOB_MEMORY_BYTES_MAX: u64 = 1 << 50;
/// Longest name of a job, in characters.
pub const JOB_NAME_CHARS_MAX: usize = 128;
/// Longest `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;
/// Most labels of a job.
pub const JOB_LABELS_MAX: usize = 16;
/// Longest label.
pub const JOB_LABEL_BYTES_MAX: usize = 64;
/// Most jobs that a job waits for.
pub const JOB_AFTER_MAX: usize = 1_000;
/// Most retries that a job asks for.
pub const JOB_RETRIES_MAX: u32 = 1_000;
/// Longest text that says whom to notify.
pub const NOTIFY_BYTES_MAX: usize = 1_024;
/// Notifications at a time, each a process; one at a time for each user.
pub const NOTIFICATIONS_MAX: usize = 8;
/// Time of a notification; then its process is killed.
pub const NOTIFY_SECONDS_MAX: u64 = 30;
/// Output of a notification that is kept in the log of its job.
pub const NOTIFY_OUTPUT_BYTES_MAX: usize = 8 * KIB;
/// Most jobs that one request cancels or forgets, in one transaction.
pub const SELECTED_JOBS_MAX: u32 = 1_000;
/// Most jobs that one request waits for.
pub const WAIT_JOBS_MAX: usize = 10_000;
/// How long the daemon waits for an end of one of them before it answers.
pub const WAIT_SECONDS_MAX: u64 = 20;
/// Highest priority; the lowest is its negative.
pub const PRIORITY_MAX: i32 = 10;

// ── What the memory plan counts for memory that others allocate ─────────────────────────
// Measured, with a margin; see `benches/results/2026-11-22-main-job.md`.

/// Program, RDKit's 26 libraries and their tables, and the buffers of start-up.
pub const BASE_BYTES: usize = 44 * MIB;
/// One chemistry worker: RDKit's working memory for parents up to [`PARENT_ATOMS_MAX`] atoms, the
/// allocator's partly used pages, the batch of parents, the stack, and 400 KiB of types of atoms for `clogp`.
pub const CHEMISTRY_THREAD_BYTES: usize = 4 * MIB;
/// What a worker cleans molecules with: patterns, reactions, and a key maker of its own.
pub const CLEANER_BYTES: usize = 2 * MIB;
/// The tautomers of a molecule, in one worker.
pub const TAUTOMERS_BYTES: usize = 72 * MIB;
/// One compiled rule in one worker, with the sites of its reactant that other rules use too.
pub const COMPILED_RULE_BYTES: usize = 32 * KIB;
/// One entry of a worker's set of the keys of a parent's products (at most half full, 24 bytes each,
/// doubled while growing).
pub const SEEN_KEY_BYTES: usize = 64;
/// Decoding of the inputs: buffers, one decompressed page per column, the decoder's tables.
pub const SOURCE_BYTES: usize = 8 * MIB;
/// Encoding of a row group beside its content and what becomes of it: pages being filled, a compressor of the default
/// level, a thread's stack.
pub const ENCODER_BYTES: usize = 3 * MIB;
/// Making a piece of text: up to twice [`TEXT_PIECE_BYTES`] of rows and of text, which grows to twice its size at most, and
/// of what compression makes of it.
pub const TEXT_ENCODER_BYTES: usize = 8 * MIB;
/// Zstandard for a text file: window, tables and buffers at level 3.
pub const ZSTD_STREAM_BYTES: usize = 6 * MIB;
/// Coordinates of a molecule: distances between all atoms of [`PARENT_ATOMS_MAX`].
pub const DEPICTION_BYTES: usize = 8 * MIB;
/// The arrays of a chunk while they grow, and what the file's writer holds: 3 MiB. Two records of rows, one being written
/// and one that waits: each has [`SINK_CHUNK_BYTES`] of texts, the row that crosses the bound, under 100 bytes of numbers for
/// each of [`SINK_CHUNK_ROWS`] rows, and room for up to [`PART_ROWS_PIECE_BYTES`].
pub const GATHER_BYTES: usize = 7 * MIB;
/// With kept columns, what a worker takes: the kept rows of a batch, as fields, as arrays and as kept rows.
pub const KEPT_WORKER_BYTES: usize = 2 * MIB;
/// With kept columns, what an encoder takes: the arrays of a chunk's kept rows, once and spread over its rows, and its record.
pub const KEPT_ENCODER_BYTES: usize = 4 * MIB;
/// What the writer of a kept column takes in each row group that is encoded, beside its content.
pub const KEPT_COLUMN_WRITER_BYTES: usize = 32 * KIB;
/// With kept columns and several steps: a page and a dictionary of a kept column, of the parts that a step reads.
pub const KEPT_PART_COLUMN_BYTES: usize = MIB;
/// Buffers of the spills, and packing of the rows that are to be settled.
pub const SPILL_BYTES: usize = 2 * MIB;
/// Host memory of a CUDA context and the driver's libraries. Not measured yet.
pub const CUDA_HOST_BYTES: usize = 320 * MIB;
/// Device memory of a CUDA context with the kernels loaded. Not measured yet.
pub const CUDA_CONTEXT_BYTES: u64 = 1 << 30;
/// Host memory of a Vulkan driver, with wgpu's staging of a slot: 76 MiB with lavapipe.
pub const WGPU_HOST_BYTES: usize = 160 * MIB;
/// What `diff` takes beside what it sorts: program and buffers, the pages of one column chunk per column being read, the
/// rows decoded from them, and the row group being written.
pub const DIFF_BASE_BYTES: usize = 96 * MIB;
/// Share of the budget that the filter may take, as a divisor.
pub const FILTER_BUDGET_DIVISOR: usize = 4;
/// Smallest filter, in bits.
pub const FILTER_BITS_MIN: usize = 1_024;

const _: () = assert!(PART_ROWS_PIECE_BYTES <= SPILL_BLOCK_BYTES_MAX);
// A packed block of rows, with the row that crosses its bound, fits the smallest slot.
const _: () = assert!(SETTLE_BLOCK_ROWS * 224 < SLOT_BYTES_MIN);
const _: () = assert!(
    SETTLE_BLOCK_PARENT_BYTES + 2 * PARENT_SMILES_BYTES_MAX + ID_BYTES_MAX < TEXT_KEPT_BYTES_MAX
        && SETTLE_BLOCK_TEXT_BYTES + (PRODUCT_SMILES_BYTES_MAX as usize) < 128 * KIB
);
// So does the longest parent with its kept row, alone in a block or with as much before it as a block may have.
const _: () = assert!(
    KEPT_ROW_BYTES_MAX + PARENT_SMILES_BYTES_MAX + ID_BYTES_MAX + KIB < TEXT_KEPT_BYTES_MAX
        && KEPT_ROW_BYTES_MAX <= SETTLE_BLOCK_PARENT_BYTES
);
const _: () =
    assert!(SLOT_BYTES_MIN >= 4 * (TEXT_KEPT_BYTES_MAX + ID_BYTES_MAX + REASON_BYTES_MAX));
const _: () = assert!(
    HTTP_JOBS_BYTES_MAX >= HTTP_LIST_BYTES_MAX + HTTP_BODY_BYTES_MAX
        && HTTP_JOBS_BYTES_MAX <= HTTP_BYTES_PER_USER_MAX
        && HTTP_BYTES_PER_USER_MAX <= HTTP_BYTES_MAX
);
