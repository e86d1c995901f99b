//! What source files name: every path of their code, read by a parser, as far as their tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// A path that stands in a file, from its crate's root where it begins inside the crate.
pub type Named = Vec<String>;

/// A source file: the rooms that it lies in, and what it names.
pub struct Source {
    pub path: PathBuf,
    /// Names of the modules that lead to it.
    pub module: Named,
    /// Paths that begin in the crate.
    pub inside: BTreeSet<Named>,
    /// All others.
    pub outside: BTreeSet<Named>,
    /// What it makes public of its own modules: the name, and where it is.
    pub public: Vec<(String, Named)>,
    /// Names of its types and traits that other files may name.
    pub types: Vec<String>,
}

/// Every Rust file below the folder with the crate's root. `name` is what the crate is called by
/// its programs.
pub fn read_crate(folder: &Path, name: &str) -> Vec<Source> {
    let code = files(folder).into_iter().filter(|path| !path.iter().any(|part| part == "tests"));
    code.map(|path| read(&fs::read_to_string(&path).unwrap(), &path, folder, name)).collect()
}

/// Every Rust file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    assert!(!found.is_empty(), "{} holds no source", folder.display());
    found
}

/// Reads the text of the file at `path`.
pub fn read(text: &str, path: &Path, root: &Path, name: &str) -> Source {
    let inner = path.strip_prefix(root).unwrap().with_extension("");
    let mut module: Named = inner.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (inside, outside, public, types) = (BTreeSet::new(), BTreeSet::new(), Vec::new(), Vec::new());
    let source = Source { path: path.to_owned(), module: module.clone(), inside, outside, public, types };
    let mut reader = Reader { source, module, name: name.to_owned() };
    reader.visit_file(&file);
    reader.source
}

struct Reader {
    source: Source,
    /// Where the reader is: modules may stand in a file.
    module: Named,
    name: String,
}

impl Reader {
    fn note(&mut self, named: Named) {
        match self.absolute(&named) {
            Some(inside) => self.source.inside.insert(inside),
            None => self.source.outside.insert(named),
        };
    }

    /// The path from the crate's root, unless it begins elsewhere.
    fn absolute(&self, named: &[String]) -> Option<Named> {
        let mut at = match named.first()?.as_str() {
            "crate" => Vec::new(),
            first if first == self.name => Vec::new(),
            "self" | "super" => self.module.clone(),
            _ => return None,
        };
        for (place, part) in named.iter().enumerate() {
            match part.as_str() {
                "super" => drop(at.pop()),
                _ if place == 0 => {}
                "self" => {}
                other => at.push(other.to_owned()),
            }
        }
        Some(at)
    }

    fn tree(&mut self, tree: &syn::UseTree, before: &[String], public: bool) {
        let with = |ident: &syn::Ident| [before, &[ident.to_string()]].concat();
        let (named, known_as) = match tree {
            syn::UseTree::Path(path) => return self.tree(&path.tree, &with(&path.ident), public),
            syn::UseTree::Group(group) => {
                return group.items.iter().for_each(|item| self.tree(item, before, public));
            }
            syn::UseTree::Name(name) => (with(&name.ident), name.ident.to_string()),
            syn::UseTree::Rename(name) => (with(&name.ident), name.rename.to_string()),
            // Whatever is there: the place itself is used.
            syn::UseTree::Glob(_) => (before.to_vec(), "*".to_owned()),
        };
        if public {
            let named = self.absolute(&named).unwrap_or_else(|| [&*self.module, &named].concat());
            self.source.public.push((known_as, named));
        }
        self.note(named);
    }

    fn defines(&mut self, visibility: &syn::Visibility, name: &syn::Ident) {
        if !matches!(visibility, syn::Visibility::Inherited) {
            self.source.types.push(name.to_string());
        }
    }

    /// Macros and attributes may hold anything, so what looks like a path in them is one.
    fn tokens(&mut self, text: &str) {
        let text = text.replace(" ::", "::").replace(":: ", "::");
        let of_a_name = |letter: char| letter.is_alphanumeric() || letter == '_';
        let mut rest = text.as_str();
        while let Some(at) = rest.find(of_a_name) {
            rest = rest.get(at..).unwrap_or_default();
            let mut named = Named::new();
            loop {
                let end = rest.find(|letter| !of_a_name(letter)).unwrap_or(rest.len());
                let (name, after) = rest.split_at(end);
                named.push(name.to_owned());
                rest = after;
                match after.strip_prefix("::").filter(|next| next.starts_with(of_a_name)) {
                    Some(next) => rest = next,
                    None => break,
                }
            }
            if named.len() > 1 {
                self.note(named);
            }
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.meta.require_list().map(|list| list.tokens.to_string());
        attribute.path().is_ident("cfg")
            && condition
                .is_ok_and(|text| text.split(|c: char| !c.is_alphanumeric()).any(|word| word == "test"))
    })
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.tree(&item.tree, &[], matches!(item.vis, syn::Visibility::Public(_)));
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            self.module.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.defines(&item.vis, &item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.defines(&item.vis, &item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.defines(&item.vis, &item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.defines(&item.vis, &item.ident);
        visit::visit_item_type(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.note(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    /// Says who may look, and uses nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.tokens(&called.tokens.to_string());
        visit::visit_macro(self, called);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        match &attribute.meta {
            syn::Meta::List(list) => self.tokens(&list.tokens.to_string()),
            syn::Meta::NameValue(pair) if !pair.path.is_ident("doc") => visit::visit_expr(self, &pair.value),
            _ => {}
        }
    }
}
