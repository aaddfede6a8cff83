//! The demo's last page: our account beside the simulator's own record, and a judgement that can fail.

use super::Time;
use super::ground::Ground;
use super::proof::Proof;
use crate::cli::output::{Paint, figure};
use crate::cli::{Failure, Refusal, person};
use crate::dispatch::draft::approved_bytes;
use crate::model::person::ShownState;
use crate::model::state::Channel;
use crate::provider::read_request;
use crate::report::story::story;
use crate::report::{rehearsal, words};
use crate::store::audit::Finding;
use crate::store::audit::record::{Mark, Produced, SendKey, compare};
use crate::store::status::Equation;
use duly_sandbox::FaultKind;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// A finished run, not judged yet.
pub struct Run {
    pub ground: Ground,
    pub rows_read: u64,
    pub open: i64,
    /// Whether a worker was killed amid its calls.
    pub is_disturbed: bool,
    pub time: Time,
}

/// Everything that the page shows and the judgement rests on.
struct Account {
    equation: Equation,
    findings: Vec<Finding>,
    sends: Vec<SendKey>,
    produced: Vec<Produced>,
    in_flight_at_kill: i64,
    unknown_created: i64,
    unknown_left: i64,
    silent_faults: Vec<String>,
}

impl Run {
    /// Prints the page, leaves its files, and fails where anything does not hold.
    pub async fn report(&self, folder: &Path) -> Result<(), Failure> {
        let account = self.account().await?;
        let samples = self.leave_samples(folder, &account).await;
        let proof = Proof::make(&self.ground, folder).await;
        let seconds = self.time.seconds();
        let mut wrong = self.judge(&account, seconds)?;
        wrong.extend(proof.as_ref().map(Proof::wrong).unwrap_or_default());
        let found = wrong.first().copied();
        wrong.extend(proof.is_err().then_some("the proof could not be made"));
        wrong.extend(samples.is_err().then_some("the samples could not be left"));
        let summary = json!({
            "rows_read": self.rows_read,
            "people": account.equation.people,
            "duplicates": account.equation.duplicates,
            "quarantined": account.equation.quarantined,
            "person_states": account.equation.person_states,
            "lost": self.lost(&account)?,
            "max_sends_per_message": account.max_sends(),
            "in_flight_at_kill": account.in_flight_at_kill,
            "unknown_created": account.unknown_created,
            "unknown_resolved": account.unknown_created - account.unknown_left,
            "produced": account.produced.len(),
            "findings": account.findings,
            "seconds": seconds,
        });
        std::fs::write(folder.join("summary.json"), format!("{summary:#}"))?;
        self.print(&account, &wrong, seconds);
        if let Ok(proof) = &proof {
            println!("\n{}", Paint::stdout().strong("The proof"));
            proof.print();
        }
        say_where(&folder.display().to_string());
        if let Some(what) = found {
            return Err(Refusal::found(what, format!("read {0}/summary.json and {0}/serve.log", folder.display())));
        }
        proof?;
        samples
    }

    async fn account(&self) -> Result<Account, Failure> {
        let (store, key) = (&self.ground.office.store, self.ground.incident.key);
        let sealed = store.audit_sealed(key, &self.ground.office.master, &|_, frozen| read_request(frozen)).await?;
        let record = self.ground.sandbox.record().into_iter();
        let produced: Vec<Produced> = record
            .map(|p| Produced {
                account: p.provider,
                reference: p.reference,
                channel: p.channel,
                destination: p.destination,
                content_sha256: p.content_sha256,
            })
            .collect();
        let mut findings = store.audit(key).await?;
        findings.extend(sealed.findings);
        findings.extend(compare(&sealed.sends, &produced));
        let (unknown_created, unknown_left) = store.count_unknown(key).await?;
        Ok(Account {
            equation: store.equation(key).await?,
            findings,
            sends: sealed.sends,
            produced,
            in_flight_at_kill: store.count_cut_calls(key).await?,
            unknown_created,
            unknown_left,
            silent_faults: self.silent_faults(),
        })
    }

