//! A submit: read by the account's face, spoilt by its fault plan, produced, remembered, answered.

use crate::account::{Account, InFlight, Physical};
use crate::config::FaultKind;
use crate::face::{Asked, Door, Reply, Request, Secrets, Shown, Trouble, Vendor};
use crate::faults::FaultPlan;
use crate::letters;
use crate::receipts::Birth;
use crate::server::App;
use crate::spoilt;
use crate::wire::Wire;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;

/// How long a request that is never answered stays open, unless its client leaves.
const HANG: Duration = Duration::from_secs(120);

/// Faults that produce nothing, and what the provider says to them.
const REFUSALS: &[(FaultKind, Trouble)] = &[
    (FaultKind::Reject, Trouble::Recipient),
    (FaultKind::TooManyToday, Trouble::TooManyToday),
    (FaultKind::Unauthorised, Trouble::Unauthorised),
    (FaultKind::Forbidden, Trouble::Forbidden),
    (FaultKind::NoCredit, Trouble::NoCredit),
    (FaultKind::RequestTimeout, Trouble::RequestTimeout),
    (FaultKind::ErrorBefore, Trouble::Internal),
];

/// A submit that may be produced.
struct Call {
    app: App,
    plan: FaultPlan,
    vendor: &'static dyn Vendor,
    asked: Asked,
    body: Bytes,
    wire: Wire,
}

