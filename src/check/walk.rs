//! Walks a tree and shows every expression, call, step, type and mock to a visitor, in the order of the text.

use crate::syntax::ast::{
    Action, ActionKind, Arg, Block, Call, ClauseKind, Expr, ExprKind, FnBody, Item, ItemKind, ListItem, MatchArm, Mock,
    MockAnswer, MockArgs, Param, Pattern, PatternField, PatternKind, PostfixKind, Range, RecordField, Step, Stmt,
    StmtKind, TemplatePart, TypeExpr, TypeExprKind,
};

/// What looks at a tree.
pub(crate) trait Visitor {
    /// An expression, before what is in it.
    fn expr(&mut self, _expr: &Expr) {}
    /// A call of a tool or flow where effects are allowed, or of a function in an expression.
    fn call(&mut self, _call: &Call) {}
    /// A type, before what is in it.
    fn type_expr(&mut self, _ty: &TypeExpr) {}
    /// A step, before what is in it.
    fn step(&mut self, _step: &Step) {}
}

/// Walks an item.
pub(crate) fn item(item: &Item, visitor: &mut dyn Visitor) {
    for annotation in &item.annotations {
        args(&annotation.args, visitor);
    }
    match &item.kind {
        ItemKind::Use(_) | ItemKind::Error => {}
        ItemKind::Type(declared) => type_expr(&declared.ty, visitor),
        ItemKind::Tool(tool) => {
            params(&tool.params, visitor);
            tool.result.iter().for_each(|ty| type_expr(ty, visitor));
        }
        ItemKind::Fn(function) => {
            params(&function.params, visitor);
            function.result.iter().for_each(|ty| type_expr(ty, visitor));
            match &function.body {
                FnBody::Expr(value) => expr(value, visitor),
                FnBody::Block(body) => block(body, visitor),
            }
        }
        ItemKind::Flow(flow) => {
            params(&flow.params, visitor);
            flow.result.iter().for_each(|ty| type_expr(ty, visitor));
            block(&flow.body, visitor);
        }
        ItemKind::Test(test) => block(&test.body, visitor),
    }
}

fn params(params: &[Param], visitor: &mut dyn Visitor) {
    for param in params {
        type_expr(&param.ty, visitor);
        param.default.iter().for_each(|value| expr(value, visitor));
    }
}

/// Walks a block.
pub(crate) fn block(block: &Block, visitor: &mut dyn Visitor) {
    for stmt in &block.stmts {
        statement(stmt, visitor);
    }
}

fn statement(stmt: &Stmt, visitor: &mut dyn Visitor) {
    match &stmt.kind {
        StmtKind::Let { ty, value, .. } | StmtKind::Var { ty, value, .. } => {
            ty.iter().for_each(|ty| type_expr(ty, visitor));
            expr(value, visitor);
        }
        StmtKind::Set { value, .. } | StmtKind::Yield(value) | StmtKind::Return(value) => expr(value, visitor),
        StmtKind::Emit(value) | StmtKind::Assert(value) => expr(value, visitor),
        StmtKind::Step(of) | StmtKind::YieldStep(of) | StmtKind::ReturnStep(of) => step(of, visitor),
        StmtKind::Block(of) => action(of, visitor),
        StmtKind::Fail { value, details } => {
            expr(value, visitor);
            details.iter().for_each(|value| expr(value, visitor));
        }
        StmtKind::Mock(of) => mock(of, visitor),
        StmtKind::Break | StmtKind::Continue | StmtKind::Error => {}
    }
}

fn mock(mock: &Mock, visitor: &mut dyn Visitor) {
    if let MockArgs::Record(fields) = &mock.args {
        pattern_fields(fields, visitor);
    }
    mock.after.iter().for_each(|value| expr(value, visitor));
    if let MockAnswer::Value(value) = &mock.answer {
        expr(value, visitor);
    }
}

fn step(step: &Step, visitor: &mut dyn Visitor) {
    visitor.step(step);
    step.title.iter().for_each(|title| expr(title, visitor));
    action(&step.action, visitor);
    for clause in &step.clauses {
        match &clause.kind {
            ClauseKind::As(ty) => type_expr(ty, visitor),
            ClauseKind::Retry { count, backoff, .. } => {
                expr(count, visitor);
                backoff.iter().for_each(|backoff| range(backoff, visitor));
            }
            ClauseKind::Timeout(value) | ClauseKind::Else(value) | ClauseKind::When(value) | ClauseKind::Key(value) => {
                expr(value, visitor);
            }
            ClauseKind::Undo(of) => call(of, visitor),
        }
    }
}

fn range(range: &Range, visitor: &mut dyn Visitor) {
    expr(&range.from, visitor);
    range.to.iter().for_each(|to| expr(to, visitor));
}

