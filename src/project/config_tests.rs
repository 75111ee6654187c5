use std::time::Duration;

use serde_json::Value as Json;
use toml::de::DeValue;

use super::*;
use crate::project::{Safety, SecretSource};
use crate::tools::Setting;
use crate::types::Retry;

fn parse(text: &str) -> Result<Config, Vec<String>> {
    Config::parse(SourceFile::new("flow.toml", text)).map_err(|wrong| {
        let line = |diagnostic: &crate::diagnostic::Diagnostic| {
            let at = wrong.sources.locate(diagnostic.span);
            let help = diagnostic.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("{at}: {}{help}", diagnostic.message)
        };
        wrong.list.iter().map(line).collect()
    })
}

/// A file with everything in it.
const WHOLE: &str = r#"
    [http]
    allow_private = ["127.0.0.1", "localhost", "10.0.0.0/8"]
    max_body = 1_000

    [limits]
    fan_out = 100
    tool_timeout = "2m"
    longest_timeout = "3s"

    [artifacts]
    dir = "pictures"
    cloudinary = { cloud = "demo", key = "123", secret = "SIGN", folder = "flow", base_url = "http://127.0.0.1:9100" }

    [secrets]
    SIGN = { env = "SIGN" }
    TOKEN = { env = "TOKEN" }
    KEY = { file = "keys/key", hosts = ["api.example.com", "*.example.org"] }
    PASSWORD = { command = ["pass", "show", "it"] }

    [provide.brave]
    endpoint = "http://127.0.0.1:9000/tools"
    bearer = "TOKEN"
    timeout = "10s"
    retry = { count = 3, backoff = "100ms..2s" }
    rate = "10/s"
    concurrency = 4
    cost = { usd = 0.002 }

    [provide.brave.tools.search]
    safety = "keyed:request_id"
    hide = false
    retry = 0

    [provide.page]
    mcp = { command = ["npx", "server"], env = { A = "plain", B = { secret = "PASSWORD" } }, cwd = "there" }

    [provide.remote]
    mcp = { url = "https://mcp.example.org/mcp", bearer = "KEY", headers = { X-Team = "flow" } }
    safety = "read_only"
    hide = true

    [provide.pets]
    openapi = "pets.yaml"
    base_url = "https://api.example.com"
    api_key = "KEY"

    [provide.shop]
    openapi = "https://shop.example/openapi.json"
    oauth2 = { client_id = "me", client_secret = "PASSWORD", token_url = "https://id.example/token", scopes = ["a"] }
"#;

