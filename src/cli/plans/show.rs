//! A plan for people: what exactly goes to whom, who prepared it and who approved it.

use super::Which;
use super::choose::newest;
use crate::cli::failure::read_stored;
use crate::cli::output::{Paint, count, figure, table, when};
use crate::cli::{Context, Failure, Refusal};
use crate::dispatch::accounts;
use crate::dispatch::plan::outlook::outlook;
use crate::model::forecast::Outlook;
use crate::model::quiet::Quiet;
use crate::model::state::UnknownRule;
use crate::provider::Ground;
use crate::render::check::readability::not_measured;
use crate::store::Store;
use crate::store::incident::Incident;
use crate::store::plan::Plan;
use crate::store::user::{Approval, Vouched};
use serde_json::{Value, json};
use uuid::Uuid;

/// What the plan's body, the bytes under its hash, says.
pub fn body(plan: &Plan) -> Result<Value, Failure> {
    Ok(read_stored("plan", &plan.body)?)
}

fn counts<'a>(body: &'a Value, key: &str) -> impl Iterator<Item = (&'a str, i64)> {
    body.get(key).and_then(Value::as_object).into_iter().flatten().map(|(word, n)| (word.as_str(), n.as_i64().unwrap_or(0)))
}

/// People who will be written to: all of the plan, without those for whom no message could be made.
pub fn people_written_to(body: &Value) -> i64 {
    counts(body, "routes").map(|(_, n)| n).sum::<i64>() - counts(body, "problems").map(|(_, n)| n).sum::<i64>()
}

pub async fn show(context: &Context, which: &Which) -> Result<(), Failure> {
    let store = context.store().await?;
    let (incident, plan) = newest(store, which).await?;
    let data = json!({
        "plan": plan.plan_no, "state": plan.state, "hash": hex::encode(&plan.hash), "people": people_written_to(&body(&plan)?),
        "prepared_by": name_of(store, plan.prepared_by).await?, "approvals": store.list_approvals(incident.key, plan.plan_no).await?,
        "approvals_required": incident.approvals_required, "outlook": plan_outlook(context, &incident, &plan).await?, "body": body(&plan)?,
        "texts": texts(store, &body(&plan)?).await?,
    });
    context.print(&data, &describe(context, &incident, &plan).await?);
    Ok(())
}

async fn name_of(store: &Store, user_id: Uuid) -> Result<String, Failure> {
    let users = store.list_users().await?;
    Ok(users.into_iter().find(|u| u.user_id == user_id).map_or_else(|| user_id.to_string(), |u| u.name))
}

/// What the plan names by hash: `template`, `texts` or `profile`, and its name.
#[derive(serde::Serialize)]
struct Text {
    what: &'static str,
    name: String,
    sha256: String,
}

/// The lists that it freezes, with their people and roots.
fn lists(body: &Value) -> Vec<String> {
    let lists = body.get("lists").and_then(Value::as_array).into_iter().flatten();
    let words = lists.map(|list| {
        let number = |key: &str| list.get(key).and_then(Value::as_i64).unwrap_or(0);
        let root = list.get("root").and_then(Value::as_str).unwrap_or_default();
        format!("{}: {}, root {root}", number("list"), count(number("people"), "person", "people"))
    });
    words.collect()
}

/// What each lane does with a call of which nothing can be found out.
fn unknown_rules(body: &Value) -> Vec<String> {
    let rules = body.get("unknown").and_then(Value::as_object).into_iter().flatten();
    let words = rules.map(|(lane, rule)| {
        let rule = rule.as_str().and_then(|rule| rule.parse().ok()).unwrap_or(UnknownRule::Ask);
        let then = rule.follows();
        format!("{lane}: where nobody can find out whether a call took place, {then}")
    });
    words.collect()
}

