//! From what a person asks to the workflow that does it. The choice follows from the `@trigger` patterns alone, so that it
//! can be explained; where two workflows fit equally well none is chosen.

use std::fmt;

use super::trigger::{Meeting, meet, weight};
use super::{Orchestrator, Workflow};
use crate::types::Text;
use crate::value::Value;

/// Where a request leads.
#[derive(Debug)]
pub enum Routing<'a> {
    /// To this workflow.
    One(Route<'a>),
    /// To several that fit equally well: ask which.
    Several(Vec<Route<'a>>),
    /// Nowhere; what came near, the nearest first.
    None(Vec<NearMiss<'a>>),
}

/// A workflow that does what was asked.
#[derive(Debug)]
pub struct Route<'a> {
    /// The workflow.
    pub workflow: &'a Workflow,
    /// The pattern that the request fits.
    pub trigger: &'a str,
    /// What the request says of its parameters: a record.
    pub input: Value,
    /// Parameters that the workflow needs and the request does not say.
    pub missing: Vec<Text>,
    weight: usize,
}

/// A workflow that nearly does what was asked.
#[derive(Debug)]
pub struct NearMiss<'a> {
    /// The workflow.
    pub workflow: &'a Workflow,
    /// The pattern that came nearest.
    pub trigger: &'a str,
    /// Why it does not fit.
    pub reason: String,
}

impl Orchestrator {
    /// Finds the workflow that does what a person asks. Of several whose triggers fit, it is the one whose trigger has the most
    /// words in common with the request; never one of two that have equally many.
    pub fn route(&self, request: &str) -> Routing<'_> {
        let mut routes: Vec<Route<'_>> = Vec::new();
        let mut near = Vec::new();
        for workflow in self.workflows() {
            let mut best: Option<Route<'_>> = None;
            for trigger in &workflow.flow().triggers {
                match meet(trigger, &workflow.flow().params, request) {
                    Meeting::Met(met) => {
                        let route = Route::new(workflow, trigger, met.values);
                        if best.as_ref().is_none_or(|best| route.rank() > best.rank()) {
                            best = Some(route);
                        }
                    }
                    Meeting::Unfit(reason) => near.push((usize::MAX, NearMiss { workflow, trigger, reason })),
                    Meeting::Apart => {
                        let shared = shared_words(trigger, request);
                        if shared > 0 {
                            let reason = "only some of its words are there".to_owned();
                            near.push((shared, NearMiss { workflow, trigger, reason }));
                        }
                    }
                }
            }
            routes.extend(best);
        }
        let most = routes.iter().map(|route| route.weight).max();
        routes.retain(|route| Some(route.weight) == most);
        if routes.len() > 1 {
            return Routing::Several(routes);
        }
        if let Some(route) = routes.pop() {
            return Routing::One(route);
        }
        near.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
        Routing::None(near.into_iter().map(|(_, miss)| miss).take(3).collect())
    }
}

impl<'a> Route<'a> {
    fn new(workflow: &'a Workflow, trigger: &'a str, values: Vec<(Text, Value)>) -> Self {
        let params = workflow.flow().params.iter().filter(|param| !param.optional);
        let missing = params.filter(|param| values.iter().all(|(name, _)| *name != param.name));
        let missing = missing.map(|param| param.name.clone()).collect();
        Self { workflow, trigger, missing, weight: weight(trigger), input: Value::record(values) }
    }

    /// Which of a workflow's own triggers says most.
    fn rank(&self) -> (std::cmp::Reverse<usize>, usize) {
        (std::cmp::Reverse(self.missing.len()), self.weight)
    }
}

/// How many of a pattern's own words a request has.
fn shared_words(trigger: &str, request: &str) -> usize {
    const COMMON: [&str; 12] = ["a", "an", "the", "of", "to", "is", "in", "me", "for", "and", "what", "about"];
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let asked = words(request);
    let own = trigger.split_whitespace().filter(|word| !word.contains('{'));
    own.flat_map(words).filter(|word| !COMMON.contains(&word.as_str()) && asked.contains(word)).count()
}

