//! The imports of a crate: each path by which a file reaches another.

use std::{collections::BTreeMap, path::Path};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    ImplItem, Item, ItemUse, Macro, TraitItem, Visibility,
    visit::{self, Visit},
};

use super::crate_files::{Module, ModulePath, Name, is_test, leaves, modules};

/// A path that leads out of its file or out of its top module.
#[derive(Debug)]
pub struct Import {
    /// Where it stands, relative to `src`.
    pub file: String,
    pub line: usize,
    /// The top module that it stands in.
    pub module: String,
    /// The path.
    pub written: String,
    /// The top module that the path names first.
    pub to_module: String,
    /// The file that defines what it leads to.
    pub to_file: String,
}

/// All imports of the library in `src`.
pub fn imports(src: &Path) -> Vec<Import> {
    let modules = modules(src);
    let mut imports = Vec::new();
    for (path, module) in modules.iter().filter(|(path, _)| !path.is_empty()) {
        let mut paths = Paths::default();
        module.items.iter().for_each(|item| paths.visit_item(item));
        let resolver = Resolver { modules: &modules };
        let found = paths.found.into_iter();
        imports.extend(found.filter_map(|found| resolver.import(path, module, found)));
    }
    imports
}

/// A path in the sources.
struct Found {
    segments: Vec<String>,
    line: usize,
    in_use: bool,
}

#[derive(Default)]
struct Paths {
    found: Vec<Found>,
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Const(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Static(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !matches!(item, ImplItem::Fn(item) if is_test(&item.attrs)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if !matches!(item, TraitItem::Fn(item) if is_test(&item.attrs)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let leaves = leaves(&item.tree).into_iter();
        self.found.extend(leaves.map(|leaf| Found {
            segments: leaf.path,
            line: leaf.line,
            in_use: true,
        }));
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let segments = path.segments.iter();
            self.found.push(Found {
                segments: segments.map(|segment| segment.ident.to_string()).collect(),
                line: path.segments[0].ident.span().start().line,
                in_use: false,
            });
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.visit_path(&item.path);
        self.tokens(item.tokens.clone());
    }
}

impl Paths {
    /// Paths inside of a macro, whose tokens are not parsed.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Option<Found> = None;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    match &mut path {
                        Some(path) if colons == 2 => path.segments.push(ident.to_string()),
                        _ => {
                            self.found.extend(path.take());
                            path = Some(Found {
                                segments: vec![ident.to_string()],
                                line: ident.span().start().line,
                                in_use: false,
                            });
                        }
                    }
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.found.extend(path.take());
                    self.tokens(group.stream());
                    colons = 0;
                }
                _ => {
                    self.found.extend(path.take());
                    colons = 0;
                }
            }
        }
        self.found.extend(path);
        self.found
            .retain(|found| found.in_use || found.segments.len() > 1);
    }
}

/// What a path leads to.
enum Target {
    Module(ModulePath),
    /// Something that this module defines.
    Item(ModulePath),
}

struct Resolver<'a> {
    modules: &'a BTreeMap<ModulePath, Module>,
}

impl Resolver<'_> {
    fn import(&self, path: &ModulePath, module: &Module, found: Found) -> Option<Import> {
        let target = self.resolve(path, &found.segments, 0)?;
        let to_file = match target {
            // Nothing is used of a module by naming it in a `use`.
            Target::Module(_) if found.in_use => module.file.clone(),
            Target::Module(path) | Target::Item(path) => self.modules[&path].file.clone(),
        };
        Some(Import {
            file: module.file.clone(),
            line: found.line,
            module: path[0].clone(),
            to_module: self.first_named(path, &found.segments),
            written: found.segments.join("::"),
            to_file,
        })
    }

    /// The top module that a path names first. What a `use` has brought is a matter of that `use`.
    fn first_named(&self, path: &ModulePath, segments: &[String]) -> String {
        let up = segments
            .iter()
            .take_while(|segment| *segment == "super")
            .count();
        let absolute = match segments[0].as_str() {
            "crate" => segments.get(1),
            "super" if up >= path.len() => segments.get(up),
            _ => None,
        };
        absolute.unwrap_or(&path[0]).clone()
    }

    fn resolve(&self, from: &ModulePath, segments: &[String], depth: usize) -> Option<Target> {
        let (first, mut rest) = segments.split_first()?;
        let mut at = from.clone();
        match first.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => drop(at.pop()?),
            _ => {
                let names = &self.modules[&at].names;
                if !names.contains_key(first) {
                    return None; // another crate's, or a local name
                }
                rest = segments;
            }
        }
        while let Some(("super", after)) = rest.split_first().map(|(s, after)| (s.as_str(), after))
        {
            at.pop()?;
            rest = after;
        }
        self.walk(at, rest, depth)
    }

    /// Goes on from a module.
    fn walk(&self, at: ModulePath, segments: &[String], depth: usize) -> Option<Target> {
        let Some((name, rest)) = segments.split_first() else {
            return Some(Target::Module(at));
        };
        if depth > 16 {
            return None; // imports that lead to themselves
        }
        let module = self.modules.get(&at)?;
        match module.names.get(name) {
            Some(Name::Item) => Some(Target::Item(at)),
            Some(Name::Module) => {
                let inner = [at.as_slice(), std::slice::from_ref(name)].concat();
                // A module of tests is not among them.
                self.modules.contains_key(&inner).then_some(())?;
                self.walk(inner, rest, depth)
            }
            Some(Name::Use(path)) if path.first() == Some(name) => None, // `use std::{self}` and the like
            Some(Name::Use(path)) => match self.resolve(&at, path, depth + 1)? {
                Target::Module(module) => self.walk(module, rest, depth + 1),
                item => Some(item),
            },
            None => {
                let globs = module.globs.iter();
                let modules =
                    globs.filter_map(|glob| match self.resolve(&at, glob, depth + 1)? {
                        Target::Module(module) => Some(module),
                        Target::Item(_) => None,
                    });
                let mut found = modules.filter_map(|module| {
                    self.modules.get(&module)?.names.get(name)?;
                    self.walk(module, segments, depth + 1)
                });
                // What a macro has defined is not known by name.
                found.next().or(Some(Target::Item(at.clone())))
            }
        }
    }
}
