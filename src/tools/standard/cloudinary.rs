//! `cloudinary`: pictures and files on the web.

use crate::tools::standard::{Namespace, idempotent};
use crate::types::{Field, Signature, Type};

pub(super) fn namespace() -> Namespace {
    Namespace::of("cloudinary", "Pictures and files, hosted by Cloudinary.", [upload()])
}

fn upload() -> Signature {
    let asset = Type::record([
        ("url".into(), Field::required(Type::Url)),
        ("mime_type".into(), Field::required(Type::String)),
        ("size".into(), Field::required(Type::Int)),
        ("width".into(), Field::optional(Type::Int)),
        ("height".into(), Field::optional(Type::Int)),
        ("public_id".into(), Field::required(Type::String)),
        ("version".into(), Field::required(Type::Int)),
        ("created_at".into(), Field::required(Type::Datetime)),
        ("tags".into(), Field::required(Type::list(Type::String))),
    ])
    .named("Asset");
    Signature::new(
        "cloudinary.upload",
        "Uploads a picture or a file, by its handle or its address, and gives its public address.",
        asset,
    )
    .param(
        "source",
        Type::union([Type::Url, Type::Image, Type::File]),
        "A handle, or an address that Cloudinary reads.",
    )
    .optional("folder", Type::String, None, "The folder it goes to.")
    .optional("public_id", Type::String, None, "Its name; what has this name already is replaced.")
    .optional("tags", Type::list(Type::String), None, "Tags to find it by.")
    .annotated(idempotent())
}
