//! The hook that keeps pictures out of values: whatever a tool gives is searched, its pictures are stored, and their
//! handles stand in their place.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};

use crate::run::{Hook, ToolContext, ToolError};
use crate::tools::artifacts::encoded::{self, Encoded};
use crate::types::{Signature, Type};
use crate::value::{ErrorKind, Value};

/// How many pictures of one result are kept; those beyond are left out.
const MOST: usize = 200;

/// How many of them are stored at a time.
const AT_ONCE: usize = 4;

/// Stores every picture that a tool returns and puts its handle in its place, so that no base64 reaches a value, an
/// event, a log, an error or a prompt. Found are base64 that stands alone, `data:` addresses (within longer texts too)
/// and MCP's `{ type: "image", data, mimeType }`, at any depth of results, partial output and details of errors.
///
/// Where the tool's signature wants a `string` or a `url`, and within texts, it is the artifact's address. What claims
/// to be a picture and is none, or is too large, becomes a short text that says so. The engine's own store is used
/// ([`crate::run::EngineBuilder::artifacts`]).
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreImages;

impl Hook for StoreImages {
    fn after<'a>(
        &'a self,
        tool: &'a Signature,
        result: Result<Value, ToolError>,
        context: ToolContext<'a>,
    ) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            match result {
                Ok(value) => replaced(value, Some(&tool.result), context, Unkept::Fails).await,
                Err(mut error) => {
                    error.details = replaced(error.details, None, context, Unkept::IsTold).await?;
                    let message = Value::from(error.message.as_str());
                    let message = replaced(message, Some(&Type::String), context, Unkept::IsTold);
                    message.await?.as_str().unwrap_or_default().clone_into(&mut error.message);
                    Err(error)
                }
            }
        })
    }

    fn output<'a>(&'a self, _tool: &'a Signature, output: Value, context: ToolContext<'a>) -> BoxFuture<'a, Value> {
        Box::pin(async move { replaced(output, None, context, Unkept::IsTold).await.unwrap_or(Value::Null) })
    }
}

/// What happens when the store itself fails, a full disk for one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unkept {
    /// The call fails.
    Fails,
    /// A text says so in the picture's place.
    IsTold,
}

/// A place in a value that holds pictures.
struct Place<'a> {
    /// The way there: an index for each container.
    path: Vec<usize>,
    /// The text that holds them.
    text: &'a str,
    found: Vec<Encoded<'a>>,
    /// Whether the place holds text whatever it says: it gets an address then, not a handle.
    stays_text: bool,
}

/// The value with each picture's handle in its place.
async fn replaced(
    mut value: Value,
    ty: Option<&Type>,
    context: ToolContext<'_>,
    unkept: Unkept,
) -> Result<Value, ToolError> {
    let mut places = Vec::new();
    search(&value, ty, &mut Vec::new(), &mut places);
    let mut changes = Vec::with_capacity(places.len());
    let mut left = MOST;
    for place in places {
        let keeping: Vec<_> = place
            .found
            .iter()
            .map(|encoded| {
                let beyond = left == 0;
                left = left.saturating_sub(1);
                stored(encoded, beyond, context, unkept)
            })
            .collect();
        let handles: Vec<_> = stream::iter(keeping).buffered(AT_ONCE).try_collect().await?;
        changes.push((place.path.clone(), place.with(handles)));
    }
    for (path, new) in changes {
        if let Some(old) = path.iter().try_fold(&mut value, |value, index| child(value, *index)) {
            *old = new;
        }
    }
    Ok(value)
}

/// Finds the pictures in a value. `ty` is the type that its signature promises for it, if it does.
fn search<'a>(value: &'a Value, ty: Option<&Type>, path: &mut Vec<usize>, places: &mut Vec<Place<'a>>) {
    let mut inside = |index: usize, value: &'a Value, ty: Option<&Type>| {
        path.push(index);
        search(value, ty, path, places);
        path.pop();
    };
    match value {
        Value::String(text) => {
            let found = encoded::find(text);
            if !found.is_empty() {
                places.push(Place { path: path.clone(), text, found, stays_text: stays_text(ty) });
            }
        }
        Value::Record(_) | Value::Map(_) if content_block(value, ty).is_some() => {
            places.extend(content_block(value, ty).map(|block| {
                let path = path.clone();
                Place { path, text: block.base64, found: vec![block], stays_text: stays_text(ty) }
            }));
        }
        Value::List(items) => {
            let ty = member(ty, |ty| if let Type::List(of) = ty { Some(&**of) } else { None });
            items.iter().enumerate().for_each(|(index, item)| inside(index, item, ty));
        }
        Value::Record(record) => {
            record.iter().enumerate().for_each(|(index, (name, value))| inside(index, value, field(ty, name)));
        }
        Value::Map(map) => {
            map.iter().enumerate().for_each(|(index, (name, value))| inside(index, value, field(ty, name)));
        }
        _ => {}
    }
}

