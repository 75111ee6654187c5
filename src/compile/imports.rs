//! Reading a program's files: the one it begins with and those that `use` brings in, each parsed once.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::check::Unit;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Loader, SourceFile, Sources};
use crate::syntax::ast::{ItemKind, Use};
use crate::syntax::{NodeIds, parse};

/// A program's files.
pub(super) struct Files {
    pub(super) sources: Sources,
    pub(super) units: Vec<Unit>,
    /// How many node ids the trees use.
    pub(super) nodes: usize,
    /// What is wrong with the texts.
    pub(super) syntax: Vec<Diagnostic>,
    /// What is wrong with the imports.
    pub(super) imports: Vec<Diagnostic>,
}

/// Parses a file and, depth first, the files it uses. A `use` that cannot be followed gets a diagnostic and no file.
pub(super) fn load(source: SourceFile, loader: &dyn Loader) -> Files {
    let mut loading = Loading { loader, ids: NodeIds::default(), known: FxHashMap::default(), files: Files::empty() };
    let root = loading.add(source);
    // The chain of files from the root to the one at hand, each with the item to look at next. A stack of its own, as
    // a chain of imports may be longer than ours.
    let mut chain = vec![(root, 0)];
    while let Some((file, next)) = chain.last_mut() {
        let file = *file;
        let Some((index, item)) = loading.next_use(file, *next) else {
            chain.pop();
            continue;
        };
        *next = index + 1;
        if let Some(target) = loading.follow(file, index, &item, &chain) {
            chain.push((target, 0));
        }
    }
    loading.files.nodes = loading.ids.count();
    loading.files
}

impl Files {
    fn empty() -> Self {
        Self { sources: Sources::default(), units: Vec::new(), nodes: 0, syntax: Vec::new(), imports: Vec::new() }
    }

    fn name(&self, file: FileId) -> Arc<str> {
        self.sources.get(file).map_or_else(|| Arc::from(""), |file| Arc::from(file.name()))
    }
}

struct Loading<'a> {
    loader: &'a dyn Loader,
    ids: NodeIds,
    /// Files by their names, `./` at the beginning left out.
    known: FxHashMap<String, FileId>,
    files: Files,
}

impl Loading<'_> {
    fn add(&mut self, source: SourceFile) -> FileId {
        let key = key(source.name());
        let id = self.files.sources.add(source);
        self.known.insert(key, id);
        if let Some(source) = self.files.sources.get(id) {
            let parsed = parse(source, id, &mut self.ids);
            self.files.syntax.extend(parsed.diagnostics);
            self.files.units.push(Unit { id, tree: parsed.file, imports: FxHashMap::default() });
        }
        id
    }

    /// The first `use` of a file from an item on.
    fn next_use(&self, file: FileId, from: usize) -> Option<(usize, Use)> {
        let items = &self.files.units.get(file.0 as usize)?.tree.items;
        items.iter().enumerate().skip(from).find_map(|(index, item)| match &item.kind {
            ItemKind::Use(found) => Some((index, found.clone())),
            _ => None,
        })
    }

    /// Finds the file that a `use` names; gives it where it is new.
    fn follow(&mut self, file: FileId, index: usize, item: &Use, chain: &[(FileId, usize)]) -> Option<FileId> {
        let source = match self.loader.load(&self.files.name(file), &item.path) {
            Ok(source) => source,
            Err(why) => {
                let help = "a path in `use` is relative to the file it stands in";
                self.files.imports.push(Diagnostic::new(Code::IMPORT, item.path_span, why).help(help));
                return None;
            }
        };
        let known = self.known.get(&key(source.name())).copied();
        if let Some(target) = known
            && let Some(at) = chain.iter().position(|(link, _)| *link == target)
        {
            let links = chain.iter().skip(at).map(|(link, _)| *link).chain([target]);
            let names: Vec<String> = links.map(|link| format!("`{}`", self.files.name(link))).collect();
            let message = if names.len() == 2 {
                "this file imports itself".to_owned()
            } else {
                format!("these files import each other: {}", names.join(" → "))
            };
            let help = "move what both need into a third file that imports neither";
            self.files.imports.push(Diagnostic::new(Code::IMPORT_CYCLE, item.path_span, message).help(help));
            return None;
        }
        let target = known.unwrap_or_else(|| self.add(source));
        if let Some(unit) = self.files.units.get_mut(file.0 as usize) {
            unit.imports.insert(index, target);
        }
        known.is_none().then_some(target)
    }
}

/// A name under which a file is known once: `./a.flow` is `a.flow`.
fn key(name: &str) -> String {
    let mut rest = name;
    while let Some(shorter) = rest.strip_prefix("./") {
        rest = shorter;
    }
    rest.to_owned()
}
