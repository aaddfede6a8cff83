//! The PDF of a letter as its provider shows it, and where it may be fetched: an answer is a stranger's text, and leads to no
//! other place than the lane's own address and the hosts that the adapter names.

use super::wire::Reply;
use reqwest::Url;

/// The largest letter that is fetched, bytes: more than any provider takes.
pub const LETTER_BYTES_MAX: usize = 10_000_000;

/// What asking for the PDF of a letter tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Showing {
    /// Its bytes, which say that they are a PDF.
    Letter(Vec<u8>),
    /// Not now, too large, or no answer that means anything.
    NotYet,
    /// At a place that is not the provider's: nobody went there.
    Elsewhere,
}

/// The letter in an answer; a page of somebody between is none.
pub(super) fn letter(reply: Reply) -> Showing {
    if reply.status == 200 && reply.body.starts_with(b"%PDF-") { Showing::Letter(reply.body) } else { Showing::NotYet }
}

/// The place that a link names, if it is one of the provider's: below the lane's own origin, or by https at one of its hosts.
/// A lane that does not go by https is a sandbox's, and asks nothing of the real one.
pub(super) fn place(link: &str, own: &str, hosts: &[&str]) -> Option<Url> {
    let (link, own) = (Url::parse(link).ok()?, Url::parse(own).ok()?);
    let is_own = link.origin() == own.origin();
    let is_host = link.scheme() == "https" && own.scheme() == "https" && link.port().is_none();
    let is_theirs = is_host && link.host_str().is_some_and(|host| hosts.contains(&host));
    let is_bare = link.username().is_empty() && link.password().is_none();
    (is_bare && (is_own || is_theirs)).then_some(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: &str = "https://api.lob.com";
    const HOSTS: &[&str] = &["lob-assets.com"];

    fn leads(link: &str, own: &str) -> bool {
        place(link, own, HOSTS).is_some()
    }

    #[test]
    fn a_link_leads_to_the_lanes_own_address_and_to_the_hosts_that_the_adapter_names() {
        for link in [
            "https://lob-assets.com/letters/ltr_1.pdf?expires=1&signature=x",
            "https://LOB-assets.com:443/letters/ltr_1.pdf",
            "https://api.lob.com/letters/ltr_1.pdf",
        ] {
            assert!(leads(link, LIVE), "{link}");
        }
        assert!(leads("http://127.0.0.1:4000/lob/assets/ltr_1.pdf", "http://127.0.0.1:4000/lob"));
    }

    #[test]
    fn a_link_to_any_other_place_is_not_followed() {
        for link in [
            "http://lob-assets.com/ltr_1.pdf",
            "https://lob-assets.com:8443/ltr_1.pdf",
            "https://lob-assets.com.evil.example/ltr_1.pdf",
            "https://evil-lob-assets.com/ltr_1.pdf",
            "https://sub.lob-assets.com/ltr_1.pdf",
            "https://lob-assets.com@169.254.169.254/latest/meta-data",
            "https://user:secret@lob-assets.com/ltr_1.pdf",
            "https://lob-assets.com./ltr_1.pdf",
            "https://169.254.169.254/latest/meta-data",
            "http://127.0.0.1:5432/",
            "http://localhost/",
            "https://[::1]/",
            "http://api.lob.com/letters/ltr_1.pdf",
            "https://api.lob.com:8443/letters/ltr_1.pdf",
            "file:///etc/passwd",
            "data:application/pdf,%25PDF-",
            "//lob-assets.com/ltr_1.pdf",
            "/letters/ltr_1.pdf",
            "",
        ] {
            assert!(!leads(link, LIVE), "{link}");
        }
    }

    #[test]
    fn a_lane_at_the_sandbox_asks_nothing_of_the_real_provider() {
        assert!(!leads("https://lob-assets.com/letters/ltr_1.pdf", "http://127.0.0.1:4000/lob"));
        assert!(!leads("http://127.0.0.1:4001/assets/ltr_1.pdf", "http://127.0.0.1:4000/lob"), "another port is another server");
    }

    #[test]
    fn what_does_not_say_that_it_is_a_pdf_is_no_letter() {
        assert_eq!(letter(Reply::of(200, "%PDF-1.7 x")), Showing::Letter(b"%PDF-1.7 x".to_vec()));
        for (status, body) in [(200, "<html>Please stand by</html>"), (200, ""), (404, "%PDF-1.7 x"), (302, "%PDF-1.7 x")] {
            assert_eq!(letter(Reply::of(status, body)), Showing::NotYet, "{status} {body}");
        }
    }
}
