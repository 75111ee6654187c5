//! Items: what stands at the top of a file.

use super::ast::{
    Annotation, Block, Expr, FlowDecl, FnBody, FnDecl, Item, ItemKind, Name, Param, TestDecl, ToolDecl, TypeDecl,
    TypeExpr, Use,
};
use super::parse::{Builder, Pair, Rule};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Span;
use crate::types::Text;

/// What the items with a head are made of.
struct Head {
    name: Option<Name>,
    generics: Vec<Name>,
    params: Vec<Param>,
    result: Option<TypeExpr>,
    value: Option<Expr>,
    block: Option<Block>,
}

/// The items so far, and what matters for going on after a mistake.
#[derive(Default)]
pub(super) struct Items {
    pub(super) list: Vec<Item>,
    /// Where the last part ended.
    end: usize,
    /// Whether something was wrong in it.
    mistaken: bool,
}

impl Builder<'_> {
    /// An `item` or a `lost_item`.
    pub(super) fn part(&mut self, part: Pair<'_>, items: &mut Items) {
        let before = self.diagnostics.len();
        let same_line = !self.between(items.end, part.start()).contains('\n');
        items.end = self.trim(part.start(), part.end());
        match part.as_rule() {
            Rule::item => {
                let item = self.item(part);
                items.list.push(item);
                items.mistaken = self.diagnostics.len() > before;
            }
            _ if items.mistaken && same_line => {}
            _ => {
                items.mistaken = true;
                self.lost_item(&part);
            }
        }
    }

    fn item(&mut self, pair: Pair<'_>) -> Item {
        let span = self.span(&pair);
        let mut doc = self.doc(&pair);
        let mut annotations = Vec::new();
        let mut kind = ItemKind::Error;
        for part in pair.into_inner() {
            // Documentation may stand between the annotations too.
            doc = doc.or_else(|| self.doc(&part));
            match part.as_rule() {
                Rule::annotation => annotations.push(self.annotation(part)),
                Rule::use_item => kind = self.use_item(part),
                Rule::type_item => kind = self.type_item(part),
                Rule::tool_item => {
                    let tool_params = true;
                    let head = self.head(part, tool_params);
                    kind = head.name.map_or(ItemKind::Error, |name| {
                        ItemKind::Tool(ToolDecl {
                            name,
                            generics: head.generics,
                            params: head.params,
                            result: head.result,
                        })
                    });
                }
                Rule::fn_item => kind = self.fn_item(part, span),
                Rule::flow_item => kind = self.flow_item(part, span),
                Rule::test_item => kind = self.test_item(part, span),
                _ => self.missing(&part),
            }
        }
        Item { span, doc, annotations, kind }
    }

    fn annotation(&mut self, pair: Pair<'_>) -> Annotation {
        let span = self.span(&pair);
        let mut name = Name { text: Text::default(), span };
        let mut args = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word => name = self.name(&part),
                Rule::args => args = self.args(part),
                _ => self.missing(&part),
            }
        }
        Annotation { span, name, args }
    }

    fn use_item(&mut self, pair: Pair<'_>) -> ItemKind {
        let mut names = Vec::new();
        let mut path = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::use_names => {
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::name | Rule::reserved_name | Rule::no_name => names.extend(self.declared(&part)),
                            _ => self.missing(&part),
                        }
                    }
                }
                Rule::bare_use => {
                    let span = self.span(&part);
                    names.extend(part.into_inner().filter_map(|part| self.declared(&part)));
                    if !names.is_empty() {
                        let text = format!("{{ {} }}", self.slice(span));
                        self.report(Diagnostic::new(Code::SYNTAX, span, "the names of a `use` stand in braces").fix(
                            "add braces",
                            span,
                            text,
                        ));
                    }
                }
                Rule::plain_line | Rule::plain_block | Rule::raw_string => {
                    let span = self.span(&part);
                    path = self.plain_string(part).map(|path| (path, span));
                }
                _ => self.missing(&part),
            }
        }
        match path {
            Some((path, path_span)) => ItemKind::Use(Use { names, path, path_span }),
            None => ItemKind::Error,
        }
    }

    fn type_item(&mut self, pair: Pair<'_>) -> ItemKind {
        let mut name = None;
        let mut ty = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name | Rule::reserved_name | Rule::no_name => name = self.declared(&part),
                Rule::type_expr | Rule::no_type => ty = Some(self.ty(part)),
                _ => self.missing(&part),
            }
        }
        match (name, ty) {
            (Some(name), Some(ty)) => ItemKind::Type(TypeDecl { name, ty }),
            _ => ItemKind::Error,
        }
    }

    /// Name, parameters, result and body. A tool's parameters may have any word for a name: they are never locals.
    fn head(&mut self, pair: Pair<'_>, any_word: bool) -> Head {
        let mut head =
            Head { name: None, generics: Vec::new(), params: Vec::new(), result: None, value: None, block: None };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name | Rule::reserved_name | Rule::no_name => head.name = self.declared(&part),
                Rule::callee => head.name = Some(self.name(&part)),
                Rule::generics => {
                    head.generics = part.into_inner().filter_map(|part| self.declared(&part)).collect();
                }
                Rule::params => head.params = self.params(part, any_word),
                Rule::result => head.result = part.into_inner().next().map(|part| self.ty(part)),
                Rule::fn_value => head.value = part.into_inner().next().map(|part| self.expr(part)),
                Rule::block | Rule::no_block => head.block = Some(self.block(part)),
                _ => self.missing(&part),
            }
        }
        head
    }

    fn params(&mut self, pair: Pair<'_>, any_word: bool) -> Vec<Param> {
        let mut params = pair.list();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::param => {
                    let param = self.param(part);
                    if !any_word {
                        self.check_declared(&param.name);
                    }
                    params.push(param);
                }
                _ => self.missing(&part),
            }
        }
        params
    }

    fn param(&mut self, pair: Pair<'_>) -> Param {
        let span = self.span(&pair);
        let doc = self.doc(&pair);
        let id = self.fresh();
        let mut name = self.no_name(&pair);
        let mut optional = false;
        let (mut ty, mut default) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word => name = self.name(&part),
                Rule::optional => optional = true,
                Rule::type_expr | Rule::no_type => ty = Some(self.ty(part)),
                Rule::default => default = part.into_inner().next().map(|part| self.expr(part)),
                _ => self.missing(&part),
            }
        }
        let ty = ty.unwrap_or_else(|| self.error_type(span));
        Param { id, span, doc, name, optional, ty, default }
    }

    fn fn_item(&mut self, pair: Pair<'_>, span: Span) -> ItemKind {
        let any_word = false;
        let head = self.head(pair, any_word);
        let body = match (head.value, head.block) {
            (Some(value), _) => FnBody::Expr(value),
            (None, Some(block)) => FnBody::Block(block),
            (None, None) => FnBody::Block(self.error_block(span)),
        };
        match head.name {
            Some(name) => ItemKind::Fn(FnDecl { name, params: head.params, result: head.result, body }),
            None => ItemKind::Error,
        }
    }

    fn flow_item(&mut self, pair: Pair<'_>, span: Span) -> ItemKind {
        let any_word = false;
        let head = self.head(pair, any_word);
        let body = head.block.unwrap_or_else(|| self.error_block(span));
        match head.name {
            Some(name) => ItemKind::Flow(FlowDecl { name, params: head.params, result: head.result, body }),
            None => ItemKind::Error,
        }
    }

    fn test_item(&mut self, pair: Pair<'_>, span: Span) -> ItemKind {
        let mut title = None;
        let mut body = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::block | Rule::no_block => body = Some(self.block(part)),
                Rule::no_string => self.missing(&part),
                _ => {
                    let span = self.span(&part);
                    title = self.plain_string(part).map(|title| (title, span));
                }
            }
        }
        let body = body.unwrap_or_else(|| self.error_block(span));
        match title {
            Some((title, title_span)) => ItemKind::Test(TestDecl { title, title_span, body }),
            None => ItemKind::Error,
        }
    }

    /// Text that begins no item.
    fn lost_item(&mut self, pair: &Pair<'_>) {
        let (found, words) = self.found(pair.start());
        let word = self.slice(found);
        let begins = "a file holds `use`, `type`, `tool`, `fn`, `flow` and `test`";
        let diagnostic = match word {
            "function" | "def" | "func" => {
                Diagnostic::new(Code::SYNTAX, found, format!("`{word}` begins nothing here"))
                    .help("a pure function is a `fn`; what calls tools is a `flow`")
                    .suggest("make it a `flow`", found, "flow")
                    .suggest("make it a `fn`", found, "fn")
            }
            "import" => Diagnostic::new(Code::SYNTAX, found, "names come in with `use { name } from \"./file.flow\"`"),
            "}" | ")" | "]" => Diagnostic::new(
                Code::SYNTAX,
                found,
                format!("nothing is open that `{word}` would close"),
            )
            .suggest(format!("remove `{word}`"), found, ""),
            ";" => Diagnostic::new(Code::SYNTAX, found, "items are not ended with `;`").fix("remove `;`", found, ""),
            "let" | "step" | "var" | "return" | "if" | "for" | "yield" | "emit" => {
                Diagnostic::new(Code::SYNTAX, found, format!("`{word}` stands in a `flow`, not at the top of a file"))
            }
            _ => {
                let told = Diagnostic::new(Code::SYNTAX, found, format!("{begins}, found {words}"));
                match nearest(word, ["use", "type", "tool", "fn", "flow", "test"]) {
                    Some(keyword) => told.fix(format!("replace it with `{keyword}`"), found, keyword),
                    None => told,
                }
            }
        };
        self.report(diagnostic);
    }
}