/// MCP's content block of an image or a sound (2025-06-18, server/tools, section "Tool Result"). One whose type says
/// what its fields are keeps its form.
fn content_block<'a>(value: &'a Value, ty: Option<&Type>) -> Option<Encoded<'a>> {
    let text = |name| value.get(name).and_then(Value::as_str);
    if !matches!(text("type")?, "image" | "audio") || field(ty, "data").is_some() {
        return None;
    }
    let base64 = text("data").filter(|data| !data.starts_with("data:"))?;
    let mime_type = text("mimeType").or_else(|| text("mime_type"))?;
    Some(Encoded { range: 0..base64.len(), mime_type, base64 })
}

/// The type inside the first member of a type that has such.
fn member<'t>(ty: Option<&'t Type>, inside: impl Fn(&'t Type) -> Option<&'t Type>) -> Option<&'t Type> {
    ty?.members().iter().find_map(inside)
}

fn field<'t>(ty: Option<&'t Type>, name: &str) -> Option<&'t Type> {
    member(ty, |ty| match ty {
        Type::Record(record) => record.fields.get(name).map(|field| &field.ty),
        Type::Map(of) => Some(of),
        _ => None,
    })
}

/// Whether a type takes a text and no handle.
fn stays_text(ty: Option<&Type>) -> bool {
    let is_text = |ty: &Type| matches!(ty, Type::String | Type::Url);
    let takes_handle = |ty: &Type| {
        matches!(
            ty,
            Type::Image | Type::File | Type::Json | Type::Record(_) | Type::Map(_) | Type::Var(_) | Type::Error
        )
    };
    ty.is_some_and(|ty| ty.members().iter().any(is_text) && !ty.members().iter().any(takes_handle))
}

/// A picture's handle, or a text that says why there is none.
async fn stored(
    encoded: &Encoded<'_>,
    beyond: bool,
    context: ToolContext<'_>,
    unkept: Unkept,
) -> Result<Value, ToolError> {
    let why = if beyond {
        format!("a result's pictures beyond the first {MOST} are not kept")
    } else if let Some(bytes) = encoded::decode(encoded.base64) {
        match context.store(bytes, encoded.mime_type, "").await {
            Ok(handle) => return Ok(handle),
            Err(error) if unkept == Unkept::Fails && error.kind != ErrorKind::Invalid => return Err(error),
            Err(error) => error.message,
        }
    } else {
        "a picture is not kept whose base64 is broken".to_owned()
    };
    context.report.output(Value::record_of([("warning", why.as_str().into())]));
    Ok(Value::from(format!("({why})")))
}

impl Place<'_> {
    /// What stands there instead: the handle, or the text with addresses in it.
    fn with(self, mut handles: Vec<Value>) -> Value {
        let alone = matches!(self.found.as_slice(), [only] if only.range == (0..self.text.len()));
        if alone && !self.stays_text {
            return handles.pop().unwrap_or(Value::Null);
        }
        let mut text = String::new();
        let mut from = 0;
        for (encoded, handle) in self.found.iter().zip(&handles) {
            text.push_str(self.text.get(from..encoded.range.start).unwrap_or_default());
            text.push_str(handle.get("url").unwrap_or(handle).as_str().unwrap_or_default());
            from = encoded.range.end;
        }
        text.push_str(self.text.get(from..).unwrap_or_default());
        text.into()
    }
}

/// The value at an index of a container, to be changed.
fn child(value: &mut Value, index: usize) -> Option<&mut Value> {
    match value {
        Value::List(items) => Arc::make_mut(items).get_mut(index),
        Value::Record(record) => Arc::make_mut(record).values.get_mut(index),
        Value::Map(map) => Arc::make_mut(map).get_index_mut(index).map(|(_, value)| value),
        _ => None,
    }
}

#[cfg(test)]
#[path = "store_images_tests.rs"]
mod tests;
