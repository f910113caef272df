//! The layout of an output directory: `products/` contains the parts and nothing else. Also directories of earlier
//! versions, whose parts lie in the directory itself: what is read, removed and refused.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::kit::{
    Folder, Molsieve, Run,
    library::{THREE_RULES, rule_file, shipped_rules, smiles_lines},
    output::{self, assert_complete, counted},
    wait_until,
};
use rustix::process::Signal;

fn clean(input: impl AsRef<Path>, out: &Path, flags: &str) -> Run {
    let job = Molsieve::new("run --memory 256MiB").args(flags);
    job.input(input.as_ref()).output(out).run()
}

/// A complete output of two molecules and one rejected row.
fn two_molecules(folder: &Folder) -> PathBuf {
    let input = folder.write("two.smi", "CCO a\nCCN b\nxx c\n");
    let out = folder.path("two");
    clean(input, &out, "").ends_with(4);
    assert_complete(&out);
    out
}

/// Converts a complete output to the layout of earlier versions.
fn lay_out_as_before(out: &Path) {
    for part in output::parts(out) {
        fs::rename(&part, out.join(part.file_name().unwrap())).unwrap();
    }
    fs::remove_dir(output::products(out)).unwrap();
    let manifest = out.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    assert!(text.contains("\"products/part-00000.parquet\""), "{text}");
    fs::write(&manifest, text.replace("products/part-", "part-")).unwrap();
}

#[test]
fn an_output_of_either_layout_can_be_read_and_excluded() {
    let folder = Folder::new();
    let two = two_molecules(&folder);
    let more = folder.write("more.smi", "CCO a\nCCC d\nCCN b\n");
    for layout in ["products", "as before"] {
        if layout == "as before" {
            lay_out_as_before(&two);
        }
        let mut inputs = vec![two.clone()];
        inputs.extend(Some(output::products(&two)).filter(|products| products.exists()));
        for input in inputs {
            let again = folder.path("again");
            clean(&input, &again, "--overwrite").ends_with(0);
            assert_eq!(output::smiles(&again), ["CCO", "CCN"], "{layout}");
            assert_eq!(counted(&again, "parents_read"), 2, "{layout}");
        }
        let rest = folder.path("rest");
        let flags = format!("--overwrite --exclude {}", two.display());
        clean(&more, &rest, &flags).ends_with(0);
        assert_eq!(output::smiles(&rest), ["CCC"], "{layout}");
    }
}

#[test]
fn overwriting_removes_what_a_job_wrote_and_nothing_else() {
    let folder = Folder::new();
    let two = two_molecules(&folder);
    let one = folder.write("one.smi", "CCC d\n");
    let mine = output::products(&two).join("mine.parquet");
    fs::copy(output::part(&two, 0), &mine).unwrap();
    clean(&one, &two, "--overwrite")
        .refuses(2, &["products/mine.parquet", "not written by molsieve"]);
    assert_eq!(
        output::parts(&two).len(),
        2,
        "nothing is removed on refusal"
    );
    fs::remove_file(mine).unwrap();
    fs::copy(output::part(&two, 0), output::part(&two, 1)).unwrap();
    clean(&one, &two, "--overwrite").ends_with(0);
    assert_complete(&two);
    lay_out_as_before(&two);
    clean(&one, &two, "--overwrite").ends_with(0);
    assert_complete(&two);
}

#[test]
fn the_products_folder_only_ever_contains_complete_parts() {
    let folder = Folder::new();
    let rules = shipped_rules();
    let input = folder.write("a.smi", smiles_lines(600));
    let job = || {
        Molsieve::new("run --memory 256MiB --threads 2 --part-size 64KiB --resume")
            .input(&input)
            .rules(&rules)
            .output(folder.out())
    };
    let mut running = job().start();
    let mut seen = 0;
    let mut look = || {
        for (number, part) in output::parts(&folder.out()).iter().enumerate() {
            assert_eq!(*part, output::part(&folder.out(), number));
            output::read_parquet(part); // complains of a part that is not whole
            seen = seen.max(number + 1);
        }
    };
    wait_until("two parts", || output::parts(&folder.out()).len() >= 2);
    while running.is_running() {
        look();
    }
    look();
    assert!(seen > 2, "{seen}");
    drop(running);
    assert_complete(&folder.out());
}

#[test]
fn an_unfinished_run_of_an_earlier_version_is_left_unchanged() {
    let folder = Folder::new();
    let rules = rule_file(&folder, &THREE_RULES);
    let input = folder.write("a.smi", smiles_lines(600));
    let job = |flags: &str| {
        Molsieve::new("run --memory 256MiB --threads 2 --part-size 64KiB")
            .args(flags)
            .input(&input)
            .rules(&rules)
            .output(folder.out())
    };
    let running = job("").start();
    wait_until("a part", || !output::parts(&folder.out()).is_empty());
    running.signal(Signal::KILL);
    running.wait(Duration::from_secs(5));
    for part in output::parts(&folder.out()) {
        fs::rename(&part, folder.out().join(part.file_name().unwrap())).unwrap();
    }
    let checkpoint = folder.out().join(".molsieve/checkpoint");
    let text = fs::read_to_string(&checkpoint).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    fs::write(&checkpoint, format!("molsieve checkpoint 1\n{rest}")).unwrap();
    let before = output::names(&folder.out());
    job("--resume").run().refuses(
        2,
        &["another version of molsieve began this run", "--overwrite"],
    );
    assert_eq!(output::names(&folder.out()), before);
    job("--overwrite").run().ends_with(0);
    assert_complete(&folder.out());
}
