//! Top-level names: what each file declares and imports, and what its callables take.

use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::check::call::{Parameter, Parameters};
use crate::check::context::Checker;
use crate::check::types::Measure;
use crate::check::{ItemRef, Unit};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::{FileId, Span};
use crate::syntax::ast::{self, Expr, ExprKind, Item, ItemKind, ListItem, Literal, Name, PrefixOp, RecordField};
use crate::types::{Annotations, Param, Signature, Text, Type};

/// What is known of items beyond their names.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    /// What each type declaration means.
    pub(crate) types: FxHashMap<ItemRef, (Type, Measure)>,
    /// What each flow and function takes.
    pub(crate) parameters: FxHashMap<ItemRef, Arc<Parameters>>,
    /// Tools that a `tool` item declares, by their dotted names.
    pub(crate) tools: FxHashMap<Text, Arc<Signature>>,
    /// What each tool takes, as far as it was asked for.
    pub(crate) tool_parameters: FxHashMap<Text, Arc<Parameters>>,
    /// Names whose import failed: silent wherever they are used.
    pub(crate) unknown: FxHashSet<(FileId, Text)>,
    /// Imported names, with where they stand and whether anything used them.
    imports: IndexMap<(FileId, Text), (Span, bool), FxBuildHasher>,
    /// Type declarations that are being resolved, outermost first.
    pub(crate) resolving: Vec<ItemRef>,
    /// The type parameters of the tool at hand.
    pub(crate) generics: Vec<Text>,
    /// Whether `secret` may stand in the type at hand.
    pub(crate) secret_allowed: bool,
}

impl<'a> Checker<'a> {
    /// Collects the names of every file and what their types and signatures mean.
    pub(crate) fn items(&mut self) {
        let units = self.units;
        for unit in units {
            self.declare_items(unit);
        }
        for unit in units {
            self.import_items(unit);
        }
        for unit in units {
            self.file = unit.id;
            for (index, item) in unit.tree.items.iter().enumerate() {
                self.item_signature(ItemRef { file: unit.id, index: index as u32 }, item);
            }
        }
    }

    /// Warns of imports that nothing used; after all bodies are checked.
    pub(crate) fn unused_imports(&mut self) {
        let imports = std::mem::take(&mut self.declared.imports);
        for ((_, name), (span, used)) in imports {
            if !used {
                self.report(
                    Diagnostic::new(Code::UNUSED, span, format!("`{name}` is imported and never used"))
                        .help("remove it from the `use`"),
                );
            }
        }
    }

