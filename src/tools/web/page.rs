//! From HTML to what a reader takes from it.

use dom_query::{Document, NodeRef, Selection};
use dom_smoothie::{Article, Config, Readability};
use indexmap::IndexMap;
use jiff::Timestamp;
use url::Url;

use crate::tools::web::{dates, nesting};

/// What a page says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its title; empty where it has none.
    pub title: String,
    /// Who wrote it.
    pub byline: Option<String>,
    /// Its language as a tag (BCP 47).
    pub language: Option<String>,
    /// When it was published.
    pub published: Option<Timestamp>,
    /// Its own summary, or its first sentences.
    pub description: Option<String>,
    /// The main content as Markdown.
    pub markdown: String,
    /// The main content as text, a line for each block.
    pub text: String,
    /// The headings, navigation and asides left out.
    pub headings: Vec<String>,
    /// The links of the whole page, each address once.
    pub links: Vec<Link>,
    /// The pictures of the whole page, each address once.
    pub images: Vec<Picture>,
    /// The words of the main content.
    pub word_count: usize,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it says.
    pub text: String,
    /// Where it leads: absolute, without a fragment.
    pub url: String,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// What it shows, in words; empty where the page does not say.
    pub alt: String,
    /// Where it is, absolute.
    pub url: String,
}

impl Page {
    /// A page of plain text.
    pub(super) fn plain(text: String) -> Self {
        Self { word_count: count_words(&text), markdown: text.clone(), text, ..Self::default() }
    }
}

/// Reads a page that was found at `url`.
///
/// # Errors
/// A sentence, where the page is nested too deeply to be read.
pub fn read(html: &str, url: &Url) -> Result<Page, String> {
    let depth = nesting::depth(html);
    if depth > nesting::MAX_DEPTH {
        return Err(format!("its elements are nested {depth} deep, and at most {} are read", nesting::MAX_DEPTH));
    }
    let document = Document::from(html);
    let base = document.base_uri().and_then(|base| url.join(&base).ok()).unwrap_or_else(|| url.clone());
    make_absolute(&document, &base);

    let headings = headings(&document);
    let main_heading = main_heading(&document);
    let links = links(&document, url);
    let images = images(&document);
    let language = document.select_single("html").attr("lang").and_then(|lang| language_tag(&lang));
    let marked_date = marked_date(&document);
    let fallback = document.clone();

    let article = extract(document, url);
    let content = article.as_ref().map_or_else(|| whole_body(&fallback), |article| article.content.to_string());
    let text = plain_text(&content);
    let article = article.unwrap_or_else(|| nameless(&fallback));
    Ok(Page {
        title: title(squeeze(&article.title), main_heading, &headings),
        byline: article.byline.as_deref().map(squeeze).filter(|byline| !byline.is_empty()),
        language: language.or_else(|| article.lang.as_deref().and_then(language_tag)),
        published: article.published_time.as_deref().and_then(dates::parse).or(marked_date),
        description: article.excerpt.as_deref().map(squeeze).filter(|excerpt| !excerpt.is_empty()),
        markdown: markdown(&content),
        word_count: count_words(&text),
        text,
        headings,
        links,
        images,
    })
}

/// The title, without the site's name that stands after it in so many (`Retries | The manual`): where the page has one
/// main heading and the title begins with it, that is the title.
fn title(said: String, main_heading: Option<String>, headings: &[String]) -> String {
    match main_heading {
        Some(heading) if said.starts_with(&heading) => heading,
        _ if said.is_empty() => headings.first().cloned().unwrap_or_default(),
        _ => said,
    }
}

/// The text of the only `<h1>`.
fn main_heading(document: &Document) -> Option<String> {
    let all = document.select("h1");
    let [only] = all.nodes() else { return None };
    Some(squeeze(only.text())).filter(|text| !text.is_empty())
}

/// The article, by Mozilla's Readability; none where it finds no content at all.
fn extract(document: Document, url: &Url) -> Option<Article> {
    let config = Config { max_elements_to_parse: 200_000, ..Config::default() };
    Readability::with_document(document, Some(url.as_str()), Some(config)).ok()?.parse().ok()
}