    /// Faults of the plan that never fired: without them the run shows less than it says.
    fn silent_faults(&self) -> Vec<String> {
        let counts = self.ground.sandbox.counts();
        let config = self.ground.sandbox.config();
        let fired = |provider: &str, kind: FaultKind| counts.get(provider).and_then(|c| c.get(&kind)).copied().unwrap_or(0) > 0;
        let planned = config.providers.iter().flat_map(|(name, p)| p.faults.iter().map(move |fault| (name, fault.kind)));
        // Some stand in the plan twice.
        let silent: BTreeSet<String> =
            planned.filter(|(name, kind)| !fired(name, *kind)).map(|(name, kind)| format!("{name} {}", word(kind))).collect();
        silent.into_iter().collect()
    }

    /// Rows that became nothing.
    fn lost(&self, account: &Account) -> Result<i64, Failure> {
        let e = &account.equation;
        let never_sent = account.findings.iter().filter(|f| f.code == "never_sent").count();
        Ok(i64::try_from(self.rows_read)? - e.people - e.duplicates - e.quarantined - e.decided + i64::try_from(never_sent)?)
    }

    fn judge(&self, account: &Account, seconds: u64) -> Result<Vec<&'static str>, Failure> {
        let checks = [
            (!self.is_disturbed, "too few calls reached the providers: no worker could be killed amid them"),
            (!account.equation.holds(), "the equation does not hold"),
            (self.lost(account)? != 0, "somebody is lost"),
            (account.max_sends() > 1.0, "somebody was told twice"),
            (account.in_flight_at_kill == 0, "no call was in flight at the kill"),
            (account.unknown_created == 0, "no unknown call was made"),
            (account.unknown_left > 0, "an unknown call is not resolved"),
            (!account.silent_faults.is_empty(), "a fault of the plan never fired"),
            (!account.findings.is_empty(), "the audit has findings"),
        ];
        let late = late(self.open, seconds, self.time.seconds_max);
        Ok(late.into_iter().chain(checks.iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, what)| *what)).collect())
    }

    /// A letter as it went to the printer, and the story of a person whose call was cut.
    async fn leave_samples(&self, folder: &Path, account: &Account) -> Result<(), Failure> {
        let (store, key) = (&self.ground.office.store, self.ground.incident.key);
        if let Some(letter) = account.sends.iter().find(|s| s.channel == Channel::Letter && s.state.is_taken()) {
            let drafts = store.list_drafts(&[letter.message_id]).await?;
            let pdf = drafts.first().and_then(|draft| approved_bytes(&self.ground.office, draft).ok());
            let log = folder.join("serve.log");
            let again =
                || Refusal::found("a letter does not render again to its approved bytes", format!("read {}", log.display()));
            std::fs::write(folder.join("sample-letter.pdf"), pdf.ok_or_else(again)?)?;
        }
        if let Some(person_id) = store.find_eventful_person(key).await? {
            let told = story(store, &self.ground.incident, person_id).await?;
            let plans = told.notices.iter().map(|notice| notice.plan).collect();
            let rehearsal = rehearsal::of_plans(store, key, plans).await?;
            let page = rehearsal::below(person::lines(&told, Paint::never()), &rehearsal);
            std::fs::write(folder.join("person-story.txt"), page)?;
        }
        Ok(())
    }

    fn print(&self, account: &Account, wrong: &[&str], seconds: u64) {
        let paint = Paint::stdout();
        let e = &account.equation;
        let holds = |is: bool| if is { paint.good("holds") } else { paint.bad("DOES NOT HOLD") };
        match wrong {
            [] => println!("{}", paint.good(&format!("Nobody is lost and nobody was told twice. It took {seconds} s."))),
            wrong => println!("{}", paint.bad(&format!("It does not hold: {}", wrong.join("; ")))),
        }
        println!(
            "  {} rows read = {} people + {} duplicates + {} quarantined",
            self.rows_read, e.people, e.duplicates, e.quarantined
        );
        for state in ShownState::ALL {
            let n = e.person_states.get(state.as_str()).copied().unwrap_or(0);
            if n > 0 {
                println!("  {:>6}  {}", figure(n), words::person(*state));
            }
        }
        println!("\n{}", paint.strong("The equation"));
        println!("  people = sum over states: {}", holds(e.holds()));
        println!("\n{}", paint.strong("Our account beside the simulator's own record"));
        let taken = account.sends.iter().filter(|s| s.state.is_taken()).count();
        println!("  {:>6}  messages that we say a provider took", figure_of(taken));
        println!("  {:>6}  messages on the simulator's record", figure_of(account.produced.len()));
        let unclaimed = account.produced.len().saturating_sub(taken);
        if unclaimed > 0 {
            println!("  {:>6}  of those we do not claim: nobody could find out how their call ended", figure_of(unclaimed));
        }
        println!("  {:>6}  most copies of one message", account.max_sends());
        println!("\n{}", paint.strong("The killed worker"));
        println!(
            "  {:>6}  calls in flight when it died, of which nobody could know how they ended",
            figure(account.in_flight_at_kill)
        );
        let resolved = account.unknown_created - account.unknown_left;
        println!(
            "  {:>6}  calls unknown in all, {} resolved without sending blindly",
            figure(account.unknown_created),
            figure(resolved)
        );
        println!("\n{}", paint.strong("Faults that the simulator fired"));
        for (provider, counts) in self.ground.sandbox.counts() {
            let list: Vec<String> = counts.iter().map(|(kind, n)| format!("{} {n}", word(*kind))).collect();
            println!("  {provider:<8} {}", list.join(", "));
        }
        for silent in &account.silent_faults {
            println!("  {}", paint.bad(&format!("never fired: {silent}")));
        }
        println!("\n{}", paint.strong("Audit"));
        println!("  {} findings", account.findings.len());
        for (code, n) in count_codes(&account.findings) {
            println!("  {}", paint.bad(&format!("{n} {code}")));
        }
    }
}

