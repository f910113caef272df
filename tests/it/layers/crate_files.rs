//! The modules of a crate, each with its file, what it defines and what it re-exports.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use syn::{Attribute, Item, UseTree};

/// The segments of a path, `crate` left out.
pub type ModulePath = Vec<String>;

/// What a name stands for in a module.
#[derive(Clone, Debug)]
pub enum Name {
    /// Something that the module defines.
    Item,
    /// A module inside of it.
    Module,
    /// What it imports, as written.
    Use(Vec<String>),
}

/// A module. One without a file of its own has the file that it stands in.
pub struct Module {
    /// Relative to `src`.
    pub file: String,
    pub names: BTreeMap<String, Name>,
    /// What is imported with `*`.
    pub globs: Vec<Vec<String>>,
    pub items: Vec<Item>,
}

/// Modules that stand in `lib.rs`.
pub fn top_modules(src: &Path) -> BTreeSet<String> {
    let modules = modules(src);
    let top = modules.keys().filter(|path| path.len() == 1);
    top.map(|path| path[0].clone()).collect()
}

/// All modules of the library in `src`, but for tests.
pub fn modules(src: &Path) -> BTreeMap<ModulePath, Module> {
    let mut modules = BTreeMap::new();
    read_file(src, "lib.rs", "", Vec::new(), &mut modules);
    modules
}

fn read_file(
    src: &Path,
    file: &str,
    folder: &str,
    path: ModulePath,
    to: &mut BTreeMap<ModulePath, Module>,
) {
    let text = fs::read_to_string(src.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
    read_items(src, file, folder, path, parsed.items, to);
}

fn read_items(
    src: &Path,
    file: &str,
    folder: &str,
    path: ModulePath,
    items: Vec<Item>,
    to: &mut BTreeMap<ModulePath, Module>,
) {
    let mut module = Module {
        file: file.into(),
        names: BTreeMap::new(),
        globs: Vec::new(),
        items: Vec::new(),
    };
    for item in items {
        match item {
            Item::Mod(item) if is_test(&item.attrs) => drop(item),
            Item::Mod(item) => {
                let name = item.ident.to_string();
                let inner = [path.as_slice(), std::slice::from_ref(&name)].concat();
                let folder = format!("{folder}{name}/");
                match item.content {
                    Some((_, items)) => read_items(src, file, &folder, inner, items, to),
                    None => {
                        let beside = format!("{}.rs", folder.trim_end_matches('/'));
                        let within = format!("{folder}mod.rs");
                        let is_beside = src.join(&beside).exists();
                        let file = if is_beside { beside } else { within };
                        read_file(src, &file, &folder, inner, to);
                    }
                }
                module.names.insert(name, Name::Module);
            }
            Item::Use(item) if is_test(&item.attrs) => drop(item),
            Item::Use(item) => {
                for leaf in leaves(&item.tree) {
                    match leaf.name {
                        Some(name) => drop(module.names.insert(name, Name::Use(leaf.path))),
                        None => module.globs.push(leaf.path),
                    }
                }
                module.items.push(Item::Use(item));
            }
            item => {
                if let Some(name) = name_of(&item) {
                    module.names.insert(name, Name::Item);
                }
                module.items.push(item);
            }
        }
    }
    to.insert(path, module);
}

fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(ident.to_string())
}

/// Whether the attributes keep something out of a build that is not a test.
pub fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute
            .meta
            .require_list()
            .map(|list| list.tokens.to_string());
        let condition = condition.unwrap_or_default();
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && (condition == "test" || condition.starts_with("all (test"))
    })
}

/// A name that a `use` brings, or what it takes everything of.
pub struct Leaf {
    /// The name it has here; none for `*`.
    pub name: Option<String>,
    pub path: Vec<String>,
    pub line: usize,
}

/// The leaves of a `use`.
pub fn leaves(tree: &UseTree) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    add_leaves(tree, &mut Vec::new(), &mut leaves);
    leaves
}

fn add_leaves(tree: &UseTree, before: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    let mut add = |name: Option<String>, last: Option<&syn::Ident>, line| {
        let mut path = before.clone();
        path.extend(last.filter(|last| *last != "self").map(ToString::to_string));
        let name = name.map(|name| match name.as_str() {
            "self" => path.last().cloned().unwrap_or_default(),
            _ => name,
        });
        leaves.push(Leaf { name, path, line });
    };
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            add_leaves(&path.tree, before, leaves);
            before.pop();
        }
        UseTree::Name(name) => {
            let line = name.ident.span().start().line;
            add(Some(name.ident.to_string()), Some(&name.ident), line);
        }
        UseTree::Rename(name) => {
            let line = name.ident.span().start().line;
            add(Some(name.rename.to_string()), Some(&name.ident), line);
        }
        UseTree::Glob(glob) => add(None, None, glob.star_token.span.start().line),
        UseTree::Group(group) => {
            group
                .items
                .iter()
                .for_each(|tree| add_leaves(tree, before, leaves));
        }
    }
}