    /// An item by its reference.
    pub(crate) fn item(&self, of: ItemRef) -> Option<&'a Item> {
        let units: &'a [Unit] = self.units;
        let unit = units.get(of.file.0 as usize).filter(|unit| unit.id == of.file);
        unit.or_else(|| units.iter().find(|unit| unit.id == of.file))?.tree.items.get(of.index as usize)
    }

    /// The item that a name stands for in the file at hand; an import is then used.
    pub(crate) fn named(&mut self, name: &str) -> Option<ItemRef> {
        let item = self.items.get(&self.file)?.get(name).copied()?;
        if item.file != self.file
            && let Some((_, used)) = self.declared.imports.get_mut(&(self.file, Text::new(name)))
        {
            *used = true;
        }
        Some(item)
    }

    /// Whether a name's import failed, which has been reported.
    pub(crate) fn is_unknown_import(&self, name: &str) -> bool {
        !self.declared.unknown.is_empty() && self.declared.unknown.contains(&(self.file, Text::new(name)))
    }

    /// Where the type of a name is declared, if the file at hand sees one.
    pub(crate) fn type_named(&self, name: &str) -> Option<Span> {
        let item = self.item(self.items.get(&self.file)?.get(name).copied()?)?;
        match &item.kind {
            ItemKind::Type(decl) => Some(decl.name.span),
            _ => None,
        }
    }

    fn declare_items(&mut self, unit: &Unit) {
        let mut names: IndexMap<Text, ItemRef, FxBuildHasher> = IndexMap::default();
        for (index, item) in unit.tree.items.iter().enumerate() {
            let Some(name) = declared_name(&item.kind) else { continue };
            if matches!(item.kind, ItemKind::Type(_)) && Type::NAMES.contains(&name.text.as_str()) {
                let message = format!("the type `{}` is built in", name.text);
                self.report(Diagnostic::new(Code::DUPLICATE, name.span, message).help("choose another name"));
                continue;
            }
            if let Some(first) = names.get(&name.text).and_then(|first| self.item(*first)) {
                let first = declared_name(&first.kind).map_or(first.span, |name| name.span);
                self.report_duplicate(name, first);
                continue;
            }
            names.insert(name.text.clone(), ItemRef { file: unit.id, index: index as u32 });
        }
        self.items.insert(unit.id, names);
    }

    fn report_duplicate(&mut self, name: &Name, first: Span) {
        self.report(
            Diagnostic::new(Code::DUPLICATE, name.span, format!("`{}` is declared twice", name.text))
                .label(first, "first declared here"),
        );
    }

    fn import_items(&mut self, unit: &Unit) {
        for (index, item) in unit.tree.items.iter().enumerate() {
            let ItemKind::Use(import) = &item.kind else { continue };
            let from = unit.imports.get(&index).copied();
            for name in &import.names {
                match from {
                    Some(from) => self.import(unit.id, name, from, &import.path),
                    None => _ = self.declared.unknown.insert((unit.id, name.text.clone())),
                }
            }
        }
    }

    fn import(&mut self, into: FileId, name: &Name, from: FileId, path: &str) {
        let declared = self.items.get(&from);
        // What a file imports itself it does not hand on.
        let found = declared.and_then(|items| items.get(&name.text)).filter(|item| item.file == from).copied();
        let Some(found) = found else {
            let names = declared.into_iter().flatten().filter(|(_, item)| item.file == from);
            let near = nearest(&name.text, names.map(|(name, _)| name.as_str())).map(str::to_owned);
            let mut wrong = Diagnostic::new(Code::IMPORT, name.span, format!("`{path}` declares no `{}`", name.text));
            if let Some(near) = near {
                wrong = wrong.fix(format!("import `{near}`"), name.span, near);
            }
            self.report(wrong);
            self.declared.unknown.insert((into, name.text.clone()));
            return;
        };
        let taken = self.items.get(&into).and_then(|items| items.get(&name.text)).copied();
        if let Some(taken) = taken {
            let first = self.declared.imports.get(&(into, name.text.clone())).map(|(span, _)| *span);
            let declared = self.item(taken).and_then(|item| declared_name(&item.kind)).map(|name| name.span);
            self.report_duplicate(name, first.or(declared).unwrap_or(name.span));
            return;
        }
        self.items.entry(into).or_default().insert(name.text.clone(), found);
        self.declared.imports.insert((into, name.text.clone()), (name.span, false));
    }

    fn item_signature(&mut self, at: ItemRef, item: &'a Item) {
        match &item.kind {
            ItemKind::Type(_) => {
                self.declared_type(at);
            }
            ItemKind::Fn(decl) => {
                let of = format!("the function `{}`", decl.name.text);
                self.callable(at, of, &decl.params, decl.result.as_ref());
            }
            ItemKind::Flow(decl) => {
                let of = format!("the flow `{}`", decl.name.text);
                self.callable(at, of, &decl.params, decl.result.as_ref());
            }
            ItemKind::Tool(decl) => self.declared_tool(item, decl),
            ItemKind::Use(_) | ItemKind::Test(_) | ItemKind::Error => {}
        }
    }

    fn callable(&mut self, at: ItemRef, of: String, params: &[ast::Param], result: Option<&ast::TypeExpr>) {
        let list = self.parameter_list(params);
        self.declared.parameters.insert(at, Arc::new(Parameters { of, list }));
        if let Some(result) = result {
            let result = self.resolve_type(result);
            self.out.returns.insert(at, result);
        }
    }

    /// The parameters as callers see them; what the callable itself sees is recorded on their ids.
    fn parameter_list(&mut self, params: &[ast::Param]) -> Vec<Parameter> {
        let mut list: Vec<Parameter> = Vec::with_capacity(params.len());
        for param in params {
            let ty = self.resolve_type(&param.ty);
            let ty = if param.optional { ty.or_null() } else { ty };
            self.record(param.id, ty.clone());
            if let Some(first) = list.iter().find(|other| other.name == param.name.text).and_then(|first| first.span) {
                self.report_duplicate(&param.name, first);
                continue;
            }
            let required = !param.optional && param.default.is_none();
            list.push(Parameter { name: param.name.text.clone(), ty, required, span: Some(param.name.span) });
        }
        list
    }

    fn declared_tool(&mut self, item: &Item, decl: &ast::ToolDecl) {
        self.declared.generics = decl.generics.iter().map(|name| name.text.clone()).collect();
        self.declared.secret_allowed = true;
        let list = self.parameter_list(&decl.params);
        self.declared.secret_allowed = false;
        let result = decl.result.as_ref().map_or(Type::Null, |result| self.resolve_type(result));
        let generics = std::mem::take(&mut self.declared.generics);
        for param in &decl.params {
            if let Some(default) = &param.default {
                let ty = self.out.ty(param.id).clone();
                self.expect(default, &ty, format_args!("the default of `{}`", param.name.text));
            }
        }
        let params = decl.params.iter().zip(&list).map(|(param, seen)| Param {
            name: seen.name.clone(),
            ty: seen.ty.clone(),
            required: seen.required,
            default: param.default.as_ref().and_then(constant),
            doc: param.doc.clone().unwrap_or_default(),
        });
        let signature = Signature {
            name: decl.name.text.clone(),
            doc: item.doc.clone().unwrap_or_default(),
            generics,
            params: params.collect(),
            result,
            annotations: annotations(&item.annotations),
        };
        match self.declared.tools.get(&decl.name.text) {
            // Two files may ask for the same tool, as long as they agree.
            Some(first) if first.params != signature.params || first.result != signature.result => {
                let message = format!("the tool `{}` is declared twice", decl.name.text);
                self.report(Diagnostic::new(Code::DUPLICATE, decl.name.span, message));
            }
            Some(_) => {}
            None => _ = self.declared.tools.insert(decl.name.text.clone(), Arc::new(signature)),
        }
    }

    /// A tool by its dotted name, declared or in the catalog; one that is not there is reported with the nearest.
    pub(crate) fn tool(&mut self, name: &Name) -> Option<Arc<Signature>> {
        if let Some(tool) = self.tool_named(&name.text) {
            return Some(tool);
        }
        let declared = self.declared.tools.keys();
        let names = declared.chain(self.catalog.iter().map(|tool| &tool.name)).map(Text::as_str);
        let near = nearest(&name.text, names).map(str::to_owned);
        let mut wrong = Diagnostic::new(Code::UNKNOWN_TOOL, name.span, format!("there is no tool `{}`", name.text));
        let namespace = name.text.split_once('.').map_or(name.text.as_str(), |(namespace, _)| namespace);
        if let Some(near) = near {
            wrong = wrong.fix(format!("call `{near}`"), name.span, near);
        } else if let Some(others) = self.tools_of(namespace) {
            wrong = wrong.help(format!("`{namespace}` has {others}"));
        } else {
            wrong = wrong.help(format!(
                "tools come from the host, from `flow.toml` or from a declaration such as `tool {}(…) -> T`",
                name.text
            ));
        }
        self.report(wrong);
        None
    }

    /// A tool by its dotted name.
    pub(crate) fn tool_named(&self, name: &str) -> Option<Arc<Signature>> {
        self.declared.tools.get(name).or_else(|| self.catalog.get(name)).map(Arc::clone)
    }

    /// The first few tools of a namespace, as a list in words.
    fn tools_of(&self, namespace: &str) -> Option<String> {
        let in_it = |name: &Text| name.split_once('.').is_some_and(|(first, _)| first == namespace);
        let declared = self.declared.tools.keys().filter(|name| in_it(name));
        let all = declared.chain(self.catalog.iter().map(|tool| &tool.name).filter(|name| in_it(name)));
        let mut names: Vec<String> = all.take(8).map(|name| format!("`{name}`")).collect();
        names.sort();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// Whether any tool's name begins with `namespace.`.
    pub(crate) fn has_namespace(&self, namespace: &str) -> bool {
        let declared = |name: &Text| name.split_once('.').is_some_and(|(first, _)| first == namespace);
        self.catalog.has_namespace(namespace) || self.declared.tools.keys().any(declared)
    }
}

