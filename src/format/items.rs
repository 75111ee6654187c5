//! Files and items.

use super::Printer;
use super::comments::Line;
use super::doc::Doc;
use super::literals::escape;
use crate::source::Span;
use crate::syntax::ast::{
    Annotation, File, FlowDecl, FnBody, FnDecl, Item, ItemKind, Param, ToolDecl, TypeDecl, TypeExpr, TypeExprKind,
};

impl<'a> Printer<'a> {
    pub(super) fn file(&mut self, file: &'a File) -> Doc {
        let end = self.text.len() as u32 + 1;
        let mut kinds = Vec::new();
        let mut lines = self.lines(
            &file.items,
            (0, end),
            |item| item.span,
            |this, item| {
                let doc = this.item(item);
                kinds.push((kind(item), doc.is_forced()));
                doc
            },
        );
        part_items(&mut lines, &kinds);
        Self::stack(lines)
    }

    fn item(&mut self, item: &'a Item) -> Doc {
        let (doc, annotations) = (Self::doc_comment(item.doc.as_deref()), self.annotations(item));
        let declared = match &item.kind {
            ItemKind::Use(import) => {
                let span = Span { end: import.path_span.start, ..item.span };
                let inside = (import.names.first().map_or(span.start, |name| name.span.start), span.end);
                let lines =
                    self.lines(&import.names, inside, |name| name.span, |_, name| Doc::text(name.text.as_str()));
                let names = self.commas("{", lines, "}", true);
                Doc::concat([Doc::text("use "), names, Doc::text(" from "), self.plain(&import.path, import.path_span)])
            }
            ItemKind::Type(decl) => self.type_decl(decl),
            ItemKind::Tool(decl) => self.tool(decl),
            ItemKind::Fn(decl) => self.function(decl),
            ItemKind::Flow(decl) => self.flow(decl),
            ItemKind::Test(decl) => {
                let title = self.plain(&decl.title, decl.title_span);
                Doc::concat([Doc::text("test "), title, Doc::text(" "), self.block(&decl.body)])
            }
            ItemKind::Error => Doc::text(self.slice(item.span)),
        };
        Doc::concat([doc, annotations, declared])
    }

    /// The annotations above what is declared, with the comments among them.
    fn annotations(&mut self, item: &'a Item) -> Doc {
        let Some(mut end) = item.annotations.last().map(|last| last.span.end) else { return Doc::nil() };
        let inside = (item.span.start, end);
        let mut lines = self.lines(&item.annotations, inside, |it| it.span, |this, it| this.annotation(it));
        self.comments_before(declared_at(item), u32::MAX, &mut end, &mut lines);
        let mut after_comment = false;
        for line in &mut lines {
            line.blank &= after_comment;
            after_comment = line.comment;
        }
        Doc::concat([Self::stack(lines), Doc::hard_line()])
    }

    /// A string without holes, as it is spelled.
    fn plain(&self, text: &str, span: Span) -> Doc {
        let source = self.slice(span);
        if source.starts_with(['"', '\'']) && !source.contains('\n') {
            return Doc::text(source);
        }
        Doc::text(format!("\"{}\"", escape(text, false)))
    }

    fn annotation(&mut self, annotation: &'a Annotation) -> Doc {
        let name = Doc::text(format!("@{}", annotation.name.text));
        if annotation.args.is_empty() {
            return name;
        }
        let span = Span { start: annotation.name.span.end, ..annotation.span };
        Doc::concat([name, self.args(&annotation.args, span)])
    }

    fn type_decl(&mut self, decl: &'a TypeDecl) -> Doc {
        let head = Doc::text(format!("type {} =", decl.name.text));
        if let TypeExprKind::Union(members) = &decl.ty.kind {
            return Doc::concat([head, self.union_lines(members, &decl.ty)]);
        }
        Doc::concat([head, Doc::text(" "), self.ty(&decl.ty)])
    }

    /// A union on one line, or each member on its own with `|` before it.
    fn union_lines(&mut self, members: &'a [TypeExpr], ty: &TypeExpr) -> Doc {
        let inside = (ty.span.start, ty.span.end);
        let lines = self.lines(members, inside, |member| member.span, |this, member| this.member(member));
        let mut parts = Vec::new();
        let mut first = true;
        for line in lines {
            parts.push(Doc::line());
            if line.comment {
                parts.extend([line.doc, Doc::break_here()]);
                continue;
            }
            let bar = if first { Doc::if_broken(Doc::text("| "), Doc::nil()) } else { Doc::text("| ") };
            parts.extend([bar, line.doc]);
            first = false;
        }
        Doc::concat(parts).nest().group()
    }