#[test]
fn reads_everything_there_is() {
    let config = parse(WHOLE).expect("a config");
    assert!(matches!(&config.http.allow_private, AllowPrivate::Only(list) if list.len() == 3));
    assert_eq!(config.http.max_body, 1000);
    assert_eq!(config.limits.fan_out, 100);
    assert_eq!(config.limits.tool_timeout, Duration::from_mins(2));
    assert_eq!(config.limits.longest_timeout, Some(Duration::from_secs(3)));
    assert!(matches!(parse("http.allow_private = true").expect("a config").http.allow_private, AllowPrivate::All));
    assert!(parse("").is_ok());
    let brave = &config.provide["brave"];
    assert_eq!(brave.policy.timeout, Some(Duration::from_secs(10)));
    assert_eq!(brave.policy.rate.map(|rate| rate.calls.get()), Some(10));
    assert_eq!(brave.policy.concurrency, Some(4));
    assert_eq!(brave.policy.cost_usd, Some(0.002));
    let backoff = (Duration::from_millis(100), Duration::from_secs(2));
    assert_eq!(brave.policy.retry, Some(Retry { count: 3, backoff: Some(backoff) }));
    assert_eq!(brave.tools["search"].safety, Some(Safety::Keyed("request_id".into())));
    assert_eq!(brave.tools["search"].retry, Some(Retry { count: 0, backoff: None }));
    assert_eq!(config.provide["remote"].policy.hide, Some(true));
    insta::assert_snapshot!(format!("{:?}", config.provide["page"].source), @r#"Settings { reach: Stdio { command: ["npx", "server"], env: {"A": Plain("plain"), "B": Secret("PASSWORD")}, cwd: "there" }, auth: None }"#);
    assert_eq!(config.provide["pets"].source.secrets().len(), 1);
}

#[test]
fn secrets_are_bound_to_the_hosts_they_name_or_else_to_those_of_their_providers() {
    let config = parse(WHOLE).expect("a config");
    assert_eq!(config.secrets["KEY"].source, SecretSource::File("keys/key".into()));
    assert!(config.secrets["KEY"].allows("api.example.com") && !config.secrets["KEY"].allows("127.0.0.1"));
    assert!(config.secrets["SIGN"].allows("127.0.0.1"));
    assert!(config.secrets["TOKEN"].allows("127.0.0.1") && !config.secrets["TOKEN"].allows("api.example.com"));
    assert!(config.secrets["PASSWORD"].allows("id.example") && !config.secrets["PASSWORD"].allows("shop.example"));
}

#[test]
fn says_what_is_wrong_and_where() {
    let wrong = parse(
        "[htpp]\n[http]\nallow_privat = true\nmax_body = -1\nallow_private = [\"a b\"]\n[secrets]\nA = \
         \"x\"\nB = {}\n[provide.barve]\n[provide.brave]\nendpoint = \"https://x.example\"\nmcp = {}\n\
         [provide.llm]\nendpoint = \"nowhere\"\n[provide.web]\nendpoint = \"http://x.example\"\nbearer = \"C\"\n",
    )
    .expect_err("wrong");
    insta::assert_snapshot!(wrong.join("\n"), @r#"
    flow.toml:1:2: unknown key `htpp` (did you mean `http`?)
    flow.toml:3:1: unknown key `allow_privat` (did you mean `allow_private`?)
    flow.toml:4:12: `max_body` must be a number above zero
    flow.toml:5:18: `a b` is neither a host, an address nor a network
    flow.toml:7:5: `A` must be a table
    flow.toml:8:1: a secret has one place (write `{ env = "VARIABLE" }`, `{ file = "path" }` or `{ command = ["program"] }`)
    flow.toml:9:10: nothing says who provides `barve` (did you mean `brave`? Else write one of `endpoint`, `mcp`, `openapi` and `skills`)
    flow.toml:10:10: a namespace has one provider, found `endpoint` and `mcp` (keep one of them)
    flow.toml:14:12: `endpoint` must be an address like `"https://tools.example/flow"`
    flow.toml:17:10: there is no secret `C` (add `C = { env = "C" }` under `[secrets]`)
    "#);
}

#[test]
fn says_what_is_wrong_with_providers() {
    let wrong = parse(
        r#"
secrets.K = { env = "K", hosts = ["api.example.com"] }
[provide.a-b]
endpoint = "https://x.example"
[provide.own]
endpoint = "https://x.example"
[provide.memory]
builtin = "memry"
[provide.one]
mcp = { command = [] }
[provide.two]
mcp = { url = "https://mcp.example/", command = ["x"] }
[provide.three]
mcp = { env = { A = 1 } }
[provide.four]
openapi = "x.yaml"
bearer = "K"
basic = { user = "me" }
base_url = "https://elsewhere.example"
[provide.brave]
endpoint = "https://api.example.com"
retry = { backoff = "1s" }
rate = "10"
safety = "safe"
cost = { usd = -1 }
tools.search = { timeot = "1s" }
tools.serch = { hide = true }
"#,
    )
    .expect_err("wrong");
    let wrong = wrong.join("\n");
    let (first, rest) = wrong.split_once("`http`, ").expect("the namespaces there are");
    let rest = rest.split_once(')').map(|(_, rest)| rest).unwrap_or_default();
    insta::assert_snapshot!(format!("{first}…){rest}"), @r#"
    flow.toml:3:10: `a-b` is no name for a namespace (it is what stands before the dot of a tool's name: letters, digits and `_`)
    flow.toml:5:10: the tools of `own` are not known (only tools of the standard catalog are posted to an endpoint: `web`, …)
    flow.toml:8:11: there is no built-in `memry` (did you mean `memory`?)
    flow.toml:10:19: `command` must be a list of strings
    flow.toml:12:39: unknown key `command` (there is `url`, `bearer`, `headers` and `auth`)
    flow.toml:14:1: the key `command` is missing (the program and its arguments)
    flow.toml:17:10: the secret `K` is not for `elsewhere.example` (add `"elsewhere.example"` to its `hosts`, or use another secret)
    flow.toml:18:1: the key `password` is missing (the secret that is the password)
    flow.toml:18:1: calls say who they are in one way (keep one of `bearer`, `basic`, `api_key`, `oauth2`)
    flow.toml:22:1: the key `count` is missing (how many more attempts)
    flow.toml:23:8: `rate` must be a rate like `"10/s"` or `"60/m"`
    flow.toml:24:10: `safety` must be `"read_only"`, `"idempotent"`, `"destructive"` or `"keyed:PARAMETER"`
    flow.toml:25:16: `usd` must be a number, zero or more
    flow.toml:26:18: unknown key `timeot` (did you mean `timeout`?)
    flow.toml:27:7: there is no tool `brave.serch` (did you mean `search`?)
    "#);
}

#[test]
fn syntax_errors_have_a_place() {
    let wrong = parse("[http]\nmax_body = \n").expect_err("wrong");
    assert!(wrong[0].starts_with("flow.toml:2:"), "{wrong:?}");
}

fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::Integer(int) => i64::from_str_radix(int.as_str(), int.radix()).expect("an int").into(),
        DeValue::Float(float) => float.as_str().parse::<f64>().expect("a float").into(),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect()
        }
        other => other.as_str().expect("a string").into(),
    }
}

#[test]
fn runs_are_kept_where_there_is_a_file_or_where_it_says() {
    assert_eq!(Config::default().runs.database, None);
    let plain = |url: &str| Some(Setting::Plain(url.to_owned()));
    assert_eq!(parse("").expect("a config").runs.database, plain("sqlite:.flow/runs.db"));
    let runs = parse(
        "[runs]\ndatabase = { secret = 'DB' }\nretention = '30d'\nusd_per_run = 0.5\nusd_per_day = 20\n\
         [secrets]\nDB = { env = 'DB' }",
    );
    let runs = runs.expect("a config").runs;
    assert_eq!(runs.database, Some(Setting::Secret("DB".to_owned())));
    assert_eq!(runs.retention, Some(Duration::from_hours(30 * 24)));
    assert_eq!((runs.usd_per_run, runs.usd_per_day), (Some(0.5), Some(20.0)));
    let wrong = parse("[runs]\ndatabase = 'mysql://root:hunter2@db.example'").expect_err("no such database").join("\n");
    assert!(wrong.contains("found `mysql`"), "{wrong}");
}

#[test]
fn the_published_schema_says_what_the_reader_says() {
    let schema = jsonschema::validator_for(&crate::project::schema()).expect("a schema");
    let agrees = |text: &str| {
        let read = parse(text);
        let table = toml::de::DeTable::parse(text).expect("TOML");
        let valid = schema.iter_errors(&json(&DeValue::Table(table.into_inner()))).next().map(|e| e.to_string());
        assert_eq!(read.is_ok(), valid.is_none(), "{text}\nreader: {read:?}\nschema: {valid:?}");
        read.is_ok()
    };
    for good in [
        WHOLE,
        "",
        "http.allow_private = false",
        "[provide.a]\nmcp = { command = ['x'] }\nretry = 2",
        "[provide.a]\nopenapi = 'x.json'\nheaders = { A = 'b' }\nrate = '60/m'\nsafety = 'keyed:id'",
    ] {
        assert!(agrees(good), "{good}");
    }
    for wrong in [
        "nothing = 1",
        "http.max_body = 0",
        "http.allow_private = 'x'",
        "limits.fuel = -1",
        "limits.tool_timeout = '10'",
        "limits.tool_timeout = '0s'",
        "runs.database = 'mysql://db.example'",
        "runs.database = 'sqlite:'",
        "runs.database = { secret = 1 }",
        "runs.retention = '30'",
        "runs.usd_per_run = -1",
        "artifacts.dir = 1",
        "artifacts.cloudinary = { cloud = 'demo' }",
        "secrets.A = {}",
        "secrets.A = { env = 'A', file = 'a' }",
        "secrets.A = { command = [] }",
        "secrets.A = { env = 1 }",
        "[provide.a]",
        "[provide.a]\nbuiltin = 'nothing'",
        "[provide.web]\nendpoint = 'x'",
        "[provide.web]\nendpoint = 'https://x.example'\nopenapi = 'x.json'",
        "[provide.a]\nmcp = {}",
        "[provide.a]\nmcp = { command = [], env = {} }",
        "[provide.a]\nmcp = { command = ['x'], url = 'https://x.example' }",
        "[provide.a]\nmcp = { command = ['x'], env = { A = { secrte = 'B' } } }",
        "[provide.a]\nopenapi = 'x.json'\nbasic = { user = 'me' }",
        "[provide.a]\nopenapi = 'x.json'\nsafety = 'keyed:'",
        "[provide.a]\nopenapi = 'x.json'\nretry = { backoff = '1s..2s' }",
        "[provide.a]\nopenapi = 'x.json'\nretry = { count = 1, backoff = '1s' }",
        "[provide.a]\nopenapi = 'x.json'\nrate = '0/s'",
        "[provide.a]\nopenapi = 'x.json'\nrate = '1/d'",
        "[provide.a]\nopenapi = 'x.json'\nconcurrency = 0",
        "[provide.a]\nopenapi = 'x.json'\ncost = { usd = -0.1 }",
        "[provide.a]\nopenapi = 'x.json'\ntools = { b = { hide = 1 } }",
    ] {
        assert!(!agrees(wrong), "{wrong}");
    }
}