/// Whatever is asked of a provider account.
pub(crate) async fn knock(
    State(app): State<App>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    Path((provider, rest)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(account) = app.state.account(&provider) else { return StatusCode::NOT_FOUND.into_response() };
    // What spoilt the answer before on a connection that stayed open is over.
    wire.drip(0);
    let (settings, config) = (account.settings(), app.state.config());
    let vendor = settings.face.vendor();
    let window = |pdf: &[u8]| app.state.read_window(pdf);
    let (path, query) = (format!("/{rest}"), query.unwrap_or_default());
    let request = Request { method: &method, path: &path, query: &query, headers: &headers, body: &body, window: &window };
    let secrets = Secrets {
        api_key: settings.api_key.as_deref().unwrap_or(&config.api_key),
        receipts: settings.secret.as_deref().unwrap_or(&config.secret),
    };
    let admitted = vendor.admit(&request, &secrets, time::OffsetDateTime::now_utc());
    match vendor.door(&request) {
        None => vendor.refuse(Trouble::NotFound).into(),
        Some(Door::Submit) => {
            let asked = vendor.read(&account.name, &settings, &request);
            submit(app.clone(), &account, vendor, admitted, asked, body.clone(), wire, path).await
        }
        Some(door) => match admitted {
            Err(trouble) => vendor.refuse(trouble).into(),
            Ok(()) => {
                if vendor.counts_questions()
                    && let Err(trouble) = account.let_in(time::OffsetDateTime::now_utc(), false)
                {
                    return vendor.refuse(trouble).into();
                }
                if let Some(spoilt) = spoil_question(&app, &account, vendor, &wire, (&door, &request)) {
                    return spoilt;
                }
                if let Door::Letter(id) = &door {
                    return letter(&app, &account, vendor, id);
                }
                let is_lost = match &door {
                    Door::Cancel(id) => spoil_cancel(&app, &account, id),
                    _ => None,
                };
                if is_lost != Some(FaultKind::CancelCut) {
                    let origin = format!("http://{}/{}", request.header("host").unwrap_or_default(), account.name);
                    let reply = answer(&account, vendor, door).at(&origin);
                    if is_lost.is_none() {
                        return reply.into();
                    }
                }
                wire.cut();
                StatusCode::OK.into_response()
            }
        },
    }
}

/// The fault of a request that takes a message back, if one fires.
fn spoil_cancel(app: &App, account: &Arc<Account>, id: &str) -> Option<FaultKind> {
    let plan = FaultPlan::new(app.state.config().seed, account.clone(), account.settings(), id, 1).called(account.names(id));
    [FaultKind::CancelLost, FaultKind::CancelCut].into_iter().find(|kind| plan.fires(*kind).is_some())
}

/// The answer to a look-up that goes wrong, if a fault fires.
fn spoil_question(
    app: &App,
    account: &Arc<Account>,
    vendor: &dyn Vendor,
    wire: &Wire,
    (door, request): (&Door, &Request<'_>),
) -> Option<Response> {
    let (Door::LookUp(key) | Door::Find(key) | Door::Letter(key)) = door else { return None };
    let asked = account.count_question();
    let plan = FaultPlan::new(app.state.config().seed, account.clone(), account.settings(), "question", asked);
    let plan = plan.called(account.names(key));
    if plan.fires(FaultKind::LookUpCut).is_some() {
        wire.cut();
        return Some(StatusCode::OK.into_response());
    }
    if plan.fires(FaultKind::LookUpNotJson).is_some() {
        return Some(Reply::page(StatusCode::OK).into());
    }
    if let Some(ms) = plan.fires(FaultKind::LookUpTooMany) {
        return Some(vendor.refuse(Trouble::TooMany(ms)).into());
    }
    if plan.fires(FaultKind::LookUpError).is_some() {
        return Some(vendor.refuse(Trouble::Internal).into());
    }
    if let Some(other) = account.other_than(key).filter(|_| account.settings().lookup && !matches!(door, Door::Letter(_)))
        && plan.fires(FaultKind::LookUpOther).is_some()
    {
        let is_list = matches!(door, Door::LookUp(_));
        return Some(if is_list { vendor.list(&[other]) } else { vendor.one(&other) }.into());
    }
    let Door::LookUp(key) = door else { return None };
    spoilt::turn_page(&plan, vendor, request, key).map(Into::into)
}

/// A message as the account's settings want it shown.
fn otherwise(account: &Account, mut message: Shown) -> Shown {
    for (field, value) in &account.settings().shows {
        match (field.as_str(), value.as_str()) {
            ("status", Some(word)) => word.clone_into(&mut message.status),
            _ => message.shown[field] = value.clone(),
        }
    }
    message
}

/// What is asked of messages that exist.
fn answer(account: &Account, vendor: &dyn Vendor, door: Door) -> Reply {
    let not_found = || vendor.refuse(Trouble::NotFound);
    match door {
        Door::Submit | Door::Letter(_) => not_found(),
        Door::Account(reply) => reply,
        Door::LookUp(key) => account.look_up(&key).map_or_else(not_found, |messages| {
            let messages: Vec<Shown> = messages.into_iter().map(|message| otherwise(account, message)).collect();
            vendor.list(&messages)
        }),
        Door::Find(id) => account.find(&id).map_or_else(not_found, |message| vendor.one(&otherwise(account, message))),
        Door::Cancel(id) => {
            let cancelled = account.cancel(&id).and_then(|(message, in_time)| vendor.cancelled(&message, in_time));
            cancelled.unwrap_or_else(not_found)
        }
    }
}

/// The PDF of a letter; another one, if that fault fires.
fn letter(app: &App, account: &Arc<Account>, vendor: &dyn Vendor, id: &str) -> Response {
    let Some((message, given)) = account.letter(id) else { return vendor.refuse(Trouble::NotFound).into() };
    let plan = FaultPlan::new(app.state.config().seed, account.clone(), account.settings(), id, 1);
    match vendor.letter(&message, &given) {
        Err(reply) => reply.into(),
        Ok(shown) => {
            let is_other = plan.fires(FaultKind::LetterShownOther).is_some();
            let pdf = if is_other { letters::paper(letters::count_pages(&given) + 3) } else { shown };
            ([(CONTENT_TYPE, "application/pdf")], pdf).into_response()
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "one request, taken apart once")]
async fn submit(
    app: App,
    account: &Arc<Account>,
    vendor: &'static dyn Vendor,
    admitted: Result<(), Trouble>,
    asked: Result<Asked, Reply>,
    body: Bytes,
    wire: Wire,
    path: String,
) -> Response {
    let _in_flight = InFlight::enter(account);
    let asked = match asked {
        Ok(asked) => asked,
        // Who may not ask is not told what is wrong with the question.
        Err(reply) => return admitted.map_or_else(|trouble| vendor.refuse(trouble), |()| reply).into(),
    };
    let request = account.count_request(&asked.physical.reference, &asked.physical.destination);
    if let Err(trouble) = admitted {
        return vendor.refuse(trouble).into();
    }
    if let Err(trouble) = account.let_in(time::OffsetDateTime::now_utc(), true) {
        return vendor.refuse(trouble).into();
    }
    let plan = FaultPlan::new(app.state.config().seed, account.clone(), account.settings(), &asked.physical.reference, request);
    let plan = plan.called([asked.physical.destination.clone()]);
    if let Some(refusal) = before(&plan, vendor, &asked.physical, &wire, &path) {
        app.state.released(&account.name).await;
        return refusal;
    }
    let state = app.state.clone();
    let call = Call { app, plan, vendor, asked, body, wire };
    let late_ms = call.plan.fires(FaultKind::Late).unwrap_or(0);
    // In a task of its own: a message is produced, and lives its life, even if its client has left or was killed.
    let work = tokio::spawn(async move {
        if late_ms > 0 {
            tokio::time::sleep(Duration::from_millis(late_ms)).await;
        }
        call.produce_and_answer().await
    });
    let answer = work.await.unwrap_or_else(|_| vendor.refuse(Trouble::Internal).into());
    state.released(&account.name).await;
    answer
}

/// Faults that produce nothing.
fn before(plan: &FaultPlan, vendor: &dyn Vendor, asked: &Physical, wire: &Wire, path: &str) -> Option<Response> {
    let Physical { reference, destination, .. } = asked;
    let fires = |kind| plan.fires(kind);
    if plan.account.knows(reference) && fires(FaultKind::Conflict).is_some() {
        return Some(vendor.refuse(Trouble::Conflict).into());
    }
    if let Some(ms) = fires(FaultKind::TooMany) {
        return Some(vendor.refuse(Trouble::TooMany(ms)).into());
    }
    if let Some(ms) = fires(FaultKind::Unavailable) {
        let page = Reply::page(StatusCode::SERVICE_UNAVAILABLE);
        return Some(if ms > 0 { page.with("retry-after", ms.div_ceil(1000)) } else { page }.into());
    }
    if fires(FaultKind::Redirect).is_some() {
        // The new place would produce the message: a client that follows shows in the record.
        let reply = Reply::page(StatusCode::TEMPORARY_REDIRECT).with("location", format!("/{}{path}", plan.account.name));
        return Some(reply.into());
    }
    if fires(FaultKind::CutBefore).is_some() {
        wire.cut();
        return Some(StatusCode::OK.into_response());
    }
    // Who honours a key answers again what was made under it, and never that it will not be made.
    let is_made = plan.settings.idempotent && plan.account.knows(reference);
    let concerned = REFUSALS.iter().filter(|(kind, _)| !(is_made && *kind == FaultKind::Reject));
    concerned
        .into_iter()
        .find(|(kind, _)| fires(*kind).is_some())
        .map(|(_, trouble)| vendor.refuse(*trouble).of(destination).into())
}

impl Call {
    async fn produce_and_answer(self) -> Response {
        let Self { app, plan, vendor, asked, body, wire } = self;
        let account: Arc<Account> = plan.account.clone();
        let id = vendor.id(app.state.next_number());
        if asked.is_test {
            let message = Shown { id: "0".into(), reference: String::new(), status: "test".into(), shown: asked.shown };
            return vendor.accepted(&message, false).into();
        }
        if plan.fires(FaultKind::ErrorInside).is_some() {
            return fail_inside(&account, vendor, id, &asked).into();
        }
        let again = account.newest_id().filter(|_| plan.fires(FaultKind::IdTwice).is_some());
        let callback = asked.callback.clone();
        let id = again.unwrap_or(id);
        let produced = account.produce(id, asked, &body);
        if produced.is_new {
            let birth = Birth { plan: plan.clone(), id: produced.message.id.clone(), named: None, callback };
            if plan.fires(FaultKind::ReceiptEarly).is_some() {
                app.receipts.send_early(&birth).await;
            }
            app.receipts.begin(birth);
        }
        if plan.fires(FaultKind::ErrorAfter).is_some() {
            return vendor.refuse(Trouble::Internal).into();
        }
        if plan.fires(FaultKind::NotJson).is_some() {
            return Reply::page(StatusCode::OK).into();
        }
        if plan.fires(FaultKind::CutAfter).is_some() {
            wire.cut();
            return StatusCode::OK.into_response();
        }
        if plan.fires(FaultKind::Hang).is_some() {
            tokio::time::sleep(HANG).await;
        }
        let wait_ms = plan.fires(FaultKind::Slow).unwrap_or(0) + plan.settings.latency_ms;
        // A timer of zero still costs a turn of the clock.
        if wait_ms > 0 {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        }
        wire.drip(plan.fires(FaultKind::HeadDrip).unwrap_or(0));
        spoilt::body(&plan, vendor.accepted(&otherwise(&account, produced.message), !produced.is_new))
    }
}

/// Says success and means failure; nothing is printed or sent.
fn fail_inside(account: &Account, vendor: &dyn Vendor, id: String, asked: &Asked) -> Reply {
    let message = match vendor.failure() {
        Some(status) => account.keep(&id, asked, status),
        None => Shown { id, reference: String::new(), status: "failed".into(), shown: asked.shown.clone() },
    };
    vendor.error_inside(&message)
}
