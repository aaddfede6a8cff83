//! Why a lane rests, by the code that stopped it, and what to do now: the one table that turns such codes into words.

/// Why a lane rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Stop {
    /// What happened.
    pub why: &'static str,
    /// What to do now.
    pub remedy: &'static str,
}

/// Codes that mean the same, and what they mean.
type Row = (&'static [&'static str], Stop);

const ROWS: &[Row] = &[
    (
        &["sick"],
        Stop {
            why: "many of its calls failed, were refused or took too long",
            remedy: "wait: one call is tried when the rest is over; if that ends badly again, run `duly provider check` and look at the provider's own status page",
        },
    ),
    (
        &["503"],
        Stop {
            why: "its provider was out of service and said for how long",
            remedy: "wait: it goes on by itself, one call first, when that time is over; if it comes again, look at the provider's own status page",
        },
    ),
    (
        &["429_daily"],
        Stop {
            why: "the account's limit of the day was used up",
            remedy: "nothing to do: it goes on after midnight UTC; ask the provider for a higher limit if the deadline is nearer than that",
        },
    ),
    (
        &["21611"],
        Stop {
            why: "the sender's queue at its provider is full",
            remedy: "nothing to do: it goes on by itself; lower the lane's `per_second` if this comes again",
        },
    ),
    (
        &["401", "bad_credentials", "mail_530", "mail_535", "rcpt_530", "rcpt_535"],
        Stop {
            why: "its provider refused the account's credentials",
            remedy: "put the account's present key or password in place (`api_key_file` of the lane), then run `duly provider check`",
        },
    ),
    (
        &["402", "billing_address_required"],
        Stop {
            why: "its provider refused for want of money",
            remedy: "top up the account at the provider, or settle its bill and its billing address; the lane then goes on by itself",
        },
    ),
    (
        &["403"],
        Stop {
            why: "its provider knows the credentials and does not allow this",
            remedy: "look at the provider whether the key is of this service and may send to everybody, not to its own team alone; set this machine's clock right",
        },
    ),
    (
        &["20005", "30002", "feature_limit_reached"],
        Stop {
            why: "its provider has suspended the account, or the account's contract ends here",
            remedy: "ask the provider's support to open the account for this; another account needs a lane and a plan of its own",
        },
    ),
    (
        &["404", "405", "406", "410", "411", "415", "20404", "unrecognized_endpoint", "unsupported_lob_version"],
        Stop {
            why: "there is no such place at its provider's address",
            remedy: "correct the lane's `url` and `account`; if they are right the provider's interface has changed, and Duly must be brought up to date",
        },
    ),
    (
        &["21212", "21603", "21606", "21659", "21660", "21661", "21703", "foreign_return_address"],
        Stop {
            why: "its provider does not take the sender",
            remedy: "at the provider, make the plan's sender one of this account's, or correct the lane's own sender (`sender_id`, `account`)",
        },
    ),
    (
        &["21609"],
        Stop {
            why: "its provider does not take the address for receipts",
            remedy: "correct `receipts.url`: it must be a public https address, or empty so that the provider is asked instead",
        },
    ),
    (
        &["mail_use_type_can_not_be_null"],
        Stop {
            why: "the account does not say what use its mail is of",
            remedy: "set the account's default use type at the provider; the lane then goes on by itself",
        },
    ),
    (
        &["test_mode"],
        Stop {
            why: "the key is one of the test mode: nothing is printed",
            remedy: "give the lane a key that is no test key, then run `duly provider check`",
        },
    ),
    (
        &["no_tls"],
        Stop {
            why: "the relay offers no TLS that is trusted",
            remedy: "let the relay offer TLS with a certificate that this machine trusts, and name it in `url` as its certificate does",
        },
    ),
    (
        &["not_the_sandbox"],
        Stop {
            why: "the lane is not live, and the relay is not the sandbox",
            remedy: "set the sandbox's address as the lane's `url`, or `live = true` where people shall be reached",
        },
    ),
    (
        &["folder"],
        Stop {
            why: "its folder cannot be used",
            remedy: "look at its folder: its disk, its rights, whose it is; nothing is lost meanwhile",
        },
    ),
    (
        &["folder_older"],
        Stop { why: "its folder is an older copy", remedy: "put the newest copy of its folder back; nothing is lost meanwhile" },
    ),
];

const MOVED: Stop = Stop {
    why: "its provider sent calls on to another address, and nobody follows there",
    remedy: "set the lane's `url` to the provider's present address, or remove what stands between; `duly unknown list` shows the calls that were sent on",
};
const SENDER: Stop = Stop {
    why: "the relay refuses the sender",
    remedy: "let whoever runs the relay allow this sender to this account, or correct the incident's `email_sender`",
};
const RELAYING: Stop = Stop {
    why: "the relay takes no mail of ours for others",
    remedy: "let whoever runs the relay allow this machine and this account to send through it",
};
const OTHER: Stop = Stop {
    why: "its provider refused whatever it was given",
    remedy: "ask the provider what the code means for this account; `duly provider check` says whether it answers",
};

/// What a code that stops lanes means.
pub fn stop(code: &str) -> Stop {
    let is_status = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
    match ROWS.iter().find(|(codes, _)| codes.contains(&code)) {
        Some((_, stop)) => *stop,
        None if code == "redirect" || is_status && code.starts_with('3') => MOVED,
        None if code.starts_with("mail_") => SENDER,
        None if code.starts_with("rcpt_") => RELAYING,
        None => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::wire::{Reply, usual};
    use std::collections::BTreeSet;

    #[test]
    fn whatever_stops_a_lane_has_a_remedy_of_its_own() {
        let everywhere = (100..600).map(|status| usual(&Reply::of(status, ""), false));
        let mut codes: Vec<String> = everywhere.filter(|result| result.pause.is_some()).map(|result| result.code).collect();
        assert!(codes.len() > 100, "{codes:?}");
        codes.extend(crate::provider::twilio::OURS.iter().map(ToString::to_string));
        codes.extend(crate::provider::lob::OURS.iter().map(|code| (*code).to_owned()));
        let others = ["sick", "503", "429_daily", "21611", "30002", "test_mode", "no_tls", "not_the_sandbox", "bad_credentials"];
        codes.extend(
            others.iter().chain(&["mail_550", "rcpt_554", "rcpt_535", "folder", "folder_older"]).map(|c| (*c).to_owned()),
        );
        for code in &codes {
            assert_ne!(stop(code), OTHER, "{code}");
        }
        let stops: Vec<Stop> = ROWS.iter().map(|(_, stop)| *stop).chain([MOVED, SENDER, RELAYING, OTHER]).collect();
        let remedies: BTreeSet<&str> = stops.iter().map(|stop| stop.remedy).collect();
        assert_eq!(remedies.len(), stops.len(), "two stops are told apart, and have the same remedy");
        assert!(stop("401") != stop("402") && stop("403") != stop("401") && stop("307") == MOVED);
    }
}