/// Walks an action.
pub(crate) fn action(action: &Action, visitor: &mut dyn Visitor) {
    match &action.kind {
        ActionKind::Call(of) => call(of, visitor),
        ActionKind::Parallel(body) | ActionKind::Race(body) | ActionKind::Do(body) => block(body, visitor),
        ActionKind::For(of) => {
            expr(&of.list, visitor);
            of.limit.iter().for_each(|limit| expr(limit, visitor));
            block(&of.body, visitor);
        }
        ActionKind::Repeat(of) => {
            expr(&of.max, visitor);
            of.every.iter().for_each(|every| range(every, visitor));
            block(&of.body, visitor);
        }
        ActionKind::If(of) => {
            for (condition, body) in &of.branches {
                expr(condition, visitor);
                block(body, visitor);
            }
            of.otherwise.iter().for_each(|body| block(body, visitor));
        }
        ActionKind::Match(of) => {
            expr(&of.value, visitor);
            arms(&of.arms, visitor, block);
        }
        ActionKind::Try(of) => {
            self::action(&of.action, visitor);
            of.catch.iter().for_each(|catch| block(&catch.body, visitor));
            of.finally.iter().for_each(|body| block(body, visitor));
        }
        ActionKind::Error => {}
    }
}

fn call(call: &Call, visitor: &mut dyn Visitor) {
    visitor.call(call);
    args(&call.args, visitor);
}

fn args(args: &[Arg], visitor: &mut dyn Visitor) {
    args.iter().for_each(|arg| expr(&arg.value, visitor));
}

fn arms<Body>(arms: &[MatchArm<Body>], visitor: &mut dyn Visitor, body: fn(&Body, &mut dyn Visitor)) {
    for arm in arms {
        arm.patterns.iter().for_each(|of| pattern(of, visitor));
        arm.guard.iter().for_each(|guard| expr(guard, visitor));
        body(&arm.body, visitor);
    }
}

fn pattern(pattern: &Pattern, visitor: &mut dyn Visitor) {
    match &pattern.kind {
        PatternKind::Is(ty) => type_expr(ty, visitor),
        PatternKind::Record(fields) => pattern_fields(fields, visitor),
        PatternKind::Any | PatternKind::Bind(_) | PatternKind::Literal(_) | PatternKind::Error => {}
    }
}

fn pattern_fields(fields: &[PatternField], visitor: &mut dyn Visitor) {
    fields.iter().for_each(|field| pattern(&field.pattern, visitor));
}

fn type_expr(ty: &TypeExpr, visitor: &mut dyn Visitor) {
    visitor.type_expr(ty);
    match &ty.kind {
        TypeExprKind::Name { args: of, .. } | TypeExprKind::Union(of) => {
            of.iter().for_each(|ty| type_expr(ty, visitor));
        }
        TypeExprKind::Record(fields) => fields.iter().for_each(|field| type_expr(&field.ty, visitor)),
        TypeExprKind::Optional(of) => type_expr(of, visitor),
        TypeExprKind::Literal(_) | TypeExprKind::Error => {}
    }
}

/// Walks an expression.
pub(crate) fn expr(of: &Expr, visitor: &mut dyn Visitor) {
    visitor.expr(of);
    match &of.kind {
        ExprKind::Literal(_) | ExprKind::Name(_) | ExprKind::Error => {}
        ExprKind::Template(parts) => {
            for part in parts {
                if let TemplatePart::Hole(value) = part {
                    expr(value, visitor);
                }
            }
        }
        ExprKind::List(items) => {
            for item in items {
                let (ListItem::Value(value) | ListItem::Spread(value)) = item;
                expr(value, visitor);
            }
        }
        ExprKind::Record(fields) => {
            for field in fields {
                match field {
                    RecordField::Value(_, value) | RecordField::Spread(value) => expr(value, visitor),
                    RecordField::Fill(_) => {}
                }
            }
        }
        ExprKind::Type(ty) => type_expr(ty, visitor),
        ExprKind::Lambda(lambda) => expr(&lambda.body, visitor),
        ExprKind::Paren(inner) | ExprKind::Prefix(_, inner) => expr(inner, visitor),
        ExprKind::Binary(first, rest) => {
            expr(first, visitor);
            rest.iter().for_each(|(_, _, side)| expr(side, visitor));
        }
        ExprKind::Is(value, ty) => {
            expr(value, visitor);
            type_expr(ty, visitor);
        }
        ExprKind::As(value, types) => {
            expr(value, visitor);
            types.iter().for_each(|(_, ty)| type_expr(ty, visitor));
        }
        ExprKind::Postfix(base, parts) => {
            expr(base, visitor);
            for part in parts {
                match &part.kind {
                    PostfixKind::Field(_) => {}
                    PostfixKind::Method(_, of) => args(of, visitor),
                    PostfixKind::Index(index) => expr(index, visitor),
                }
            }
        }
        ExprKind::Call(of) => call(of, visitor),
        ExprKind::If { branches, otherwise } => {
            for (condition, value) in branches {
                expr(condition, visitor);
                expr(value, visitor);
            }
            expr(otherwise, visitor);
        }
        ExprKind::Match(of) => {
            expr(&of.value, visitor);
            arms(&of.arms, visitor, expr);
        }
    }
}
