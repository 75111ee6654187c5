//! Lays a drawing out as SVG: boxes are measured from the inside out, then placed from the outside in. Text is text,
//! colours follow the reader's light or dark preference.

use std::fmt::Write;

use crate::plan::graph::{Graph, Lane, Node, NodeKind};

/// Widths of a character of the label (13 px) and of the detail (11 px), on average and a little more.
const LABEL: f64 = 7.6;
const DETAIL: f64 = 6.3;
/// Space inside boxes, between lanes, and for an arrow.
const PAD: f64 = 14.0;
const GAP: f64 = 16.0;
const ARROW: f64 = 22.0;
const LINE: f64 = 18.0;
const NARROWEST: f64 = 90.0;

const STYLE: &str = "\
text{font-family:system-ui,sans-serif;fill:#1c2430}.l{font-size:13px;font-weight:600}.d{font-size:11px;fill:#556070}\
rect{stroke:#8794a6;stroke-width:1.2}.tool{fill:#e8f1ff}.flow{fill:#efe8ff}.block{fill:#f7f8fa}.end{fill:#e9f7ec}.fail{fill:#fdeceb}\
.lane{fill:none;stroke-dasharray:4 4}.a{stroke:#8794a6;stroke-width:1.4;fill:none;marker-end:url(#arrow)}#arrow path{fill:#8794a6}\
@media(prefers-color-scheme:dark){svg{background:#14181f}text{fill:#e6eaf0}.d{fill:#9aa6b5}.tool{fill:#1d2f4a}.flow{fill:#30254a}\
.block{fill:#1b2029}.end{fill:#1c3524}.fail{fill:#43201f}.lane{fill:none}}";

/// A box with its size.
struct Sized<'g> {
    node: &'g Node,
    width: f64,
    height: f64,
    lanes: Vec<SizedLane<'g>>,
}

/// A lane with its size.
struct SizedLane<'g> {
    title: &'g str,
    nodes: Vec<Sized<'g>>,
    width: f64,
    height: f64,
}

/// Draws a graph.
pub(super) fn draw(graph: &Graph) -> String {
    let title = width_of(&graph.title, LABEL) + 2.0 * PAD;
    let body = stack("", graph.nodes.iter().map(measure).collect());
    let width = body.width.max(title) + 2.0 * PAD;
    let head = LINE + PAD;
    let height = PAD + head + if body.nodes.is_empty() { 0.0 } else { ARROW + body.height } + PAD;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\"/></marker></defs>\n",
        escape(&graph.title)
    );
    let middle = width / 2.0;
    rect(&mut out, "end", middle - title / 2.0, PAD, (title, head), head / 2.0);
    text(&mut out, "l", middle, PAD + head / 2.0 + 4.5, &graph.title);
    if !body.nodes.is_empty() {
        arrow(&mut out, middle, PAD + head);
        place_lane(&body, middle, PAD + head + ARROW, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

fn width_of(text: &str, each: f64) -> f64 {
    text.chars().count() as f64 * each
}

fn measure(node: &Node) -> Sized<'_> {
    let lines = if node.detail.is_empty() { 1.0 } else { 2.0 };
    let words = width_of(&node.label, LABEL).max(width_of(&node.detail, DETAIL)) + 2.0 * PAD;
    let head = lines * LINE + PAD;
    if node.lanes.is_empty() {
        return Sized { node, width: words.max(NARROWEST), height: head, lanes: Vec::new() };
    }
    let mut lanes: Vec<SizedLane<'_>> = node.lanes.iter().map(measure_lane).collect();
    let tallest = lanes.iter().map(|lane| lane.height).fold(0.0, f64::max);
    for lane in &mut lanes {
        lane.height = tallest;
    }
    let beside: f64 = lanes.iter().map(|lane| lane.width).sum::<f64>() + GAP * (lanes.len().saturating_sub(1)) as f64;
    Sized { node, width: words.max(beside + 2.0 * PAD), height: head + tallest + PAD, lanes }
}

fn measure_lane(lane: &Lane) -> SizedLane<'_> {
    stack(&lane.title, lane.nodes.iter().map(measure).collect())
}

fn stack<'g>(title: &'g str, nodes: Vec<Sized<'g>>) -> SizedLane<'g> {
    let (head, side) = if title.is_empty() { (0.0, 0.0) } else { (LINE + PAD, PAD) };
    let widest = nodes.iter().map(|node| node.width).fold(0.0, f64::max);
    let arrows = nodes.len().saturating_sub(1) as f64 * ARROW;
    let tall: f64 = nodes.iter().map(|node| node.height).sum();
    let width = (widest + 2.0 * side).max(width_of(title, DETAIL) + 2.0 * PAD).max(NARROWEST);
    SizedLane { title, nodes, width, height: head + tall + arrows + side }
}

fn place_lane(lane: &SizedLane<'_>, middle: f64, top: f64, out: &mut String) {
    let mut y = top;
    if !lane.title.is_empty() {
        rect(out, "lane", middle - lane.width / 2.0, top, (lane.width, lane.height), 6.0);
        text(out, "d", middle, top + LINE, lane.title);
        y += LINE + PAD;
    }
    for (at, node) in lane.nodes.iter().enumerate() {
        if at > 0 {
            arrow(out, middle, y);
            y += ARROW;
        }
        place(node, middle, y, out);
        y += node.height;
    }
}

fn place(sized: &Sized<'_>, middle: f64, top: f64, out: &mut String) {
    let node = sized.node;
    let (class, round) = match node.kind {
        NodeKind::Tool => ("tool", 6.0),
        NodeKind::Flow => ("flow", 6.0),
        NodeKind::Block => ("block", 10.0),
        NodeKind::End if node.label.starts_with("fail") => ("fail", sized.height / 2.0),
        NodeKind::End => ("end", sized.height / 2.0),
    };
    rect(out, class, middle - sized.width / 2.0, top, (sized.width, sized.height), round);
    text(out, "l", middle, top + PAD / 2.0 + 13.5, &node.label);
    let mut y = top + PAD / 2.0 + LINE;
    if !node.detail.is_empty() {
        text(out, "d", middle, y + 12.5, &node.detail);
        y += LINE;
    }
    let beside: f64 =
        sized.lanes.iter().map(|lane| lane.width).sum::<f64>() + GAP * (sized.lanes.len().saturating_sub(1)) as f64;
    let mut x = middle - beside / 2.0;
    for lane in &sized.lanes {
        place_lane(lane, x + lane.width / 2.0, y + PAD / 2.0, out);
        x += lane.width + GAP;
    }
}

fn rect(out: &mut String, class: &str, x: f64, y: f64, (width, height): (f64, f64), round: f64) {
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round:.1}\"/>"
    );
}

fn text(out: &mut String, class: &str, x: f64, y: f64, words: &str) {
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>",
        escape(words)
    );
}

fn arrow(out: &mut String, x: f64, top: f64) {
    let _ = writeln!(out, "<path class=\"a\" d=\"M{x:.1} {top:.1} V{:.1}\"/>", top + ARROW - 1.0);
}

/// Text as XML; control characters, which XML does not know, become blanks.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