    fn tool(&mut self, decl: &'a ToolDecl) -> Doc {
        let mut head = format!("tool {}", decl.name.text);
        if !decl.generics.is_empty() {
            let names: Vec<&str> = decl.generics.iter().map(|name| name.text.as_str()).collect();
            head.push_str(&format!("<{}>", names.join(", ")));
        }
        let after = decl.generics.last().map_or(decl.name.span, |last| last.span);
        Doc::concat([Doc::text(head), self.signature(after, &decl.params, decl.result.as_ref())])
    }

    fn function(&mut self, decl: &'a FnDecl) -> Doc {
        let head = Doc::text(format!("fn {}", decl.name.text));
        let signature = self.signature(decl.name.span, &decl.params, decl.result.as_ref());
        let body = match &decl.body {
            FnBody::Expr(value) => Doc::concat([Doc::text(" = "), self.expr(value)]),
            FnBody::Block(block) => Doc::concat([Doc::text(" "), self.block(block)]),
        };
        Doc::concat([head, signature, body])
    }

    fn flow(&mut self, decl: &'a FlowDecl) -> Doc {
        let head = Doc::text(format!("flow {}", decl.name.text));
        let signature = self.signature(decl.name.span, &decl.params, decl.result.as_ref());
        Doc::concat([head, signature, Doc::text(" "), self.block(&decl.body)])
    }

    fn signature(&mut self, after: Span, params: &'a [Param], result: Option<&'a TypeExpr>) -> Doc {
        let end = self.closing(params.last().map_or(after.end, |last| last.span.end), b')');
        let lines = self.lines(params, (after.end, end), |param| param.span, |this, param| this.param(param));
        let params = self.commas("(", lines, ")", false);
        match result {
            Some(result) => Doc::concat([params, Doc::text(" -> "), self.ty(result)]),
            None => params,
        }
    }

    fn param(&mut self, param: &'a Param) -> Doc {
        let doc = Self::doc_comment(param.doc.as_deref());
        let mark = if param.optional { "?: " } else { ": " };
        let mut parts = vec![doc, Doc::text(format!("{}{mark}", param.name.text)), self.ty(&param.ty)];
        if let Some(default) = &param.default {
            parts.extend([Doc::text(" = "), self.expr(default)]);
        }
        Doc::concat(parts)
    }
}

/// Where the name of what is declared stands.
fn declared_at(item: &Item) -> u32 {
    match &item.kind {
        ItemKind::Use(import) => import.names.first().map_or(import.path_span, |name| name.span),
        ItemKind::Type(decl) => decl.name.span,
        ItemKind::Tool(decl) => decl.name.span,
        ItemKind::Fn(decl) => decl.name.span,
        ItemKind::Flow(decl) => decl.name.span,
        ItemKind::Test(decl) => decl.title_span,
        ItemKind::Error => item.span,
    }
    .start
}

fn kind(item: &Item) -> &'static str {
    match &item.kind {
        ItemKind::Use(_) => "use",
        ItemKind::Type(_) => "type",
        ItemKind::Tool(_) => "tool",
        ItemKind::Fn(_) => "fn",
        ItemKind::Flow(_) => "flow",
        ItemKind::Test(_) => "test",
        ItemKind::Error => "",
    }
}

/// Sets a blank line between items, save where the author left none between imports, or between two declarations of one
/// kind that are one line each.
fn part_items(lines: &mut [Line], kinds: &[(&'static str, bool)]) {
    let mut at = 0_usize;
    let mut after_item = false;
    for line in lines {
        if line.comment {
            // A comment behind the last item belongs to the next.
            line.blank |= after_item;
            after_item = false;
            continue;
        }
        let joined = match (at.checked_sub(1).and_then(|before| kinds.get(before)), kinds.get(at)) {
            (Some((before, false)), Some((kind, false))) => {
                before == kind && matches!(*kind, "use" | "type" | "tool" | "fn")
            }
            _ => false,
        };
        line.blank |= after_item && !joined;
        after_item = true;
        at += 1;
    }
}