/// What stands in for an article that was not found: the page's own title and nothing more.
fn nameless(document: &Document) -> Article {
    let title = document.select_single("title").text().to_string();
    Article {
        title,
        byline: None,
        content: "".into(),
        text_content: "".into(),
        length: 0,
        excerpt: None,
        site_name: None,
        dir: None,
        lang: None,
        published_time: None,
        modified_time: None,
        image: None,
        favicon: None,
        url: None,
    }
}

/// The body without what is never content.
fn whole_body(document: &Document) -> String {
    document.select("script, style, noscript, template, nav, header, footer, aside, form").remove();
    document.select_single("body").inner_html().to_string()
}

/// Makes every address in links and pictures absolute, for all that follows.
fn make_absolute(document: &Document, base: &Url) {
    let resolve = |selection: Selection<'_>, attribute: &str| {
        for node in selection.nodes() {
            if let Some(address) = node.attr(attribute)
                && let Ok(absolute) = base.join(address.trim())
            {
                node.set_attr(attribute, absolute.as_str());
            }
        }
    };
    // Pictures that load late keep their address elsewhere.
    for node in document.select("img[data-src]").nodes() {
        if let Some(address) = node.attr("data-src")
            && node.attr("src").is_none_or(|src| src.is_empty() || src.starts_with("data:"))
        {
            node.set_attr("src", &address);
        }
    }
    resolve(document.select("a[href], area[href]"), "href");
    resolve(document.select("img[src]"), "src");
}

fn headings(document: &Document) -> Vec<String> {
    let all = document.select("h1, h2, h3, h4, h5, h6");
    all.nodes()
        .iter()
        .filter(|node| !inside(node, &["nav", "footer", "aside", "dialog", "template"]))
        .map(|node| squeeze(node.text()))
        .filter(|text| !text.is_empty())
        .collect()
}

fn inside(node: &NodeRef<'_>, names: &[&str]) -> bool {
    node.ancestors(None).iter().any(|above| above.node_name().is_some_and(|name| names.contains(&&*name)))
}

fn links(document: &Document, page: &Url) -> Vec<Link> {
    let mut found: IndexMap<String, String> = IndexMap::new();
    let mut here = page.clone();
    here.set_fragment(None);
    for node in document.select("a[href]").nodes() {
        let Some(mut url) = node.attr("href").and_then(|href| web_address(&href)) else { continue };
        // A link to a place on this very page leads nowhere else.
        if url.fragment().is_some() {
            url.set_fragment(None);
            if url == here {
                continue;
            }
        }
        let text = found.entry(url.into()).or_default();
        if text.is_empty() {
            *text = link_text(node);
        }
    }
    found.into_iter().map(|(url, text)| Link { text, url }).collect()
}

/// What a link says: its text, else what it is labelled, else what its picture shows.
fn link_text(node: &NodeRef<'_>) -> String {
    let text = squeeze(node.text());
    if !text.is_empty() {
        return text;
    }
    let picture = Selection::from(*node).select("img[alt]").attr("alt");
    let label = node.attr("aria-label").or_else(|| node.attr("title")).or(picture);
    label.map(|label| squeeze(&label)).unwrap_or_default()
}

fn images(document: &Document) -> Vec<Picture> {
    let mut found: IndexMap<String, String> = IndexMap::new();
    for node in document.select("img[src]").nodes() {
        let Some(url) = node.attr("src").and_then(|src| web_address(&src)) else { continue };
        let alt = found.entry(url.into()).or_default();
        if alt.is_empty() {
            *alt = node.attr("alt").map(|alt| squeeze(&alt)).unwrap_or_default();
        }
    }
    found.into_iter().map(|(url, alt)| Picture { alt, url }).collect()
}

fn web_address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The date of the first `<time>` that is marked, or stands, as the article's own.
fn marked_date(document: &Document) -> Option<Timestamp> {
    ["time[itemprop=datePublished]", "time[pubdate]", "article time[datetime]", "header time[datetime]"]
        .iter()
        .find_map(|selector| dates::parse(&document.select_single(selector).attr("datetime")?))
}

/// `en_us` and `EN` as `en-US` and `en`: language in lower case, region in upper; none where it is no tag.
pub(super) fn language_tag(text: &str) -> Option<String> {
    let first = text.split(',').next()?.trim().replace('_', "-");
    let mut parts = first.split('-');
    let language = parts.next().filter(|part| (2..=3).contains(&part.len()))?.to_ascii_lowercase();
    if !first.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return None;
    }
    Some(parts.fold(language, |tag, part| {
        let part = if part.len() == 2 { part.to_ascii_uppercase() } else { part.to_owned() };
        format!("{tag}-{part}")
    }))
}

