//! What a pack does not prove, however good it is.

use super::report::Report;

impl Report {
    /// One sentence each; none where no event was read.
    pub fn limits(&self) -> Vec<String> {
        if self.events.is_empty() {
            return Vec::new();
        }
        let mut limits = vec![
            "That anybody read or received a message: only what providers reported stands here.",
            "That times are true: they are the database's. An anchor whose signature was verified bounds them from above.",
            "That everybody affected was on the list: the controller answers for the list.",
            "That nothing was sent outside of this log: compare the accepted calls with the providers' own records.",
        ];
        if !self.are_approvers_named {
            limits.push("Who holds the keys of approvers: whoever makes the pack can make them. Name those that you know with `--approver`.");
        }
        limits.push(match self.kind {
            "person" => {
                "Who decided, declared, or set and lifted a hold: those events name a user and a command, and neither the command nor its signature is in a person's pack; approvals are not, either. Only the signature of a list was checked."
            }
            _ => {
                "Who decided, declared, or set and lifted a hold: those events name a user and a command, and the command and its signature are not in a pack. Only approvals and the signatures of lists were checked."
            }
        });
        if self.kind == "incident" {
            limits.push("What summary.html and certificate.pdf say: they are for people, and were not compared with the log.");
        }
        if self.kind == "person" {
            limits.push("What certificate.pdf and story.txt say: they are for people, and were not compared with the log.");
            limits.push("That nothing more follows, and that nothing was sent twice: for that a reader needs all leaves.");
            limits.push("That its messages went to anybody: whether the lanes were live stands in the plan's text, in the incident's pack.");
        }
        let limits = limits.into_iter().map(str::to_owned).chain(self.rehearsal.unsaid_line());
        limits.chain(self.only_version()).collect()
    }

    /// Whoever holds the key can write another log up to here: only what others are proved to have seen rules that out.
    fn only_version(&self) -> Option<String> {
        let verified = self.anchors.iter().filter(|anchor| anchor.is_verified && anchor.origin == self.origin);
        let seen = verified.map(|anchor| anchor.size).max().unwrap_or(0).min(self.size);
        let is_stamped = self.anchors.iter().any(|anchor| !anchor.is_verified);
        let who = match (seen, is_stamped) {
            (seen, _) if seen == self.size && seen > 0 => return None,
            (0, false) => "no time stamp and no witness speaks of it".to_owned(),
            (0, true) => {
                "no signature of a time stamp or witness was verified here, and anybody can write a time stamp".to_owned()
            }
            (seen, _) => format!("of the last {} events nobody outside speaks", self.size - seen),
        };
        Some(format!("That this is the only version of the log: {who}. Compare the checkpoint with one that somebody else kept."))
    }
}