impl fmt::Display for Routing<'_> {
    /// The choice and its reason, in a line or a few.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Routing::One(route) => {
                write!(f, "`{}`: the request fits its trigger \"{}\"", route.workflow.name(), route.trigger)?;
                if !route.missing.is_empty() {
                    let missing: Vec<_> = route.missing.iter().map(|name| format!("`{name}`")).collect();
                    write!(f, ", but does not say {}", missing.join(", "))?;
                }
                Ok(())
            }
            Routing::Several(routes) => {
                f.write_str("several workflows fit equally well; say which:")?;
                routes
                    .iter()
                    .try_for_each(|it| write!(f, "\n  `{}` by its trigger \"{}\"", it.workflow.name(), it.trigger))
            }
            Routing::None(near) if near.is_empty() => f.write_str("no workflow has a trigger like that"),
            Routing::None(near) => {
                f.write_str("no workflow's trigger fits; the nearest:")?;
                near.iter()
                    .try_for_each(|it| write!(f, "\n  `{}`, \"{}\": {}", it.workflow.name(), it.trigger, it.reason))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::run::Engine;
    use crate::source::{NoLoader, SourceFile};

    fn orchestrator() -> Orchestrator {
        let mut orchestrator = Orchestrator::new(Engine::builder().build().expect("an engine"));
        let source = r#"
            @trigger("screenshot {url}", "take a screenshot of {url}")
            flow shoot(url: url, full: bool = false) -> url { emit full  return url }
            @trigger("compare {urls}")
            flow compare(urls: list<url>) -> int { return urls.length }
            @trigger("research {query}")
            flow research(query: string) -> string { return query }
            @trigger("research {query} in depth for {hours} hours")
            flow dig(query: string, hours: int) -> string { return "{{query}}{{hours}}" }
            @trigger("tell me about {query}")
            flow tell(query: string) -> string { return query }
            @trigger("tell me about {topic}")
            flow lecture(topic: string, length: duration) -> string { return "{{topic}}{{length}}" }
            @trigger("deployments that are {state}")
            flow deployments(state: "ready" | "broken") -> string { return state }
        "#;
        orchestrator.add(SourceFile::new("a.flow", source), &NoLoader).expect("a clean source");
        orchestrator
    }

    /// `flow {input}`, or what else the routing says.
    fn led(request: &str) -> String {
        match orchestrator().route(request) {
            Routing::One(route) => format!("{} {}", route.workflow.name(), serde_json::Value::from(&route.input)),
            other => other.to_string(),
        }
    }

    #[test]
    fn placeholders_are_typed() {
        let cases = [
            ("Screenshot https://a.example/x?y=1", r#"shoot {"url":"https://a.example/x?y=1"}"#),
            ("please take a  screenshot of a.example!", r#"shoot {"url":"https://a.example"}"#),
            (
                "Could you compare a.example, b.example and https://c.example/?",
                r#"compare {"urls":["https://a.example","https://b.example","https://c.example/"]}"#,
            ),
            ("research the dance of bees", r#"research {"query":"the dance of bees"}"#),
            ("deployments that are READY", r#"deployments {"state":"ready"}"#),
        ];
        for (request, leads) in cases {
            assert_eq!(led(request), leads, "{request}");
        }
    }

    #[test]
    fn the_trigger_that_says_more_wins() {
        assert_eq!(led("research bees in depth for 3 hours"), r#"dig {"query":"bees","hours":3}"#);
    }

    #[test]
    fn two_that_fit_equally_are_told() {
        assert_eq!(
            led("tell me about bees"),
            "several workflows fit equally well; say which:\n  `tell` by its trigger \"tell me about {query}\"\n  \
             `lecture` by its trigger \"tell me about {topic}\""
        );
    }

    #[test]
    fn what_does_not_fit_says_why() {
        assert_eq!(
            led("screenshot everything"),
            "no workflow's trigger fits; the nearest:\n  `shoot`, \"screenshot {url}\": `url` would be \"everything\", which \
             is no url\n  `shoot`, \"take a screenshot of {url}\": only some of its words are there"
        );
        assert_eq!(led("boil an egg"), "no workflow has a trigger like that");
    }

    #[test]
    fn what_a_request_leaves_out_is_known() {
        let mut only = Orchestrator::new(Engine::builder().build().expect("an engine"));
        let source =
            "@trigger(\"poll {what}\")\nflow poll(what: string, times: int) -> string { return \"{{what}}{{times}}\" }";
        only.add(SourceFile::new("a.flow", source), &NoLoader).expect("a clean source");
        let routing = only.route("poll the server");
        assert_eq!(
            routing.to_string(),
            "`poll`: the request fits its trigger \"poll {what}\", but does not say `times`"
        );
        let Routing::One(route) = routing else { panic!("no route") };
        assert_eq!(serde_json::Value::from(&route.input), json!({ "what": "the server" }));
        assert_eq!(route.missing, ["times"]);
    }
}
