//! Methods of `url`; it has those of `string` too.

use crate::builtins::args::{arg, text};
use crate::builtins::{Method, Size, parse_url};
use crate::types::Text;
use crate::value::{Fault, Map, Value};

pub(super) const METHODS: &[Method] = &[
    Method {
        id: "url.host",
        signature: "url.host -> string",
        doc: "The host, without the port.",
        examples: &[r#""https://example.com:8080/a".to_url()?.host == "example.com""#],
        bare: true,
        size: Size::Any,
        run: |url, _, _| Ok(read(&url)?.host_str().unwrap_or_default().into()),
    },
    Method {
        id: "url.path",
        signature: "url.path -> string",
        doc: "The path, from its first slash.",
        examples: &[r#""https://example.com/a/b?c=1".to_url()?.path == "/a/b""#],
        bare: true,
        size: Size::Any,
        run: |url, _, _| Ok(read(&url)?.path().into()),
    },
    Method {
        id: "url.query",
        signature: "url.query -> map<string>",
        doc: "The parameters after the `?`, decoded; of those with the same name the last one counts.",
        examples: &[r#""https://example.com/?q=a+b".to_url()?.query?.get("q") == "a b""#],
        bare: true,
        size: Size::Any,
        run: |url, _, _| {
            let url = read(&url)?;
            let pairs = url.query_pairs().map(|(name, value)| (Text::from(name), Value::string(value)));
            Ok(Value::map(pairs.collect::<Map>()))
        },
    },
    Method {
        id: "url.scheme",
        signature: "url.scheme -> string",
        doc: "`http` or `https`; `file` of an artifact that is kept on this machine.",
        examples: &[r#""https://example.com".to_url()?.scheme == "https""#],
        bare: true,
        size: Size::Any,
        run: |url, _, _| Ok(read(&url)?.scheme().into()),
    },
    Method {
        id: "url.join",
        signature: "url.join(address: string) -> url",
        doc: "Where a link to the address on this page leads. Fails with kind `invalid` where that is no http(s) address.",
        examples: &[r#""https://example.com/a/b".to_url()?.join("../c") == "https://example.com/c""#],
        bare: false,
        size: Size::Any,
        run: |url, args, _| {
            let address = text(arg(args, 0)?)?;
            let joined = read(&url)?.join(address).ok().filter(|url| parse_url(url.as_str()).is_some());
            match joined {
                Some(url) => Ok(String::from(url).into()),
                None => Err(Fault::invalid(format!("`{address}` does not lead to an http(s) address"))),
            }
        },
    },
];

fn read(value: &Value) -> Result<url::Url, Box<Fault>> {
    let address = text(value)?;
    parse_url(address).ok_or_else(|| Fault::invalid(format!("`{address}` is not an absolute http(s) address")))
}