fn markdown(content: &str) -> String {
    let converter = htmd::HtmlToMarkdown::builder()
        .options(htmd::options::Options {
            bullet_list_marker: htmd::options::BulletListMarker::Dash,
            ul_bullet_spacing: 1,
            ol_number_spacing: 1,
            ..htmd::options::Options::default()
        })
        .skip_tags(vec!["script", "style", "noscript", "template"])
        .build();
    converter.convert(content).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// The text of content, a line for each block and no empty ones.
fn plain_text(content: &str) -> String {
    let text = Document::from(content).formatted_text();
    let lines: Vec<String> = text.lines().map(squeeze).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// White space as one space between words.
fn squeeze(text: impl AsRef<str>) -> String {
    text.as_ref().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Words between white space that hold a letter or digit. Scripts without spaces count by the character.
fn count_words(text: &str) -> usize {
    let unspaced = |c: char| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}');
    text.split_whitespace()
        .map(|word| {
            let alone = word.chars().filter(|c| unspaced(*c)).count();
            alone + usize::from(word.chars().any(|c| c.is_alphanumeric() && !unspaced(c)))
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(html: &str) -> Page {
        read(html, &Url::parse("https://site.example/dir/page?x=1").expect("a URL")).expect("a page")
    }

    #[test]
    fn links_are_absolute_and_unique() {
        let page = page(
            "<a href='a.html'> one\n link </a><a href='/b#top'><img src=i.png alt=Bee></a><a href='#here'>no</a>\
             <a href='/dir/a.html#x'>again</a><a href='mailto:x@y'>no</a><a href='javascript:x()'>no</a>\
             <a href='//other.example/'>o</a>",
        );
        let links: Vec<_> = page.links.iter().map(|link| (link.text.as_str(), link.url.as_str())).collect();
        assert_eq!(
            links,
            [
                ("one link", "https://site.example/dir/a.html"),
                ("Bee", "https://site.example/b"),
                ("o", "https://other.example/"),
            ]
        );
        assert_eq!(page.images, [Picture { alt: "Bee".into(), url: "https://site.example/dir/i.png".into() }]);
    }

    #[test]
    fn the_base_element_counts() {
        let page = page("<base href='https://cdn.example/root/'><a href='x'>x</a><img data-src='y.png' src='data:,'>");
        assert_eq!(page.links[0].url, "https://cdn.example/root/x");
        assert_eq!(page.images[0].url, "https://cdn.example/root/y.png");
    }

    #[test]
    fn language_tags_are_canonical() {
        assert_eq!(language_tag("EN_us").as_deref(), Some("en-US"));
        assert_eq!(language_tag("de").as_deref(), Some("de"));
        assert_eq!(language_tag("de, en").as_deref(), Some("de"));
        assert_eq!(language_tag("zh-Hant-TW").as_deref(), Some("zh-Hant-TW"));
        assert_eq!(language_tag(""), None);
        assert_eq!(language_tag("english"), None);
    }

    #[test]
    fn words_are_counted_in_scripts_with_and_without_spaces() {
        assert_eq!(count_words("one two — three, 4 !"), 4);
        assert_eq!(count_words("日本語 text"), 4);
        assert_eq!(count_words(""), 0);
    }

    #[test]
    fn poor_pages_still_give_something() {
        assert_eq!(page("").title, "");
        assert_eq!(page("<title>T</title>").title, "T");
        assert_eq!(page("<h1>Only a heading</h1>").title, "Only a heading");
        assert!(page("just text, no markup").text.contains("just text"));
        assert!(page("<div><<<>>><p").links.is_empty());
    }

    #[test]
    fn deep_nesting_is_refused_and_allowed_depth_is_read() {
        let url = Url::parse("https://site.example/").expect("a URL");
        assert!(read(&"<div>".repeat(100_000), &url).is_err());
        let deep = format!("{}<p>{}</p>", "<div>".repeat(nesting::MAX_DEPTH - 1), "words in the deep. ".repeat(50));
        assert!(read(&deep, &url).expect("a page").text.contains("deep"));
        let lists = format!("{}text", "<ul><li><p>".repeat(nesting::MAX_DEPTH - 1));
        assert!(read(&lists, &url).is_ok());
    }
}
