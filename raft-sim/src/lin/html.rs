//! A violation as one page that needs nothing else.
//!
//! **Intuition.** Time runs to the right, one line a client; the operations that are enough for the
//! violation stand out among their neighbours, with their places in the longest legal order. No
//! script and no file beside it: the page can be sent and kept.
//! **Source.** Ours.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Finding the few operations (`explain.rs`).

use core::fmt::Write;
use std::collections::BTreeMap;

use super::explain::{Drawn, Explanation};

/// Width of one moment, height of one line, in pixels.
const MOMENT: usize = 26;
const LINE: usize = 34;
const LEFT: usize = 110;
/// Characters of an operation's words in the drawing; the whole is in its tooltip and the table.
const WORDS_MAX: usize = 300;

const STYLE: &str = "body{font:14px/1.45 system-ui,sans-serif;margin:2em;color:#1b1b1b;\
background:#fff}h1{font-size:1.4em}h2{font-size:1.1em;margin-top:1.6em}code,td,text{\
font-family:ui-monospace,monospace;font-size:12px}table{border-collapse:collapse}td,th{\
text-align:left;padding:.15em .8em .15em 0;vertical-align:top}.draw{overflow-x:auto;\
border:1px solid #ddd;padding:.5em}.op{fill:#e4e7eb;stroke:#9aa5b1}.core{fill:#ffd9a8;\
stroke:#c05600}.stuck{fill:#ffb3ab;stroke:#a8071a}.open{stroke-dasharray:5 3}\
@media(prefers-color-scheme:dark){body{background:#16181b;color:#e6e6e6}text{fill:#e6e6e6}\
.op{fill:#2d333b}.core{fill:#6b3d00}.stuck{fill:#7a1a1a}.draw{border-color:#444}}";

/// The page for a history called `name` that breaks on `key` at operation `stuck`.
#[must_use]
pub fn page(name: &str, key: &str, stuck: u64, explanation: &Explanation) -> String {
    let mut page = String::new();
    let (name, key) = (escape(name), escape(key));
    let core = explanation.core.len();
    let minimal = if explanation.minimal {
        "none of them can be left out"
    } else {
        "the budget for making it smaller was hit, so fewer may do"
    };
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <title>{name}: not linearizable</title><style>{STYLE}</style></head><body>\n\
         <h1>{name} is not linearizable</h1>\n\
         <p>On key <code>{key}</code>, {core} operations are enough to show it; {minimal}. The \
         numbers in the drawing are the longest legal order of these; behind it, operation {stuck} \
         of the history (or whatever the table below names) has no place. Grey operations are \
         neighbours, for context. Time runs by order of events, not to scale.</p>\n"
    );
    drawing(&mut page, explanation, stuck);
    page.push_str("<h2>Why nothing can come next</h2>\n<table>\n<tr><th>operation<th>reason\n");
    for (op, reason) in &explanation.candidates {
        let _ = writeln!(page, "<tr><td>{op}<td>{}", escape(reason));
    }
    page.push_str("</table>\n<h2>The operations</h2>\n<table>\n");
    page.push_str("<tr><th>op<th>client<th>invoked<th>returned<th>index<th>place<th>what\n");
    for drawn in explanation.drawn.iter().filter(|drawn| drawn.core) {
        let Drawn { op, client, invoked, .. } = drawn;
        let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
        let returned = drawn.returned.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let place = drawn.place.map_or_else(|| "-".to_owned(), |place| place.to_string());
        let _ = writeln!(
            page,
            "<tr><td>{op}<td>{client}<td>{invoked}<td>{returned}<td>{}<td>{place}<td>{}",
            number(drawn.index),
            escape(&drawn.text)
        );
    }
    page.push_str("</table>\n</body></html>\n");
    page
}

fn drawing(page: &mut String, explanation: &Explanation, stuck: u64) {
    let drawn = &explanation.drawn;
    let mut ends: Vec<u64> =
        drawn.iter().flat_map(|op| [Some(op.invoked), op.returned]).flatten().collect();
    ends.sort_unstable();
    let x = |at: u64| LEFT + ends.partition_point(|&end| end < at) * MOMENT;
    let mut lines: BTreeMap<u64, usize> = BTreeMap::new();
    for operation in drawn {
        let next = lines.len();
        lines.entry(operation.client).or_insert(next);
    }
    let width = LEFT + (ends.len() + 2) * MOMENT;
    let height = (lines.len() + 1) * LINE;
    let _ = writeln!(
        page,
        "<div class=\"draw\"><svg width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-label=\"operations in time\">"
    );
    for (client, line) in &lines {
        let y = line * LINE + 24;
        let _ = writeln!(page, "<text x=\"4\" y=\"{y}\">client {client}</text>");
    }
    for operation in drawn {
        let line = lines.get(&operation.client).copied().unwrap_or_default();
        let (left, y) = (x(operation.invoked), line * LINE + 6);
        let right = operation.returned.map_or(width - MOMENT / 2, x);
        let class = match (operation.core, operation.op == stuck) {
            (true, true) => "op core stuck",
            (true, false) => "op core",
            (false, _) => "op",
        };
        let open = if operation.returned.is_none() { " open" } else { "" };
        let place = operation.place.map_or_else(String::new, |place| format!("{place}: "));
        let words = escape(&operation.text);
        let _ = writeln!(
            page,
            "<g><title>op {}: {words}</title><rect class=\"{class}{open}\" x=\"{left}\" y=\"{y}\" \
             width=\"{}\" height=\"24\" rx=\"4\"/><text x=\"{}\" y=\"{}\">{place}{}</text></g>",
            operation.op,
            right.saturating_sub(left).max(MOMENT / 2),
            left + 4,
            y + 16,
            operation.op
        );
    }
    page.push_str("</svg></div>\n");
}

/// Text as HTML text or attribute, cut where it is very long.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        if at == WORDS_MAX {
            escaped.push('…');
            break;
        }
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use crate::lin::{FileOptions, Verdict, check_file, formats::ModelName};

    #[test]
    fn the_page_is_whole_small_and_harmless() {
        let history = "{:process 0, :type :invoke, :f :put, :key \"<b>\", :value \"<script>\"}\n\
                       {:process 0, :type :ok, :f :put, :key \"<b>\", :value \"<script>\"}\n\
                       {:process 1, :type :invoke, :f :get, :key \"<b>\", :value nil}\n\
                       {:process 1, :type :ok, :f :get, :key \"<b>\", :value \"\"}\n";
        let model = Some(ModelName::KvString);
        let options = FileOptions { explain: true, model, ..FileOptions::default() };
        let report = check_file(history.as_bytes(), &options, &mut || false).unwrap();
        let Verdict::Illegal(illegal) = &report.report.verdict else { panic!("{report:?}") };
        let explanation = report.explanation.as_ref().unwrap();
        let page = super::page("a<b.edn", &illegal.key, illegal.stuck, explanation);
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        assert_eq!(page.matches("<rect").count(), 2, "{page}");
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
        assert!(!page.contains("http") && !page.contains("src="), "needs nothing else");
        assert!(page.contains("class=\"op core stuck\""), "{page}");
        assert!(page.len() < 20_000);
    }
}