/// The name that an item puts in sight of its file. Tools have names of their own.
fn declared_name(item: &ItemKind) -> Option<&Name> {
    match item {
        ItemKind::Type(decl) => Some(&decl.name),
        ItemKind::Fn(decl) => Some(&decl.name),
        ItemKind::Flow(decl) => Some(&decl.name),
        ItemKind::Use(_) | ItemKind::Tool(_) | ItemKind::Test(_) | ItemKind::Error => None,
    }
}

/// What annotations say of a tool; whether they may say it is checked with the other annotations.
fn annotations(of: &[ast::Annotation]) -> Annotations {
    let mut known = Annotations::default();
    for annotation in of {
        let first = annotation.args.first().map(|arg| &arg.value.kind);
        match (annotation.name.text.as_str(), first) {
            ("read_only", _) => (known.read_only, known.destructive) = (Some(true), Some(false)),
            ("idempotent", _) => known.idempotent = Some(true),
            ("destructive", _) => known.destructive = Some(true),
            ("key", Some(ExprKind::Name(name))) => known.key = Some(name.clone()),
            ("cost", Some(ExprKind::Literal(Literal::Float(usd)))) => known.cost_usd = Some(*usd),
            ("cost", Some(ExprKind::Literal(Literal::Int(usd)))) => known.cost_usd = Some(*usd as f64),
            _ => {}
        }
    }
    known
}