/// What is wrong with the time: of the sending, or of all up to this page.
fn late(open: i64, seconds: u64, seconds_max: u64) -> Option<&'static str> {
    match open {
        0 if seconds <= seconds_max => None,
        0 => Some("everybody was told, and the whole took longer than --seconds-max allows"),
        _ => Some("the time was over and a notice is still open: on a busy machine give it more by --seconds-max"),
    }
}

fn say_where(folder: &str) {
    println!("\n{}", Paint::stdout().strong("Look at"));
    let wide = folder.len() + "/sample-letter.pdf".len();
    for (file, what) in [
        ("sample-letter.pdf", "a letter as it went to the printer"),
        ("person-story.txt", "one person, from the list to the receipt"),
        ("summary.json", "these figures"),
        ("pack.zip", "the evidence, for somebody who does not trust us:"),
    ] {
        println!("  {:<wide$}   {what}", format!("{folder}/{file}"));
    }
    println!("  {:<wide$}   duly-verify {folder}/pack.zip --key {folder}/log.vkey,", "");
    println!("  {:<wide$}   or drop it on docs/verify.html", "");
}

impl Account {
    /// The largest quotient of the simulator's count and our send-once keys, over channel, destination and content.
    fn max_sends(&self) -> f64 {
        let mut keys: HashMap<(&str, &str, &str), u32> = HashMap::new();
        for send in &self.sends {
            // Nobody is erased in the demo, and no database comes back older.
            let Mark::Carries { destination, content_sha256 } = &send.mark else { continue };
            *keys.entry((send.channel.as_str(), destination, content_sha256)).or_insert(0) += 1;
        }
        let mut produced: HashMap<(&str, &str, &str), u32> = HashMap::new();
        for p in &self.produced {
            *produced.entry((&p.channel, &p.destination, &p.content_sha256)).or_insert(0) += 1;
        }
        let quotient =
            |(triple, n): (&(&str, &str, &str), &u32)| f64::from(*n) / f64::from(keys.get(triple).copied().unwrap_or(0));
        produced.iter().map(quotient).fold(0.0, f64::max)
    }
}

fn count_codes(findings: &[Finding]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.code).or_insert(0) += 1;
    }
    counts
}

fn figure_of(n: usize) -> String {
    figure(i64::try_from(n).unwrap_or(i64::MAX))
}

/// The fault's name as the plan writes it.
fn word(kind: FaultKind) -> String {
    serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(|w| w.replace('_', " "))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::late;

    #[test]
    fn the_time_is_judged_up_to_the_last_page_and_an_open_notice_is_named_first() {
        assert_eq!(late(0, 179, 179), None);
        assert!(late(0, 180, 179).is_some_and(|what| what.contains("the whole took longer")));
        assert!([100, 180].iter().all(|seconds| late(1, *seconds, 179).is_some_and(|what| what.contains("still open"))));
    }
}