async fn texts(store: &Store, body: &Value) -> Result<Vec<Text>, Failure> {
    let mut texts = Vec::new();
    let list = |value: Option<&Value>| -> Vec<String> {
        value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let templates = list(body.get("templates")).into_iter().map(|hash| ("template", hash));
    let own = body.get("texts").and_then(Value::as_str).map(|hash| ("texts", hash.to_owned()));
    let laws = body.get("profiles").and_then(Value::as_object).into_iter().flat_map(|laws| laws.values());
    let laws = laws.filter_map(|law| law.get("text")?.as_str()).map(|hash| ("profile", hash.to_owned()));
    for (what, sha256) in templates.chain(own).chain(laws) {
        // A text that is gone is the audit's to find: the plan is shown all the same.
        let name = match store.find_text(&hex::decode(&sha256).unwrap_or_default()).await? {
            Some(text) => text.name.trim_end_matches(".hbs").to_owned(),
            None => "not on record any more".to_owned(),
        };
        texts.push(Text { what, name, sha256 });
    }
    Ok(texts)
}

fn text_at(body: &Value, place: &str) -> String {
    body.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list_at(body: &Value, key: &str) -> String {
    let word = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    body.get(key).and_then(Value::as_array).map(|list| list.iter().map(word).collect::<Vec<_>>().join(", ")).unwrap_or_default()
}

/// The plan's lanes as they were approved, which of them reach nobody, and which are another account by now; and until when of
/// a day what their providers take goes on its way that day.
fn lanes(context: &Context, body: &Value) -> Vec<(&'static str, String)> {
    // Who only reads may lack the lanes' secrets.
    let here = context.settings().ok().and_then(|settings| accounts(&settings).ok()).unwrap_or_default();
    let shown = |name: &str| {
        let now = here.get(name).map(|account| account.ground());
        match (Ground::approved(body, name), now) {
            (Some(approved), Some(now)) if now != approved => {
                format!("{name} ({approved}); set up here as another account: {now}")
            }
            (Some(approved), _) => format!("{name} ({approved})"),
            (None, Some(now)) => format!("{name} ({now})"),
            (None, None) => format!("{name} (not set up here)"),
        }
    };
    let names: Vec<&str> = body.get("lanes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let cut_off = |name: &&str| {
        let cut_off = here.get(*name).map(|account| account.capabilities().cut_off).filter(|words| !words.is_empty())?;
        Some(("cut-off", format!("{name}: {cut_off}; what its provider takes after that waits for the next such day")))
    };
    names.iter().map(|name| ("lane", shown(name))).chain(names.iter().filter_map(cut_off)).collect()
}

/// The lanes that the plan does without, because they cannot take some of its messages.
fn left_out(body: &Value) -> Vec<String> {
    let lanes = body.get("left_out").and_then(Value::as_object).into_iter().flatten();
    let words = lanes.map(|(lane, refused)| {
        let refused = refused.as_object().into_iter().flatten();
        let refused: Vec<String> =
            refused.map(|(code, n)| format!("{} ({code})", count(n.as_i64().unwrap_or(0), "message", "messages"))).collect();
        format!("{lane}: it cannot take {}", refused.join(", "))
    });
    words.collect()
}

/// Refuses to send through other accounts than those that were approved.
pub fn check_accounts(context: &Context, plan: &Plan) -> Result<(), Failure> {
    let (here, body) = (accounts(&context.settings()?).unwrap_or_default(), body(plan)?);
    let approved = body.get("lanes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let other = approved.filter_map(|name| here.get(name)).find(|account| !account.ground().is_approved(&body, &account.name));
    other.map_or(Ok(()), |account| {
        Err(Refusal::of(
            format!("plan {}: lane `{}` is not the account that was approved, but {}", plan.plan_no, account.name, account.ground()),
            "bring the lane's settings back, or give the new account a lane of its own; a plan that has not started can be withdrawn and prepared anew",
        ))
    })
}

/// When the last messages of a plan leave that still wait, as the lanes stand now.
async fn plan_outlook(context: &Context, incident: &Incident, plan: &Plan) -> Result<Vec<Outlook>, Failure> {
    // Who only reads may lack the lanes' secrets: the rest of the plan is shown all the same.
    let accounts = accounts(&context.settings()?).unwrap_or_default();
    let all = outlook(context.store().await?, &accounts, incident).await?;
    Ok(all.into_iter().filter(|outlook| outlook.plan == plan.plan_no).collect())
}

/// What it costs, in all and by each lane.
fn costs(body: &Value) -> Vec<String> {
    let listed = |name: &str| body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let money = |cost: &Value| {
        let figure = |key: &str| {
            cost.get(key).and_then(Value::as_i64).map_or_else(String::new, |n| format!("{}.{:02}", figure(n / 100), n % 100))
        };
        format!("{} {} to {}", text_at(cost, "/currency"), figure("least"), figure("most"))
    };
    let all = listed("cost").into_iter().map(|cost| format!("{}, by the lanes' prices", money(&cost)));
    let each = listed("lane_cost").into_iter();
    all.chain(each.map(|cost| format!("{}: {}, if all of its channel goes by it", text_at(&cost, "/lane"), money(&cost))))
        .collect()
}

/// The plan for people, its answer first.
pub async fn describe(context: &Context, incident: &Incident, plan: &Plan) -> Result<String, Failure> {
    let (store, body) = (context.store().await?, body(plan)?);
    let approvals = store.list_approvals(incident.key, plan.plan_no).await?;
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    row("people", format!("{} will be written to", figure(people_written_to(&body))));
    for (route, n) in counts(&body, "routes") {
        row("route", format!("{route}: {}", figure(n)));
    }
    for (channel, parts) in body.get("parts").and_then(Value::as_object).into_iter().flatten() {
        let number = |key: &str| parts.get(key).and_then(Value::as_i64).unwrap_or(0);
        let (one, many) = if channel == "letter" { ("page", "pages") } else { ("segment", "segments") };
        row(channel, format!("{} at first, {} with every next step", count(number("first"), one, many), figure(number("most"))));
    }
    costs(&body).into_iter().for_each(|cost| row("cost", cost));
    for outlook in plan_outlook(context, incident, plan).await? {
        row("outlook", outlook.words());
    }
    for (code, n) in counts(&body, "problems") {
        row("no message", undecided(incident, code, n));
    }
    lists(&body).into_iter().for_each(|list| row("list", list));
    for (what, n) in untold(store, incident).await? {
        row(what, n);
    }
    row("contents root", text_at(&body, "/contents/root"));
    lanes(context, &body).into_iter().for_each(|(what, lane)| row(what, lane));
    left_out(&body).into_iter().for_each(|lane| row("left out", lane));
    unknown_rules(&body).into_iter().for_each(|rule| row("unknown", rule));
    let texts = texts(store, &body).await?;
    texts.iter().for_each(|text| row(text.what, format!("{} {}", text.name, text.sha256)));
    row("sender", text_at(&body, "/sender"));
    let dated = list_at(&body, "date").replace(", ", "-");
    match body.pointer("/parts/letter") {
        Some(_) => row("letters", format!("dated {dated}, posted {} class", text_at(&body, "/postage_class"))),
        None => row("dated", dated),
    }
    checked(&body).into_iter().for_each(|words| row("checked", words));
    not_measured(&languages(&texts)).into_iter().for_each(|words| row("not measured", words));
    accepted(&body).into_iter().for_each(|words| row("accepted", words));
    match (body.pointer("/parts/sms"), Quiet::of_plan(&body)) {
        (None, _) => {}
        (Some(_), Some(quiet)) => row("at night", format!("text messages wait from {quiet}, by the clock where each person is")),
        (Some(_), None) => row("at night", "text messages leave at any hour, and may wake people".to_owned()),
    }
    if body.get("urgent") == Some(&Value::Bool(true)) {
        row("urgent", "its messages go before those of other plans".to_owned());
    }
    for (profile, law) in body.get("profiles").and_then(Value::as_object).into_iter().flatten() {
        let places: Vec<&str> = counts(law, "jurisdictions").map(|(place, _)| place).collect();
        let people = count(counts(law, "jurisdictions").map(|(_, n)| n).sum(), "person", "people");
        row("profile", format!("{profile}, version {}: {people} ({})", text_at(law, "/version"), places.join(", ")));
    }
    row("prepared by", name_of(store, plan.prepared_by).await?);
    for approval in &approvals {
        let vouched = approval.added_by_preparer.map_or_else(String::new, |how| format!(", {}", vouched_words(how)));
        row("approved by", format!("{}, {}{vouched}", approval.name, when(approval.at)));
    }
    row("hash", hex::encode(&plan.hash));
    Ok(format!("{}\n{}", Paint::stdout().strong(&heading(incident, plan, &approvals)), table(&rows, &[])))
}

/// Warnings of the check that somebody gave a reason for.
fn accepted(body: &Value) -> Vec<String> {
    let warnings = body.get("check").and_then(Value::as_array).into_iter().flatten();
    let said = |warning: &Value| {
        let people = warning.get("people").and_then(Value::as_i64).unwrap_or(0);
        // Plans from before a reason was given for each say the rule alone.
        let place = if warning.get("accept").is_some() { "/accept" } else { "/rule" };
        let (named, what, reason) = (text_at(warning, place), text_at(warning, "/what"), text_at(warning, "/reason"));
        format!("{named}, {what}, {}: {reason}", count(people, "person", "people"))
    };
    warnings.map(said).collect()
}

/// People for whom no message could be made, and where they are named.
fn undecided(incident: &Incident, code: &str, n: i64) -> String {
    let people = count(n, "person", "people");
    format!("{code}: {people}; each needs a decision: duly task list --incident {}", incident.slug)
}

/// Languages of the plan's templates, by their names: `uk-gdpr/letter.en+cy`.
fn languages(texts: &[Text]) -> Vec<String> {
    let templates = texts.iter().filter(|text| text.what == "template");
    let named = templates.filter_map(|text| text.name.split('.').nth(1)).flat_map(|languages| languages.split('+'));
    named.collect::<std::collections::BTreeSet<_>>().into_iter().map(str::to_owned).collect()
}

/// By what the plan's messages were read; plans from before it was said say nothing.
fn checked(body: &Value) -> Option<String> {
    let messages = count(body.pointer("/checked/messages")?.as_i64()?, "message", "messages");
    let rules: String = text_at(body, "/checked/rules").chars().take(12).collect();
    Some(format!("{messages} read by {}, table of rules {rules}", text_at(body, "/checked/by")))
}

/// Four eyes are worth as much as the word of who brought the second pair.
pub fn vouched_words(how: Vouched) -> &'static str {
    match how {
        Vouched::Directly => "added by the one who prepared",
        Vouched::ThroughOthers => "added through the one who prepared",
    }
}

/// Who is told by this plan no more than by any other.
async fn untold(store: &Store, incident: &Incident) -> Result<Vec<(&'static str, String)>, Failure> {
    let (waiting, unplanned) = (store.count_quarantined(incident.key).await?, store.count_unplanned(incident.key).await?);
    let mut rows = Vec::new();
    if waiting > 0 {
        let waiting = count(waiting, "row waits", "rows wait");
        rows.push(("not told", format!("{waiting} in quarantine: nobody of them is told")));
    }
    if unplanned > 0 {
        let unplanned = count(unplanned, "person is", "people are");
        rows.push(("not told", format!("{unplanned} in no plan yet")));
    }
    Ok(rows)
}

fn heading(incident: &Incident, plan: &Plan, approvals: &[Approval]) -> String {
    let missing = i64::from(incident.approvals_required) - i64::try_from(approvals.len()).unwrap_or(i64::MAX);
    match plan.state.as_str() {
        "prepared" => format!("Plan {} waits for {}", plan.plan_no, count(missing, "approval", "approvals")),
        "approved" => format!("Plan {} is approved; nothing was sent yet", plan.plan_no),
        "running" => format!("Plan {} is being sent", plan.plan_no),
        state => format!("Plan {} is {state}", plan.plan_no),
    }
}