/// A constant expression as JSON, for people to read; none where it is not constant.
fn constant(expr: &Expr) -> Option<serde_json::Value> {
    match &expr.kind {
        ExprKind::Literal(literal) => Some(match literal {
            Literal::Null => serde_json::Value::Null,
            Literal::Bool(bool) => (*bool).into(),
            Literal::Int(int) => (*int).into(),
            Literal::Float(float) => (*float).into(),
            Literal::String(text) => text.as_str().into(),
            Literal::Duration(millis) => (*millis as f64 / 1000.0).into(),
        }),
        ExprKind::Paren(inner) => constant(inner),
        ExprKind::Prefix(operators, inner) => match (operators.as_slice(), constant(inner)?) {
            ([(PrefixOp::Neg, _)], serde_json::Value::Number(number)) => match number.as_i64() {
                Some(int) => Some(int.checked_neg()?.into()),
                None => Some((-number.as_f64()?).into()),
            },
            _ => None,
        },
        ExprKind::List(items) => items
            .iter()
            .map(|item| match item {
                ListItem::Value(value) => constant(value),
                ListItem::Spread(_) => None,
            })
            .collect(),
        ExprKind::Record(fields) => {
            let fields = fields.iter().map(|field| match field {
                RecordField::Value(name, value) => Some((name.text.to_string(), constant(value)?)),
                _ => None,
            });
            fields.collect::<Option<serde_json::Map<_, _>>>().map(serde_json::Value::Object)
        }
        _ => None,
    }
}
